import Glibc
import Testing

@testable import PatchsimService

/// The built patchsimctl against a scripted service.
@Suite struct CommandTests {
    private let running: RunningService

    init() throws {
        running = try RunningService()
    }

    private func ctl(_ arguments: String...) throws -> Finished {
        try run(["patchsimctl"] + arguments + ["--socket", running.path])
    }

    @Test func statusIsAListOfNamesAndValues() throws {
        let finished = try ctl("status")
        #expect(finished.status == 0 && finished.errors.isEmpty)
        #expect(finished.output.contains("     State:  running, 12.345678 s\n"))
        #expect(finished.output.contains("INT3 traps:  1,500 taken, 1,500 emulated, on 1,001 sites\n"))
        #expect(finished.output.contains("chunk16, without sync2"))
    }

    @Test func tablesAreAligned() throws {
        let expected = """
            CPU  STATE    PID  COMM    CONTEXT  IF     RETIRED  TRAPS  IP                  SYMBOL
              0  running  101  reader  int3     off  1,000,000     12  0xffffffff81000010  vfs_read+0x10/0x40
              1  idle       -  -       task     on     234,567      0  0xffffffff81000100  do_idle+0x0/0x20

            """
        #expect(try ctl("cpus").output == expected)
        #expect(try ctl("tasks").output.contains("101  reader  running    0     42        6  vfs_read\n"))
        let functions = try ctl("functions").output.split(separator: "\n")
        #expect(functions.count == ScriptedBackend.functionCount + 1)
        #expect(functions[1] == "0xffffffff81000000      16  enabled   function_0")
    }

