import EntryCode
import Logging
import Testing
import X86

@testable import PatchsimService

/// What the doors do with entry code: the command, and the self-test of the start.
@Suite struct EntryCommandTests {
    @Test("`patchsimctl entry` needs no daemon: it lists, prints and runs forms")
    func command() throws {
        let list = try run(["patchsimctl", "entry"])
        #expect(list.status == 0 && list.output.split(separator: "\n").count == EntryForm.all.count + 1)
        let text = try run(["patchsimctl", "entry", "--text", "--form", "gap"])
        #expect(text.status == 0 && text.output.contains("pushq 40(%rsp)"))
        let cells = try run(["patchsimctl", "entry", "--table", "--form", "no-gap", "--json"])
        #expect(cells.status == 0 && cells.output.contains("\"verdict\":\"broken\""))
        #expect(cells.output.contains("\"verdict\":\"holds\""))
    }

    @Test("A form that does not exist is refused with those that do")
    func refusal() throws {
        let finished = try run(["patchsimctl", "entry", "--form", "gab", "--mode", "x86_64"])
        #expect(finished.status == 64 && finished.errors.contains("there are no-gap, gap"))
        #expect(try run(["patchsimctl", "entry", "--mode", "arm"]).status == 64)
    }

    @Test("The self-test passes, and with a broken entry the daemon would not start")
    func selfTest() throws {
        let log = ServiceLog(Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        try SelfTest.run(log)
        let broken = try #require(EntryForm.named("no-gap", .x86_64))
        #expect(throws: ServiceStartError.self) { try SelfTest.run([broken], log) }
    }
}
