import Glibc
import Testing
import Varlink

@testable import PatchsimService

/// The built patchsimd, and private daemons.
@Suite struct DaemonTests {
    @Test(arguments: [
        (["--cpus", "65"], Int32(64), "--cpus: 65 is not in 1 to 64"),
        (["--workload", "/nonexistent"], 66, "/nonexistent: No such file or directory"),
        (["--socket", "/nonexistent/socket"], 71, "/nonexistent/socket: bind: No such file or directory"),
        (["--socket", "/etc/passwd"], 71, "/etc/passwd: exists and is no socket; remove it, or choose another path"),
    ])
    func aDaemonThatCannotStartSaysWhyInOneLine(arguments: [String], status: Int32, message: String) throws {
        let finished = try run(["patchsimd", "--no-config"] + arguments)
        #expect(finished.status == status)
        #expect(finished.errors == "patchsimd: \(message)\n")
    }

    @Test func aSocketInUseIsStatus69() throws {
        let running = try RunningService()
        let finished = try run(["patchsimd", "--socket", running.path])
        #expect(finished.status == 69)
        #expect(finished.errors.contains("another daemon listens on this socket"))
    }

    @Test func unknownOptionsAreStatus64() throws {
        #expect(try run(["patchsimd", "--bogus"]).status == 64)
        #expect(try run(["patchsimd", "--driver", "fast"]).status == 64)
        #expect(try run(["patchsimd", "--fetch-model", "psychic"]).status == 64)
    }

    @Test func aPrivateDaemonIsStartedWhereNoneListens() throws {
        let daemon = "\(packagePath)/Tests/peers/daemon.py"
        let finished = try run(
            ["patchsimctl", "--cpus", "3", "status"],
            environment: ["PATCHSIMD": daemon, "XDG_RUNTIME_DIR": "/nonexistent"])
        #expect(finished.status == 1)
        #expect(
            finished.errors
                == "patchsimctl: status: Arguments: --no-config --state-directory=none --log-target=stderr --log-level=warning --cpus=3\n"
        )
    }

    @Test func aPrivateDaemonThatCannotStartIsStatus69WithItsReason() throws {
        let finished = try run(
            ["patchsimctl", "--workload", "/nonexistent", "status"], environment: ["XDG_RUNTIME_DIR": "/nonexistent"])
        #expect(finished.status == 69)
        #expect(
            finished.errors == """
                patchsimd: /nonexistent: No such file or directory
                patchsimctl: status: the private daemon ended with status 66

                """)
        let missing = try run(
            ["patchsimctl", "status"], environment: ["PATCHSIMD": "/nonexistent", "XDG_RUNTIME_DIR": "/nonexistent"])
        #expect(missing.status == 69)
        #expect(missing.errors.contains("none can be started: /nonexistent: No such file or directory"))
    }
}

/// PyPI's varlink, a client that nobody here wrote.
@Suite struct PeerTests {
    @Test func pythonsClientGetsInfoADescriptionARepliesAndAStream() throws {
        let setup = try run(["\(packagePath)/Tests/peers/setup.sh"])
        try #require(setup.status == 0, "Tests/peers/setup.sh failed: \(setup.errors)")
        let python = setup.output.split(separator: "\n").last.map(String.init) ?? ""
        let running = try RunningService()
        let finished = try run([python, "\(packagePath)/Tests/peers/peer.py", running.path])
        try #require(finished.status == 0, "\(finished.errors)")
        let output = finished.output
        #expect(output.contains(#""product": "patchsimd""#))
        #expect(output.contains("interface io.patchsim.Machine"))
        #expect(output.contains(#""trapSites": 1001"#))
        #expect(output.contains(#""error": "io.patchsim.Machine.NoSuchCPU""#))
        #expect(output.contains(#""parameters": {"cpu": 9, "cpuCount": 2}"#))
        #expect(output.contains(#""stream": [512, 512, 176]"#))
    }
}
