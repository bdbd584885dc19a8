import Testing

@testable import X86

@Suite("Decoding")
struct InstructionDecoderTests {
    let decoder = InstructionDecoder(mode: .x86_64)

    private func decode(_ bytes: [UInt8]) throws -> Instruction {
        try #require(decoder.decode(InstructionBytes(bytes)))
    }

    @Test("A call keeps its displacement and length")
    func call() throws {
        let instruction = try decode([0xe8, 0x0b, 0xfb, 0x7e, 0x3e])
        #expect(instruction.operation == .call)
        #expect(instruction.length == 5)
        #expect(instruction.immediate == 0x3e7e_fb0b)
    }

    @Test("The kernel's NOP5 of 64 bit has no effect")
    func nop() throws {
        #expect(try decode(InstructionBytes.nop5.bytes).operation == .noOperation)
        #expect(try decode([0x66, 0x90]).operation == .noOperation)
        #expect(try decode([0xf3, 0x0f, 0x1e, 0xfa]).operation == .noOperation)
    }

    @Test("A load relative to GS names its segment, base and displacement")
    func perCPULoad() throws {
        let instruction = try decode([0x65, 0x48, 0x8b, 0x04, 0x25, 0xc0, 0xfb, 0x01, 0x00])
        #expect(instruction.operation == .move)
        #expect(instruction.usesGS)
        #expect(instruction.base == Instruction.noRegister)
        #expect(instruction.displacement == 0x1fbc0)
        #expect(instruction.size == 8)
    }

    @Test("RIP-relative, scaled and high-byte operands are told apart")
    func operands() throws {
        let relative = try decode([0x48, 0x8b, 0x15, 0x59, 0, 0, 0])
        #expect(relative.base == Instruction.instructionPointer && relative.displacement == 0x59)
        let scaled = try decode([0x8b, 0x84, 0xca, 0x10, 0, 0, 0])
        #expect(scaled.base == 2 && scaled.index == 1 && scaled.scale == 3 && scaled.size == 4)
        let high = try decode([0x0f, 0xb6, 0xc4])
        #expect(high.operation == .moveZeroExtend && high.source == Instruction.highByteBase && high.sourceSize == 1)
    }

    @Test("An instruction without semantics is havoc and names what it writes")
    func havoc() throws {
        let rdtsc = try decode([0x0f, 0x31])
        #expect(rdtsc.operation == .havoc)
        #expect(rdtsc.writtenRegisters == 0b101)
        let cpuid = try decode([0x0f, 0xa2])
        #expect(cpuid.operation == .serializing)
        #expect(cpuid.writtenRegisters == 0b1111)
    }

    @Test("Moves to and from system registers are told apart, and privileged")
    func controlRegisters() throws {
        let load = try decode([0x0f, 0x22, 0xd8])
        #expect(load.operation == .moveToControl && load.destination == 3 && load.source == 0 && load.isPrivileged)
        let store = try decode([0x0f, 0x20, 0xd8])
        #expect(store.operation == .moveFromControl && store.source == 3)
        #expect(try decode([0x44, 0x0f, 0x22, 0xc0]).destination == 8)
        #expect(try decode([0x0f, 0x23, 0xf8]).operation == .moveToDebug)
        let segment = try decode([0x8e, 0xd8])
        #expect(segment.operation == .moveToSegment && segment.destination == 3)
    }

    @Test("A record takes 24 bytes")
    func size() {
        #expect(MemoryLayout<Instruction>.stride == 24)
    }

    @Test("Cut off, too long and invalid are different things")
    func outcomes() {
        func outcome(_ bytes: [UInt8]) -> String { "\(decoder.outcome(InstructionBytes(bytes)))".prefix(7).description }
        #expect(outcome([0x48]) == "truncat")
        #expect(outcome([0x0e]) == "invalid")
        #expect(outcome([UInt8](repeating: 0x66, count: 15)) == "tooLong")
        #expect(outcome([0xf0, 0x90]) == "invalid", "LOCK NOP")
    }

    @Test("REP STOSQ is a repeated string store of eight bytes")
    func stringStore() throws {
        let instruction = try decode([0xf3, 0x48, 0xab])
        #expect(instruction.operation == .storeString)
        #expect(instruction.isRepeated)
        #expect(instruction.size == 8)
        #expect(try decode([0xa4]).size == 1)
    }

    @Test("Truncated and invalid encodings do not decode")
    func invalid() {
        #expect(decoder.decode(InstructionBytes([0xe8, 0x00])) == nil)
        #expect(decoder.decode(InstructionBytes([0x06])) == nil)
    }

    @Test("Encodings print as objdump prints bytes, and a call's target is where the processor goes")
    func bytes() {
        let call = InstructionBytes.call(
            from: VirtualAddress(0xffff_ffff_8100_0000), to: VirtualAddress(0xffff_ffff_8100_0000))
        #expect(call.description == "e8 fb ff ff ff")
        #expect(call.displacement32 == -5)
        #expect(call.replacing(0, with: 0xcc).description == "cc fb ff ff ff")
    }

    @Test("The disassembly is AT&T text with the branch's target")
    func disassembly() throws {
        let lines = Disassembler(mode: .x86_64).disassemble(
            [0x48, 0x81, 0xec, 0xa8, 0, 0, 0, 0xe8, 0xfb, 0, 0, 0], at: VirtualAddress(0xffff_ffff_c020_1000),
            linesMax: 8)
        #expect(lines.count == 2)
        #expect(lines[0].text == "sub $0xa8, %rsp")
        let nop = Disassembler(mode: .x86_64).disassemble(
            InstructionBytes.nop5.bytes, at: VirtualAddress(0), linesMax: 1)
        #expect(nop.first?.text == "nopl 0x0(%rax,%rax,1)")
        #expect(lines[1].target == VirtualAddress(0xffff_ffff_c020_1107))
    }
}
