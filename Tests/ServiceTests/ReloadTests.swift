import Glibc
import PatchsimInterface
import Testing
import Varlink

@testable import PatchsimService

/// The built patchsimd with a configuration that changes under it.
@Suite struct ReloadTests {
    private let place = "/tmp/patchsim-reload-\(getpid())-\(UInt64.random(in: 0 ... .max))"
    private var socket: String { place + ".socket" }
    private var file: String { place + ".toml" }

    private func configure(_ text: String) {
        write(text, to: file)
    }

    private func start(_ options: [String] = [], environment: [String: String] = [:]) throws -> StartedProgram {
        let daemon = try StartedProgram(
            ["patchsimd", "--config", file, "--socket", socket] + options, environment: environment)
        try #require(eventually { (try? VarlinkClient(path: socket)) != nil })
        return daemon
    }

    private func ctl(_ arguments: String...) throws -> Finished {
        try run(["patchsimctl", "--socket", socket] + arguments)
    }

    /// The daemon's last words.
    private func end(_ daemon: StartedProgram) -> String {
        kill(daemon.pid, SIGTERM)
        let finished = daemon.end()
        #expect(finished.status == 0)
        unlink(file)
        return finished.errors.replacing(place, with: "P")
    }

    @Test("A reload returns when what can change is in force, and says what waits for the next start")
    func reload() throws {
        configure("cpus = 2\nspeed = 500000\n[limits]\nconnections_max = 20\n")
        let daemon = try start(["--tasks", "4"])
        configure(
            "cpus = 3\ntasks = 9\nspeed = 600000\n\n[limits]\nconnections_max = 3\n[interrupts]\nirq_rate = 100\n")
        let reloaded = try ctl("reload")
        #expect(reloaded.status == 0, "\(reloaded.errors)")
        #expect(
            reloaded.output == """
                speed: 500000 -> 600000
                interrupts.irq_rate: 250 -> 100
                limits.connections_max: 20 -> 3
                cpus: 2 -> 3 at the next start

                """)
        let shown = try ctl("config").output.replacing(place, with: "P")
        #expect(
            shown.contains("cpus                         2          P.toml:1; 3 at the next start\n")
                || shown.contains("; 3 at the next start\n"))
        #expect(shown.contains("P.toml:6\n"))
        #expect(shown.contains("option --tasks\n"))
        // The limit holds for connections from now on.
        let held = try (0..<3).map { _ in try VarlinkClient(path: socket) }
        for client in held { _ = try? client.call(Ping.self, .init()) }
        let refused = try VarlinkClient(path: socket)
        #expect(throws: VarlinkClientError.self) { _ = try refused.call(Ping.self, .init()) }
        withExtendedLifetime(held) {}
        let errors = end(daemon)
        #expect(errors.contains("<5>limits.connections_max: 20 -> 3 (P.toml:6)\n"))
        #expect(errors.contains("<5>cpus: 2 -> 3 at the next start (P.toml:1)\n"))
        #expect(errors.contains("<5>read the configuration again, asked by uid \(geteuid())\n"))
    }

    @Test("A configuration with mistakes changes nothing, and each mistake is told")
    func refused() throws {
        configure("[limits]\nstreams_max = 5\n")
        let daemon = try start()
        configure("cpu = 2\n[limits]\nstreams_max = 0\n")
        let reloaded = try ctl("reload")
        #expect(reloaded.status == 1 && reloaded.output.isEmpty)
        let message = reloaded.errors.replacing(place, with: "P")
        #expect(
            message
                == "patchsimctl: reload: the configuration was not taken over: P.toml:1:1: cpu: is no key of this file; did you mean cpus?; P.toml:3:1: limits.streams_max: 0 is not in 1 to 4096\n"
        )
        let entries = try VarlinkClient(path: socket).call(GetConfiguration.self, .init()).entries
        #expect(entries.first { $0.key == "limits.streams_max" }?.value == "5")
        let errors = end(daemon)
        #expect(errors.contains(#"<3>The configuration was not taken over:\nP.toml:1:1: cpu: is no key"#))
        #expect(errors.contains(#"\nP.toml:3:1: limits.streams_max: 0 is not in 1 to 4096"#))
    }

    @Test("SIGHUP does the same, and the manager is told of the beginning and the end")
    func hangup() throws {
        let manager = try ManagerSocket(path: place + ".notify")
        configure("[log]\nlevel = \"notice\"\n")
        let daemon = try start(environment: ["NOTIFY_SOCKET": manager.path])
        while !manager.next().contains("READY=1") {}
        configure("[log]\nlevel = \"debug\"\n")
        kill(daemon.pid, SIGHUP)
        let began = manager.next { $0.contains("RELOADING=1") }
        let time = began.split(separator: "\n").first { $0.hasPrefix("MONOTONIC_USEC=") }?.split(separator: "=").last
        #expect(time.flatMap { UInt64($0) } ?? 0 > 0)
        _ = manager.next { $0.contains("READY=1") }
        #expect(try ctl("config").output.contains("log.level"))
        let errors = end(daemon)
        #expect(errors.contains("<5>log.level: \"notice\" -> \"debug\" (P.toml:2)\n"))
        #expect(errors.contains("<5>read the configuration again, asked by SIGHUP\n"))
        #expect(errors.contains("<7>Connection "))
    }

    @Test("The level of the log is set by a client, until the next reload")
    func logLevel() throws {
        configure("[log]\nlevel = \"warning\"\n")
        let daemon = try start()
        #expect(try ctl("log-level", "debug").output == "was warning\n")
        #expect(try ctl("config").output.contains("client"))
        let wrong = try ctl("log-level", "debgu")
        #expect(wrong.status == 1)
        #expect(wrong.errors.contains("is one of trace, debug, info"))
        #expect(try ctl("reload").output == "log.level: \"debug\" -> \"warning\"\n")
        #expect(try ctl("reload").output == "")
        let errors = end(daemon)
        #expect(errors.contains("<5>log from level debug on, asked by uid"))
        #expect(!errors.contains("Stopped by"))
    }

    @Test("Reloads at the same time come one after the other, and the last file counts")
    func together() async throws {
        configure("[limits]\nstreams_max = 5\n")
        let daemon = try start()
        configure("[limits]\nstreams_max = 6\n")
        let path = socket
        let changes = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<8 {
                group.addTask { try VarlinkClient(path: path).call(Reload.self, .init()).changed.count }
            }
            return try await group.reduce(0, +)
        }
        #expect(changes == 1)
        _ = end(daemon)
    }

    @Test("A workload file that says something else waits for the next start")
    func workload() throws {
        let workload = place + ".workload.toml"
        write("[[entry]]\nfunction = \"vfs_read\"\n", to: workload)
        configure("workload = \"\(workload)\"\n")
        let daemon = try start()
        write("# more\n[[entry]]\nfunction = \"vfs_read\"\n", to: workload)
        #expect(try ctl("reload").output == "")
        write("[[entry]]\nfunction = \"vfs_write\"\n", to: workload)
        #expect(try ctl("reload").output.hasSuffix(".workload.toml\" at the next start\n"))
        unlink(workload)
        #expect(try ctl("reload").errors.contains("No such file or directory"))
        _ = end(daemon)
    }

    @Test("A run whose rates a reload changed is replayed from its line")
    func replay() throws {
        configure(
            "driver = \"deterministic\"\nablate = [\"sync1\", \"sync2\", \"sync3\", \"emulation\"]\nspeed = 2000000\n")
        let daemon = try start()
        configure(
            "driver = \"deterministic\"\nablate = [\"sync1\", \"sync2\", \"sync3\", \"emulation\"]\nspeed = 3000000\n[interrupts]\nirq_rate = 1000\n"
        )
        #expect(try ctl("reload").status == 0)
        // With which switch of the tracer the world stops is the seed's affair.
        let hasStopped = try (0..<20).contains { _ in
            try ctl("ftrace", "enable", "*").status == 1 || ctl("ftrace", "disable", "*").status == 1
        }
        #expect(hasStopped)
        let client = try VarlinkClient(path: socket)
        let violation = try #require(try client.call(GetVerdict.self, .init()).violations.first)
        #expect(violation.replay.contains(":setRates::3000000%20"))
        let replayed = try client.call(ReplayLine.self, .init(line: violation.replay))
        #expect(replayed.violation?.message == violation.message)
        #expect(replayed.violation?.nanoseconds == violation.nanoseconds)
        _ = end(daemon)
    }
}

/// What sd_notify(3) talks to.
private final class ManagerSocket {
    let path: String
    private let descriptor: Int32

    init(path: String) throws {
        self.path = path
        descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(status == 0)
        // A daemon that says nothing fails the test instead of hanging it.
        var limit = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit {
        close(descriptor)
        unlink(path)
    }

    /// The next message; one that says so when none comes.
    func next() -> String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        guard count > 0 else {
            Issue.record("the daemon sends nothing")
            return "READY=1\nRELOADING=1"
        }
        return String(decoding: buffer[..<count], as: UTF8.self)
    }

    /// The next message that is wanted.
    func next(_ isWanted: (String) -> Bool) -> String {
        while true {
            let message = next()
            if isWanted(message) { return message }
        }
    }
}

private func write(_ text: String, to path: String) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    _ = Array(text.utf8).withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    close(descriptor)
}
