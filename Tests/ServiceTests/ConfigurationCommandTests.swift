import Glibc
import Testing

@testable import PatchsimService

/// `patchsimd --check-config` and `--print-config`, and what patchsimctl says of wrong words.
@Suite struct ConfigurationCommandTests {
    @Test(
        "A configuration without mistakes is status 0 and silence; one with mistakes is status 78 and a line for each")
    func check() throws {
        let shipped = "\(packagePath)/Config/patchsimd.toml"
        let right = try run(["patchsimd", "--check-config", "--config", shipped])
        #expect(right.status == 0 && right.output.isEmpty && right.errors.isEmpty)
        let wrong = try run(
            ["patchsimd", "--check-config", "--no-config", "--cpus", "0", "--set", "limits.x=1"],
            environment: ["PATCHSIMD_SEEDS": "1"])
        #expect(wrong.status == 78 && wrong.output.isEmpty)
        let lines = wrong.errors.split(separator: "\n")
        #expect(lines.count == 3)
        #expect(lines.first == "patchsimd: PATCHSIMD_SEEDS: is no variable of patchsimd; did you mean PATCHSIMD_SEED?")
        #expect(lines.contains("patchsimd: --cpus: 0 is not in 1 to 64"))
        #expect(try run(["patchsimd", "--check-config", "--config", "/nonexistent"]).status == 78)
    }

    @Test("What is printed is the configuration in force with its origins, and can be read again")
    func printed() throws {
        let toml = try run(
            ["patchsimd", "--print-config", "--no-config", "--cpus", "3", "--set", "limits.streams_max=9"],
            environment: ["PATCHSIMD_SEED": "5"])
        #expect(toml.status == 0)
        #expect(toml.output.contains("\ncpus = 3  # option --cpus\n"))
        #expect(toml.output.contains("\nseed = 5  # environment PATCHSIMD_SEED\n"))
        #expect(toml.output.contains("\nstreams_max = 9  # option --set\n"))
        let json = try run(["patchsimd", "--print-config", "--json", "--no-config", "--cpus", "3"])
        #expect(json.output.contains(#""cpus":{"effect":"restart","origin":"option --cpus","value":3}"#))
        let path = "/tmp/patchsim-printed-\(getpid())-\(UInt64.random(in: 0 ... .max))"
        defer { unlink(path) }
        let script = "'\(builtProgram("patchsimd"))' --print-config --no-config --cpus 3 > \(path)"
        #expect(try run(["/bin/sh", "-c", script]).status == 0)
        let again = try run(["patchsimd", "--print-config"], environment: ["PATCHSIMD_CONFIG": path])
        #expect(again.output.contains("# read: \(path)\n"))
        #expect(again.output.contains("cpus = 3  # \(path):3\n"))
        #expect(try run(["patchsimd", "--json"]).status == 64)
        #expect(try run(["patchsimd", "--config", path, "--no-config"]).status == 64)
    }

    @Test(
        "A word that names no command is what is complained about, wherever options stand",
        arguments: [
            (["--socket", "/x", "statsu"], "there is no command statsu; did you mean status?"),
            (["statsu", "--json=1"], "there is no command statsu; did you mean status?"),
            (["--cpus", "4", "fs", "raed", "/x"], "there is no command fs raed; did you mean fs read?"),
            (["--socket", "/x"], "a command is missing before --socket; patchsimctl --help lists them"),
        ])
    func unknownCommand(arguments: [String], message: String) throws {
        let finished = try run(["patchsimctl"] + arguments)
        #expect(finished.status == 64)
        #expect(finished.errors == "patchsimctl: \(message)\n")
    }

    @Test("With --json what goes wrong is an object in one line on stderr, too")
    func jsonErrors() throws {
        let running = try RunningService()
        let refused = try run(["patchsimctl", "--json", "--socket", running.path, "fs", "read", "/none"])
        #expect(refused.status == 1 && refused.output.isEmpty)
        #expect(refused.errors.hasPrefix(#"{"command":"fs read","message":""#))
        #expect(refused.errors.hasSuffix("}}\n"))
        #expect(refused.errors.contains(#""status":1,"reply":{"#))
        #expect(refused.errors.contains(#""error":"io.patchsim.Files."#))
        let absent = try run(["patchsimctl", "--json", "--socket", "/nonexistent", "status"])
        #expect(absent.status == 69)
        #expect(absent.errors.hasPrefix(#"{"command":"status","message":"/nonexistent: nobody listens"#))
        for arguments in [["--json", "bogus"], ["read", "--json"], ["status", "--bogus", "--json"], ["--json"]] {
            let usage = try run(["patchsimctl"] + arguments)
            #expect(usage.status == 64)
            #expect(
                usage.errors.hasPrefix(#"{"message":""#) && usage.errors.hasSuffix("\"status\":64}\n"),
                "\(usage.errors)")
        }
        #expect(try run(["patchsimctl", "status", "--help", "--json"]).status == 0)
    }
}
