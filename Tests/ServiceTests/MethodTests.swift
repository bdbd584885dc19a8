import Glibc
import PatchsimInterface
import Testing
import Varlink

@testable import PatchsimService

@Suite struct MethodTests {
    private let running: RunningService
    private let client: VarlinkClient

    init() throws {
        running = try RunningService()
        client = try running.client()
    }

    @Test func everyMethodAnswers() throws {
        #expect(try client.call(Ping.self, .init()).startedAt == 1_700_000_000)
        #expect(try client.call(GetState.self, .init()).state.trapSites == 1001)
        #expect(try client.call(ListCPUs.self, .init()).cpus.map(\.context) == [.int3, .task])
        #expect(try client.call(ListTasks.self, .init()).tasks[0].unwinds.fault == 3)
        #expect(try client.call(Pause.self, .init()).state.run == .paused)
        #expect(try client.call(Step.self, .init(cpu: 1, count: 3)).steps.count == 3)
        #expect(try client.call(Resume.self, .init()).state.run == .running)
        #expect(try client.call(ReadText.self, .init(address: "0xffffffff81000000", length: 4)).bytes == "00010203")
        #expect(try client.call(Disassemble.self, .init(symbol: "vfs_read")).lines[1].text == "ret")
        #expect(try client.call(LookupSymbol.self, .init(address: "0xffffffff81000010")).symbols[0].offset == 16)
        #expect(try client.call(ListFiles.self, .init(path: "/")).entries.map(\.name) == ["proc", "readme"])
        _ = try client.call(WriteFile.self, .init(path: "/a", text: "x\n", append: true))
        _ = try client.call(MakeDirectory.self, .init(path: "/b"))
        _ = try client.call(RemoveDirectory.self, .init(path: "/b"))
        #expect(try client.call(EnableTracing.self, .init(glob: "*")).update.enabledSites == 3)
        #expect(try client.call(DisableTracing.self, .init(glob: "*")).update.enabledSites == 0)
        #expect(try client.call(ListSites.self, .init()).sites[0].target == "ftrace_caller")
        #expect(try client.call(GetVerdict.self, .init()).violations[0].replay == "r1:abc")
        #expect(try client.call(ReplayLine.self, .init(line: "r1:abc")).violation == nil)
        #expect(
            running.backend.calls == [
                "pause", "step 1 3 false", "resume", "read ffffffff81000000 4", "disassemble symbol(\"vfs_read\") all",
                "write /a \"x\\n\" true", "mkdir /b", "rmdir /b", "tracing true *", "tracing false *",
            ])
    }

    @Test func faultsArriveAsTheTypesTheyWere() throws {
        let cpu = try #require(try client.refusal(Step.self, .init(cpu: 5)))
        #expect(cpu.parameters(as: MachineFault.NoSuchCPU.self) == .init(cpu: 5, cpuCount: 2))
        #expect(try client.refusal(Step.self, .init())?.name == MachineFault.NotPaused.name)
        let file = try #require(try client.refusal(WriteFile.self, .init(path: "/proc/kallsyms", text: "x")))
        #expect(file.name == "io.patchsim.Files.Failed")
        #expect(file.parameters(as: FilesFault.self)?.errno == "EACCES")
        let broken = try client.refusal(EnableTracing.self, .init(glob: "broken"))
        #expect(broken?.name == ServiceFault.Internal.name)
    }

    @Test func whatIsOutOfBoundsNeverReachesTheBackend() throws {
        let long = String(repeating: "x", count: 100_000)
        let refusals = [
            try client.refusal(Step.self, .init(count: 0)), try client.refusal(Step.self, .init(count: 100_001)),
            try client.refusal(Step.self, .init(cpu: -1)), try client.refusal(Step.self, .init(cpu: 64)),
            try client.refusal(ReadText.self, .init(address: "ffff", length: 1)),
            try client.refusal(ReadText.self, .init(address: "0x1", length: 0)),
            try client.refusal(ReadText.self, .init(address: "0x1", length: 65_537)),
            try client.refusal(Disassemble.self, .init()),
            try client.refusal(Disassemble.self, .init(symbol: "a", address: "0x1")),
            try client.refusal(Disassemble.self, .init(symbol: "a", count: 4097)),
            try client.refusal(LookupSymbol.self, .init(name: long)),
            try client.refusal(ReadFile.self, .init(path: "relative")),
            try client.refusal(ReadFile.self, .init(path: "/a\0b")),
            try client.refusal(ReadFile.self, .init(path: "/a", offset: -1)),
            try client.refusal(ReadFile.self, .init(path: "/a", count: 65_537)),
            try client.refusal(WriteFile.self, .init(path: "/a", text: long)),
            try client.refusal(EnableTracing.self, .init(glob: "")),
            try client.refusal(EnableTracing.self, .init(glob: long)),
            try client.refusal(GetRecentEvents.self, .init(count: 4097)),
            try client.refusal(GetRecentEvents.self, .init(kinds: Array(repeating: "a", count: 65))),
            try client.refusal(ReplayLine.self, .init(line: long)),
        ]
        for refusal in refusals { #expect(refusal?.name == "org.varlink.service.InvalidParameter") }
        #expect(running.backend.calls.isEmpty)
    }

    @Test func aLongListComesInSeveralReplies() throws {
        let batches = try client.all(ListFunctions.self, .init()).map(\.functions)
        #expect(batches.map(\.count) == [512, 512, 176])
        #expect(Array(batches.joined()).map(\.name) == (0..<ScriptedBackend.functionCount).map { "function_\($0)" })
        #expect(try client.refusal(ListFunctions.self, .init())?.name == "org.varlink.service.ExpectedMore")
    }

    @Test func aFileReadAsAStreamIsTheWholeFile() throws {
        let chunks = try client.all(ReadFile.self, .init(path: "/proc/kallsyms", count: 1001))
        #expect(chunks.map(\.text).joined() == ScriptedBackend.fileText)
        #expect(chunks.dropLast().allSatisfy { !$0.end } && chunks.last!.end)
        #expect(running.backend.calls == ["open /proc/kallsyms"])
    }

    @Test func aFileReadInPiecesIsRenderedOnce() throws {
        var text = ""
        var offset = 0
        while true {
            let chunk = try client.call(ReadFile.self, .init(path: "/proc/kallsyms", offset: offset))
            text += chunk.text
            offset = chunk.next
            if chunk.end { break }
        }
        #expect(text == ScriptedBackend.fileText)
        #expect(running.backend.calls == ["open /proc/kallsyms"])
        _ = try client.call(ReadFile.self, .init(path: "/proc/kallsyms", count: 1))
        #expect(running.backend.calls.count == 2)
        #expect(try client.call(ReadFile.self, .init(path: "/proc/kallsyms", offset: 1 << 40)).end)
    }

    @Test func chunksEndWhereCharactersEnd() {
        let snapshot = FileSnapshot(path: "/a", bytes: Array("aä€𝄞b".utf8))
        for count in 1...12 {
            var (text, offset) = ("", 0)
            repeat {
                let chunk = snapshot.chunk(at: offset, count: count)
                #expect(chunk.next > offset)
                (text, offset) = (text + chunk.text, chunk.next)
            } while offset < snapshot.bytes.count
            if count >= 4 { #expect(text == "aä€𝄞b") }
        }
        let binary = FileSnapshot(path: "/a", bytes: [UInt8](repeating: 0x80, count: 100))
        #expect(binary.chunk(at: 0, count: 10).next == 10)
    }

    @Test func snapshotsTogetherStayWithinTheirBound() {
        let snapshots = FileSnapshots()
        let third = [UInt8](repeating: 65, count: FileSnapshots.bytesMax / 3)
        for connection in 1...4 { snapshots.keep(FileSnapshot(path: "/a", bytes: third), connection: connection) }
        #expect(snapshots.snapshot(of: "/a", connection: 1) == nil)
        #expect(snapshots.snapshot(of: "/a", connection: 2) != nil)
        #expect(snapshots.snapshot(of: "/b", connection: 4) == nil)
        snapshots.keep(nil, connection: 4)
        #expect(snapshots.snapshot(of: "/a", connection: 4) == nil)
    }
}
