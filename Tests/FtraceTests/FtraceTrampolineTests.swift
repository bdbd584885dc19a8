import Testing
import X86

@testable import Ftrace

struct FtraceTrampolineTests {
    @Test("A trampoline is ftrace_caller with its ops and callback built in, byte for byte as recorded")
    func recorded() throws {
        let bytes = try #require(
            FtraceTrampoline.bytes(
                at: RecordedKernel.trampoline, copying: RecordedKernel.target.caller, ops: RecordedKernel.globalOps,
                function: RecordedKernel.functionTraceCall, returnThunk: nil))
        #expect(bytes == RecordedKernel.trampolineText + RecordedKernel.trampolineEnd)
    }

    @Test("The next ones differ in the call and the pointer only")
    func others() throws {
        let graph = try #require(
            FtraceTrampoline.bytes(
                at: VirtualAddress(0xffff_ffff_c020_3000), copying: RecordedKernel.target.caller,
                ops: VirtualAddress(0xffff_ffff_82b3_c820), function: VirtualAddress(0xffff_ffff_8106_b700),
                returnThunk: nil))
        #expect(Array(graph[0x7e..<0x83]) == [0xe8, 0x7d, 0x86, 0xe6, 0xc0])
        #expect(Array(graph[0xc7...]) == RecordedKernel.bytes("20 c8 b3 82 ff ff ff ff"))
        let livepatch = try #require(
            FtraceTrampoline.bytes(
                at: VirtualAddress(0xffff_ffff_c021_3000), copying: RecordedKernel.target.caller,
                ops: VirtualAddress(0xffff_1100_0586_2a20), function: VirtualAddress(0xffff_ffff_8113_0be0),
                returnThunk: nil))
        #expect(Array(livepatch[0x7e..<0x83]) == [0xe8, 0x5d, 0xdb, 0xf1, 0xc0])
        #expect(Array(livepatch[0x67..<0x6e]) == [0x48, 0x8b, 0x15, 0x59, 0x00, 0x00, 0x00])
    }

    @Test("Where returns go through a thunk the trampoline ends in a jump to it")
    func thunk() throws {
        let bytes = try #require(
            FtraceTrampoline.bytes(
                at: RecordedKernel.trampoline, copying: RecordedKernel.target.caller, ops: RecordedKernel.globalOps,
                function: RecordedKernel.functionTraceCall, returnThunk: VirtualAddress(0xffff_ffff_8200_0000)))
        #expect(bytes[0xc2] == 0xe9 && bytes.count == 0xc2 + 5 + 8)
    }

    @Test("An ops load that isn't the expected instruction makes no trampoline")
    func wrongLoad() {
        let caller = FtraceCaller(
            start: RecordedKernel.ftraceCaller, opsLoad: RecordedKernel.ftraceCaller + 1,
            call: RecordedKernel.ftraceCall, end: RecordedKernel.target.caller.end,
            bytes: RecordedKernel.ftraceCallerText)
        #expect(
            FtraceTrampoline.bytes(
                at: RecordedKernel.trampoline, copying: caller, ops: RecordedKernel.globalOps,
                function: RecordedKernel.functionTraceCall, returnThunk: nil) == nil)
    }

    @Test("Trampolines take the lowest free place")
    func arena() {
        var arena = FtraceTrampolineArena()
        let places = (0..<3).map { _ in arena.allocate() }
        #expect(places.map(\.description) == ["ffffffffc0201000", "ffffffffc0203000", "ffffffffc0205000"])
        arena.free(places[1])
        #expect(arena.allocate() == places[1])
        #expect(arena.allocate().description == "ffffffffc0207000")
    }
}
