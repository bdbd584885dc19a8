import Glibc
import Testing

@testable import Configuration

/// Where values come from, and what goes before what.
@Suite struct SourcesTests {
    private let directory = TestDirectory()

    private func sources(_ text: String? = nil) -> ConfigurationSources {
        var sources = ConfigurationSources()
        sources.file = "\(directory.path)/patchsimd.toml"
        if let text { directory.write("patchsimd.toml", text) }
        return sources
    }

    private func option(_ key: String, _ text: String) -> ConfigurationSources.Option {
        ConfigurationSources.Option(name: ConfigurationKey.named(key)?.option ?? "--set", key: key, text: text)
    }

    private func problems(_ sources: ConfigurationSources) -> [String] {
        do {
            _ = try sources.load()
            return []
        } catch {
            return error.problems.map { $0.description.replacing(directory.path, with: "D") }
        }
    }

    private func origin(_ key: String, _ loaded: LoadedConfiguration) -> String {
        let entry = loaded.entries.first { $0.key.name == key }
        return (entry?.origin.description ?? "no such key").replacing(directory.path, with: "D")
    }

    @Test("Without a file everything has its default")
    func defaults() throws {
        let loaded = try sources().load()
        #expect(loaded.settings == ServiceSettings())
        #expect(loaded.entries.allSatisfy { $0.origin == .builtIn })
        #expect(loaded.files.isEmpty)
    }

    @Test("Command line, environment, drop-ins, file, workload file and defaults count in this order")
    func precedence() throws {
        let workload = directory.write(
            "w.toml", "seed = 1\ncpus = 11\ntasks = 12\n[interrupts]\nirq_rate = 13\n[[entry]]\nfunction = \"f\"\n")
        var sources = sources(
            """
            kernel = "/boot/vmlinuz"
            workload = "\(workload)"
            cpus = 21
            seed = 22
            fetch_model = "line"
            ablate = ["sync1", "sync2"]
            [limits]
            connections_max = 23
            """)
        directory.write("patchsimd.toml.d/20-b.toml", "seed = 31\n\n[limits]\nconnections_max = 32")
        directory.write("patchsimd.toml.d/10-a.toml", "seed = 41\nablate = [\"gap\"]\nfetch_model = \"byte\"")
        directory.write("patchsimd.toml.d/.hidden.toml", "nonsense")
        directory.write("patchsimd.toml.d/readme", "nonsense")
        sources.environment = ["PATCHSIMD_SEED": "51", "PATCHSIMD_ACCESS_GROUP": "wheel", "HOME": "/"]
        sources.options = [option("fetch_model", "unordered"), option("limits.streams_max", "7")]
        let loaded = try sources.load()
        let settings = loaded.settings
        #expect(settings.kernel == "/boot/vmlinuz" && settings.tasks == 12 && settings.cpus == 21)
        #expect(settings.seed == 51 && settings.fetchModel == .unordered && settings.ablated == ["gap"])
        #expect(settings.limits.connectionsMax == 32 && settings.limits.streamsMax == 7)
        #expect(settings.access.group == "wheel" && settings.interrupts.irqRate == 13)
        #expect(settings.workload.entries.map(\.function) == ["f"])
        let expected = [
            "kernel": "D/patchsimd.toml:1", "cpus": "D/patchsimd.toml:3", "tasks": "D/w.toml:3",
            "seed": "environment PATCHSIMD_SEED", "fetch_model": "option --fetch-model",
            "ablate": "D/patchsimd.toml.d/10-a.toml:2", "limits.connections_max": "D/patchsimd.toml.d/20-b.toml:4",
            "limits.streams_max": "option --set", "interrupts.irq_rate": "D/w.toml:5", "interrupts.nmi_rate": "default",
        ]
        for (key, place) in expected { #expect(origin(key, loaded) == place, "\(key)") }
        #expect(
            loaded.files.map { $0.replacing(directory.path, with: "D") } == [
                "D/patchsimd.toml", "D/patchsimd.toml.d/10-a.toml", "D/patchsimd.toml.d/20-b.toml", "D/w.toml",
            ])
    }