    @Test func textCommandsShowTextAndBytes() throws {
        #expect(try ctl("symbol", "vfs_read").output.contains("0xffffffff81000000  T       64      16  vfs_read"))
        #expect(
            try ctl("read", "0xffffffff81000000", "0x12").output == """
                0xffffffff81000000  00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f
                0xffffffff81000010  10 11

                """)
        #expect(
            try ctl("disasm", "vfs_read").output == """
                vfs_read:
                0xffffffff81000000  e8 fb ff ff 0f  call 0xffffffff91000000  # mcount site
                0xffffffff81000005  c3              ret

                """)
        #expect(try ctl("ftrace", "list").output.contains("e8 fb ff ff 0f  call       4  vfs_read -> ftrace_caller\n"))
    }

    @Test func filesAreListedReadAndWritten() throws {
        #expect(try ctl("fs", "ls").output == "dr-xr-xr-x  proc/\n-r--r--r--  readme\n")
        #expect(try ctl("fs", "read", "/proc/kallsyms").output == ScriptedBackend.fileText)
        #expect(try ctl("fs", "write", "/a", "text").status == 0)
        #expect(try ctl("fs", "write", "--append", "/a", "more").status == 0)
        #expect(try run(["patchsimctl", "--socket", running.path, "fs", "write", "/a", "--", "--json"]).status == 0)
        #expect(try ctl("fs", "mkdir", "/b").status == 0)
        #expect(try ctl("fs", "rmdir", "/b").status == 0)
        #expect(
            running.backend.calls.suffix(5) == [
                "write /a \"text\\n\" false", "write /a \"more\\n\" true", "write /a \"--json\\n\" false", "mkdir /b",
                "rmdir /b",
            ])
    }

    @Test func changesReachTheMachine() throws {
        #expect(try ctl("pause").output == "paused at 12.345678 s\n")
        #expect(try ctl("step", "--cpu", "1", "--count", "2").output.contains("nopl 0(%rax,%rax,1)"))
        #expect(try ctl("resume").output == "running, 12.345678 s\n")
        #expect(try ctl("ftrace", "enable", "*").output.hasPrefix("3 functions match, 3 sites are enabled\n"))
        #expect(try ctl("ftrace", "disable", "*").status == 0)
        #expect(
            running.backend.calls == ["pause", "step 1 2 false", "resume", "tracing true *", "tracing false *"])
    }

    @Test func aVerdictIsAlsoAStatus() throws {
        let verdict = try ctl("verdict")
        #expect(verdict.status == 2)
        #expect(verdict.output.contains("I1         1,000,000           1  no torn instruction\n"))
        #expect(verdict.output.contains("  replay: r1:abc\n"))
        #expect(try ctl("replay", "r1:abc").output == "first\nsecond\n12 turns\nno violation\n")
    }

    @Test(arguments: [
        (["fs", "write", "/proc/kallsyms", "x"], "fs write /proc/kallsyms: EACCES: the file is read-only"),
        (["fs", "read", "/none"], "fs read /none: ENOENT: no such file or directory"),
        (["symbol", "vfs_raed"], "symbol: there is no symbol vfs_raed; did you mean vfs_read?"),
        (
            ["ftrace", "enable", "nothing"],
            "ftrace enable: no function that can be traced matches nothing; did you mean noting?"
        ),
        (["step", "--cpu", "7"], "step: there is no CPU 7; there are CPUs 0 to 1"),
        (["step", "--count", "0"], "step: count: 0 is not in 1 to 100000"),
        (["fs", "ls", "relative"], "fs ls: path: must start with /, as /proc/kallsyms does"),
        (
            ["read", "0x10", "4"],
            "read: 4 bytes at 0x10 are not inside of the kernel's text (0xffffffff81000000 to 0xffffffff81200000)"
        ),
        (["replay", "x"], "replay: not a replay line that fits: it does not start with r1:: x"),
    ])
    func refusalsAreOneReadableLineAndStatusOne(arguments: [String], message: String) throws {
        let finished = try run(["patchsimctl"] + arguments + ["--socket", running.path])
        #expect(finished.status == 1)
        #expect(finished.errors == "patchsimctl: \(message)\n")
        #expect(finished.output.isEmpty)
    }

    @Test func globalOptionsStandAnywhere() throws {
        for arguments in [
            ["--json", "--socket", running.path, "fs", "ls", "/"],
            ["fs", "--json", "ls", "--socket=\(running.path)", "/"],
            ["fs", "ls", "/", "--socket", running.path, "--json"],
        ] {
            let finished = try run(["patchsimctl"] + arguments)
            #expect(
                finished.output.hasPrefix(#"{"entries":[{"directory":true,"name":"proc","permissions":"r-xr-xr-x"}"#))
        }
    }

    @Test(arguments: [
        ["status"], ["cpus"], ["tasks"], ["functions"], ["symbol", "vfs_read"], ["read", "0xffffffff81000000", "4"],
        ["disasm", "vfs_read"], ["ftrace", "list"], ["ftrace", "enable", "x"], ["fs", "ls"],
        ["fs", "read", "/proc/kallsyms"],
        ["fs", "write", "/a", "b"], ["events"], ["pause"], ["resume"], ["verdict"], ["replay", "r1:"],
    ])
    func everyCommandHasJSONInLines(arguments: [String]) throws {
        let finished = try run(["patchsimctl", "--json", "--socket", running.path] + arguments)
        #expect(finished.status == (arguments[0] == "verdict" ? 2 : 0))
        for line in finished.output.split(separator: "\n") { #expect(line.hasPrefix("{") && line.hasSuffix("}")) }
        #expect(!finished.output.isEmpty)
    }

    @Test(arguments: [
        [], ["nonsense"], ["read"], ["read", "1000", "4"], ["read", "0x10", "x"], ["read", "0x10", "0"],
        ["step", "--count", "x"],
        ["fs"], ["ftrace", "enable"], ["status", "--socket"], ["status", "--bogus"],
    ])
    func wrongUsageIsStatus64(arguments: [String]) throws {
        let finished = try run(["patchsimctl"] + arguments)
        // Without a command the help is shown, which is no error of anybody's.
        #expect(finished.status == (arguments.isEmpty || arguments == ["fs"] ? 0 : 64), "\(finished.errors)")
    }

    @Test func aBrokenPipeIsQuiet() throws {
        let command = "'\(builtProgram("patchsimctl"))' --socket '\(running.path)' fs read /proc/kallsyms | head -n 1"
        let finished = try run(["/bin/sh", "-c", command])
        #expect(finished.status == 0 && finished.output == "line 0 ä\n" && finished.errors.isEmpty)
        let ignoring = try run(["/bin/sh", "-c", "trap '' PIPE; " + command])
        #expect(ignoring.errors.isEmpty)
    }

    @Test func whereNobodyListensIsStatus69() throws {
        let finished = try run(["patchsimctl", "--socket", "/tmp/no-such-socket", "status"])
        #expect(finished.status == 69)
        #expect(
            finished.errors == "patchsimctl: status: /tmp/no-such-socket: nobody listens: No such file or directory\n")
    }
}
