import Glibc
import PatchsimInterface
import Testing
import Varlink

@testable import PatchsimService

/// The built patchsimd with the built-in kernel.
@Suite struct LiveDaemonTests {
    private let path = "/tmp/patchsim-daemon-\(getpid())-\(UInt64.random(in: 0 ... .max))"

    private func start(_ options: String...) throws -> StartedProgram {
        let daemon = try StartedProgram(["patchsimd", "--socket", path] + options)
        try #require(eventually { (try? VarlinkClient(path: path)) != nil })
        return daemon
    }

    private func ctl(_ arguments: String...) throws -> Finished {
        try run(["patchsimctl", "--socket", path] + arguments)
    }

    @Test func tracingIsSwitchedOnAndOffUnderRunningTasksAndTheDaemonStopsCleanly() throws {
        let daemon = try start("--cpus", "2", "--seed", "5")
        let before = try ctl("disasm", "vfs_read", "--count", "1")
        #expect(before.output.contains("# mcount site"))
        #expect(try ctl("ftrace", "enable", "vfs_*").status == 0)
        #expect(try ctl("disasm", "vfs_read", "--count", "1").output.contains("call"))
        #expect(try ctl("fs", "read", "/sys/kernel/tracing/enabled_functions").output.contains("vfs_read"))
        #expect(try ctl("ftrace", "disable", "vfs_*").status == 0)
        #expect(try ctl("disasm", "vfs_read", "--count", "1").output == before.output)
        #expect(try ctl("verdict").status == 0)
        #expect(try ctl("events").output.contains("update 2 finished"))
        kill(daemon.pid, SIGTERM)
        let end = daemon.end()
        #expect(end.status == 0)
        #expect(end.errors.contains("<5>enable tracing of vfs_*, asked by uid \(geteuid())\n"))
        #expect(end.errors.hasSuffix("<5>Stopped by SIGTERM\n"))
        #expect(access(path, F_OK) != 0)
    }

    @Test func everySubscriptionSeesTheSameEventsInOrder() throws {
        let daemon = try start("--cpus", "2")
        let (first, second) = (try VarlinkClient(path: path), try VarlinkClient(path: path))
        #expect(try ctl("ftrace", "enable", "do_*").status == 0)
        func firstEvents(_ client: VarlinkClient) throws -> [EventRecord] {
            var events: [EventRecord] = []
            try client.stream(
                SubscribeEvents.name, SubscribeEvents.Parameters(from: 1), reply: SubscribeEvents.Reply.self
            ) { reply in
                events += reply.events
                return events.count < 20
            }
            return Array(events.prefix(20))
        }
        let events = try firstEvents(first)
        #expect(try firstEvents(second) == events)
        #expect(events.map(\.sequence) == Array(events[0].sequence..<events[0].sequence + 20))
        kill(daemon.pid, SIGINT)
        #expect(daemon.end().status == 0)
    }

    @Test func aDaemonThatWasKilledLeavesASocketThatTheNextOneReplaces() throws {
        let killed = try start()
        kill(killed.pid, SIGKILL)
        #expect(killed.end().status == 128 + SIGKILL)
        #expect(access(path, F_OK) == 0)
        let next = try start()
        #expect(try ctl("status").status == 0)
        kill(next.pid, SIGTERM)
        #expect(next.end().status == 0)
    }

    @Test func garbageDoesNotHurtTheDaemon() throws {
        let daemon = try start()
        let script = """
            import socket, sys
            peer = socket.socket(socket.AF_UNIX)
            peer.connect(sys.argv[1])
            peer.sendall(sys.argv[2].encode() + b"\\0")
            print(peer.recv(4096))
            """
        for garbage in ["", "{}", "GET / HTTP/1.1\r\n\r\n", String(repeating: "[", count: 100_000)] {
            let peer = try run(["/usr/bin/env", "python3", "-c", script, path, garbage])
            #expect(peer.output.contains("io.patchsim.Service.MalformedCall"), "\(peer.errors)")
        }
        #expect(try ctl("status").status == 0)
        kill(daemon.pid, SIGTERM)
        #expect(daemon.end().status == 0)
    }

    @Test func aPrivateDaemonEndsWithItsClientHoweverThatEnds() throws {
        let environment = ["XDG_RUNTIME_DIR": "/nonexistent"]
        let finished = try run(["patchsimctl", "--cpus", "1", "--seed", "77", "status"], environment: environment)
        #expect(finished.status == 0 && finished.output.contains("seed 77"))
        let follower = try StartedProgram(
            ["patchsimctl", "--seed", "4242424242", "events", "--follow"], environment: environment)
        #expect(eventually { privateDaemons(seed: "4242424242") == 1 })
        kill(follower.pid, SIGKILL)
        #expect(follower.end().status == 128 + SIGKILL)
        #expect(eventually { privateDaemons(seed: "4242424242") == 0 })
    }

    @Test func aSocketIsTakenOverFromItsActivator() throws {
        let activator = "/usr/bin/systemd-socket-activate"
        try #require(access(activator, X_OK) == 0, "systemd-socket-activate is part of systemd")
        let daemon = try StartedProgram([activator, "--listen=\(path)", builtProgram("patchsimd"), "--seed=9"])
        #expect(eventually { access(path, F_OK) == 0 })
        #expect(try ctl("status").output.contains("live, seed 9"))
        kill(daemon.pid, SIGTERM)
        let end = daemon.end()
        #expect(end.status == 0)
        #expect(end.errors.contains("on the socket that was passed"))
        unlink(path)
    }
}

/// Daemons whose command line has that seed.
private func privateDaemons(seed: String) -> Int {
    guard let directory = opendir("/proc") else { return -1 }
    defer { closedir(directory) }
    var count = 0
    while let entry = readdir(directory) {
        let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        guard let pid = Int32(name) else { continue }
        let command = text(of: "/proc/\(pid)/cmdline").split(separator: "\0")
        // A process that has ended, but that nobody waited for yet, has no command line.
        if command.first?.hasSuffix("patchsimd") == true, command.contains("--seed=\(seed)") { count += 1 }
    }
    return count
}