    @Test("What is printed says the same when it is read again")
    func printed() throws {
        var sources = sources()
        sources.options = [
            option("kernel", "/boot/a \"b\"\\c\u{1}ä"), option("ablate", "sync1,gap"), option("speed", "1000"),
            option("limits.calls_per_user", "5"), option("access.group", "100"),
        ]
        let loaded = try sources.load()
        #expect(loaded.toml.contains("ablate = [\"sync1\", \"gap\"]  # option --ablate\n"))
        #expect(loaded.toml.contains("\n[limits]\nconnections_max = 128  # default\n"))
        #expect(
            loaded.json.contains(#""ablate":{"effect":"restart","origin":"option --ablate","value":["sync1","gap"]}"#))
        directory.write("again.toml", loaded.toml)
        var again = ConfigurationSources()
        again.file = "\(directory.path)/again.toml"
        #expect(try again.load().settings == loaded.settings)
    }

    @Test("Every mistake is told, each with file, line, column, key, and what would be right")
    func allProblems() {
        var sources = sources(
            """
            cpu = 4
            tasks = "16"
            seed = -1
              speed = "fast"
            kernel = "vmlinuz"
            fetch_model = "chunk61"
            ablate = ["sync1", "rcu-task"]
            connections_max = 1
            interrupts = 5
            served = ["a"]

            [limits]
            streams = 3
            cpus = 4
            [acess]
            group = []
            [log]
            level = "verbose"
            zzzzzzzzz = 1
            """)
        directory.write("patchsimd.toml.d/a.toml", "cpus = = 3\n[access]\ngroup = \"\"\n")
        sources.environment = ["PATCHSIMD_CPU": "1", "PATCHSIMD_TASKS": "many"]
        sources.options = [option("cpus", "65"), option("limits.conections_max", "1"), option("log.level", "loud")]
        let expected = [
            "D/patchsimd.toml:1:1: cpu: is no key of this file; did you mean cpus?",
            "D/patchsimd.toml:2:1: tasks: must be a whole number, 1 to 1024, not a string",
            "D/patchsimd.toml:3:1: seed: -1 is not in 0 to 9223372036854775807",
            "D/patchsimd.toml:4:3: speed: \"fast\" is not one of auto",
            "D/patchsimd.toml:5:1: kernel: \"vmlinuz\" is neither \"builtin\" nor a path from /",
            "D/patchsimd.toml:6:1: fetch_model: \"chunk61\" is not one of coherent, line, chunk16, chunk8, byte, unordered; did you mean \"chunk16\"?",
            "D/patchsimd.toml:7:1: ablate: \"rcu-task\" is not one of sync1, sync2, sync3, emulation, gap, rcu-tasks, ipi, lookup; did you mean \"rcu-tasks\"?",
            "D/patchsimd.toml:8:1: connections_max: is no key of this file; connections_max stands in [limits]",
            "D/patchsimd.toml:9:1: interrupts: must be a table, [interrupts], not a whole number",
            "D/patchsimd.toml:10:1: served: is no key of this file; it belongs into a workload file",
            "D/patchsimd.toml:13:1: limits.streams: is no key of this file; did you mean limits.streams_max?",
            "D/patchsimd.toml:14:1: limits.cpus: is no key of this file; cpus stands above all tables",
            "D/patchsimd.toml:15:1: acess: is no key of this file; did you mean access?",
            "D/patchsimd.toml:18:1: log.level: \"verbose\" is not one of trace, debug, info, notice, warning, error, critical",
            "D/patchsimd.toml:19:1: log.zzzzzzzzz: is no key of this file; keys here are level, target",
            "D/patchsimd.toml.d/a.toml:1:8: a value is expected here",
            "D/patchsimd.toml.d/a.toml:3:1: access.group: \"\" is no name; it has 1 to 64 bytes",
            "PATCHSIMD_CPU: is no variable of patchsimd; did you mean PATCHSIMD_CPUS?",
            "PATCHSIMD_TASKS: must be a whole number, 1 to 1024",
            "--cpus: 65 is not in 1 to 64",
            "--set: limits.conections_max: is no key; did you mean limits.connections_max?",
            "--log-level: \"loud\" is not one of trace, debug, info, notice, warning, error, critical",
        ]
        let found = problems(sources)
        for (index, line) in expected.enumerated() {
            #expect(index < found.count && found[index] == line, "\(index < found.count ? found[index] : "none")")
        }
        #expect(found.count == expected.count)
    }

    @Test("Files that can't be read are each a clear error")
    func unreadable() throws {
        var missing = sources()
        missing.isFileNeeded = true
        #expect(problems(missing) == ["D/patchsimd.toml: No such file or directory"])
        mkdir("\(directory.path)/folder", 0o700)
        missing.file = "\(directory.path)/folder"
        #expect(problems(missing) == ["D/folder: is a directory; a file is needed"])
        mkfifo("\(directory.path)/pipe", 0o600)
        missing.file = "\(directory.path)/pipe"
        #expect(problems(missing) == ["D/pipe: is neither a file nor /dev/null"])
        missing.file = directory.write("long", String(repeating: "#", count: ConfigurationFile.bytesMax + 1))
        #expect(problems(missing) == ["D/long: is longer than 1048576 bytes"])
        missing.file = directory.write("binary", bytes: Array("a = 1\nb = \"".utf8) + [0xff, 0x22])
        #expect(problems(missing) == ["D/binary:2:1: is not UTF-8 text"])
        missing.file = directory.write("nul", bytes: Array("kernel = \"a".utf8) + [0, 0x22])
        #expect(problems(missing) == ["D/nul:1:12: a control character can't stand in a string; use an escape"])
        missing.file = directory.write("file.toml", "workload = \"/nonexistent/w.toml\"")
        directory.write("file.toml.d", "")
        #expect(
            problems(missing) == ["D/file.toml.d: Not a directory", "/nonexistent/w.toml: No such file or directory"])
        for number in 0...ConfigurationFile.dropInsMax { directory.write("many.toml.d/\(number).toml", "") }
        missing.file = directory.write("many.toml", "")
        #expect(problems(missing) == ["D/many.toml.d: holds 65 files; 64 are allowed"])
    }

    @Test("A drop-in is masked by a link to /dev/null")
    func masked() throws {
        let sources = sources("cpus = 2")
        mkdir("\(directory.path)/patchsimd.toml.d", 0o700)
        symlink("/dev/null", "\(directory.path)/patchsimd.toml.d/mask.toml")
        #expect(try sources.load().settings.cpus == 2)
    }

    @Test("A file that says a key twice says so")
    func twice() {
        #expect(problems(sources("cpus = 2\ncpus = 3")) == ["D/patchsimd.toml:2:1: cpus: is set on line 1 already"])
        #expect(
            problems(sources("[log]\nlevel = \"info\"\n[log]\n")) == [
                "D/patchsimd.toml:3:1: [log]: is defined on line 1 already"
            ])
    }

    @Test("State is kept where the manager says, where the file says, or not at all")
    func stateDirectory() {
        let variables = ["STATE_DIRECTORY": "/var/lib/patchsim:/var/lib/other"]
        #expect(StateDirectory.automatic.path(environment: variables, isOnUsersSocket: false) == "/var/lib/patchsim")
        #expect(StateDirectory.automatic.path(environment: [:], isOnUsersSocket: false) == nil)
        let own = ["XDG_STATE_HOME": "/h/state", "HOME": "/h"]
        #expect(StateDirectory.automatic.path(environment: own, isOnUsersSocket: true) == "/h/state/patchsim")
        #expect(StateDirectory.automatic.path(environment: own, isOnUsersSocket: false) == nil)
        #expect(
            StateDirectory.automatic.path(environment: ["HOME": "/h"], isOnUsersSocket: true)
                == "/h/.local/state/patchsim")
        #expect(StateDirectory.none.path(environment: variables, isOnUsersSocket: false) == nil)
        #expect(StateDirectory.path("/a").path(environment: variables, isOnUsersSocket: false) == "/a")
    }
}
