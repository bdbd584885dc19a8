import Glibc
import PatchsimInterface
import Testing
import Varlink

@testable import PatchsimService

/// Clients of other users need root to be made; without root these tests are skipped, and say so.
private let isRoot = geteuid() == 0
private let needsRoot: Comment = "needs root: setpriv makes the client another user"

/// A Varlink call by a process with other credentials; the reply as text.
private func call(
    _ path: String, uid: Int, gid: Int, groups: [Int] = [], _ method: String, _ parameters: String = "{}"
) throws -> String {
    // Read by the test and handed over as text: the checkout may be closed to other users.
    let script = text(of: "\(packagePath)/Tests/peers/call.py")
    let list = groups.map { "\($0)" }.joined(separator: ",")
    let finished = try run(
        ["/usr/bin/setpriv", "--reuid=\(uid)", "--regid=\(gid)"]
            + [groups.isEmpty ? "--clear-groups" : "--groups=\(list)"]
            + ["/usr/bin/python3", "-c", script, path, method, parameters])
    try #require(finished.status == 0, "\(finished.errors)")
    return finished.output
}

@Suite struct AccessTests {
    private static let changes: [(method: String, parameters: String)] = [
        (Pause.name, "{}"), (Resume.name, "{}"), (Step.name, #"{"count":1}"#),
        (WriteFile.name, #"{"path":"/a","text":"x"}"#), (MakeDirectory.name, #"{"path":"/a"}"#),
        (RemoveDirectory.name, #"{"path":"/a"}"#), (EnableTracing.name, #"{"glob":"*"}"#),
        (DisableTracing.name, #"{"glob":"*"}"#), (DeleteFindings.name, #"{"all":true}"#),
    ]

    @Test("An outsider reads, and none of its changes reaches the machine", .enabled(if: isRoot, needsRoot))
    func outsider() throws {
        let running = try RunningService(access: AccessRules(group: "70001", owner: 4711))
        let state = try call(running.path, uid: 4242, gid: 4242, groups: [70_002], GetState.name)
        #expect(state.contains(#""trapSites":1001"#))
        for (method, parameters) in Self.changes {
            let answer = try call(running.path, uid: 4242, gid: 4242, groups: [70_002], method, parameters)
            #expect(answer.contains("org.varlink.service.PermissionDenied"), "\(method)")
            #expect(answer.contains("only root, uid 4711 and members of group 70001 may change anything"))
        }
        #expect(running.backend.calls.isEmpty)
    }

    @Test(
        "Root, the daemon's user and the group's members change", .enabled(if: isRoot, needsRoot),
        arguments: [(0, 0, []), (4711, 4711, []), (4242, 70_001, []), (4242, 4242, [70_000, 70_001, 70_002])])
    func insiders(uid: Int, gid: Int, groups: [Int]) throws {
        let running = try RunningService(access: AccessRules(group: "70001", owner: 4711))
        let answer = try call(running.path, uid: uid, gid: gid, groups: groups, Pause.name)
        #expect(answer.contains(#""run":"paused""#))
        #expect(running.backend.calls == ["pause"])
    }

    @Test("Who may change goes by user, group and supplementary groups, and by nothing else")
    func rules() {
        let rules = AccessRules(group: "gang", owner: 998, number: { $0 == "gang" ? 500 : nil })
        func may(_ uid: UInt32, _ gid: UInt32, _ rules: AccessRules, _ groups: [UInt32] = []) -> Bool {
            let peer = VarlinkPeer(connection: 1, pid: 1, uid: uid, gid: gid, groups: groups)
            return (try? rules.check(.pause, peer)) != nil
        }
        #expect(may(0, 1, rules) && may(998, 1, rules) && may(7, 500, rules) && may(7, 7, rules, [1, 500]))
        #expect(!may(7, 7, rules) && !may(500, 7, rules, [501]) && !may(.max, .max, rules))
        // Root's group is not root.
        #expect(!may(7, 0, rules, [0]))
        let none = AccessRules(group: "none", owner: 998, number: { _ in nil })
        #expect(!may(7, 500, none, [500]) && may(998, 1, none))
        // A daemon that runs as the overflow user can't tell itself from users that aren't mapped.
        let nobody = AccessRules(group: "gang", owner: 65_534, number: { _ in 500 })
        #expect(!may(65_534, 65_534, nobody) && may(0, 0, nobody))
    }

    @Test("Names and numbers of groups are found as the system has them")
    func groupNumbers() throws {
        func may(_ gid: UInt32, _ group: String) -> Bool {
            let peer = VarlinkPeer(connection: 1, pid: 1, uid: 4242, gid: gid)
            return (try? AccessRules(group: group, owner: 4711).check(.pause, peer)) != nil
        }
        #expect(may(0, "root") && !may(1, "root") && may(70_001, "70001") && !may(1, "70001"))
        #expect(!may(0, "no-such-group-here") && !may(0, ""))
    }

    @Test("Reading is for everybody, whatever is read")
    func reading() throws {
        let peer = VarlinkPeer(connection: 1, pid: 1, uid: 4242, gid: 4242)
        let reading: [ServiceAction] = [
            .ping, .getState, .listCPUs, .listTasks, .listFunctions(glob: nil), .listFiles(path: "/"),
            .readFile(path: "/a", offset: 0, count: 1), .listSites(glob: nil), .recentEvents(count: 1, kinds: nil),
            .subscribe(from: nil, kinds: nil), .getVerdict, .replay(line: ""),
            .listFindings(before: nil, count: 1), .getFinding(id: 1), .exportFindings(ids: nil),
        ]
        for action in reading { try AccessRules(group: "70001", owner: 4711).check(action, peer) }
    }

    @Test("patchsimctl says in the daemon's words who may change, with status 1")
    func clientsWords() throws {
        struct Empty: Codable, Sendable {}
        let pause = VarlinkMethod(Pause.name, parameters: Empty.self, reply: Empty.self) { _, _ in
            throw VarlinkError.permissionDenied("only root may change anything")
        }
        let path = "/tmp/patchsim-denied-\(getpid())-\(UInt64.random(in: 0 ... .max))"
        let interface = try VarlinkInterface(text: EmbeddedTexts.interfaces["io.patchsim.Machine"]!, methods: [pause])
        let server = VarlinkServer(
            product: VarlinkProduct(vendor: "v", product: "p", version: "1", url: "u"), interfaces: [interface],
            limitInterface: "io.patchsim.Service")
        server.start(on: try ListeningSocket(path: path))
        defer { server.stop() }
        let finished = try run(["patchsimctl", "--socket", path, "pause"])
        #expect(finished.status == 1)
        #expect(finished.errors == "patchsimctl: pause: only root may change anything\n")
    }

    @Test("The real daemon logs a denied change with user, process and command", .enabled(if: isRoot, needsRoot))
    func denialIsLogged() throws {
        let path = "/tmp/patchsim-daemon-\(getpid())-\(UInt64.random(in: 0 ... .max))"
        let daemon = try StartedProgram(["patchsimd", "--socket", path, "--cpus", "1"])
        try #require(eventually { (try? VarlinkClient(path: path)) != nil })
        #expect(try call(path, uid: 4242, gid: 4242, Pause.name).contains("PermissionDenied"))
        #expect(try run(["patchsimctl", "--socket", path, "status"]).output.contains("running"))
        kill(daemon.pid, SIGTERM)
        let errors = daemon.end().errors
        let denial = errors.split(separator: "\n").first { $0.contains("Denied: pause: uid 4242 (pid ") }
        #expect(denial?.hasPrefix("<4>") == true && denial?.contains("python3") == true, "\(errors)")
    }

    @Test("The daemon opens no path that a client names: a FIFO, which would block whoever opens it, blocks nobody")
    func namedPaths() throws {
        let name = "/tmp/patchsim-named-\(getpid())-\(UInt64.random(in: 0 ... .max))"
        let (path, fifo) = (name + ".sock", name + ".fifo")
        try #require(mkfifo(fifo, 0o600) == 0)
        defer { unlink(fifo) }
        let daemon = try StartedProgram(["patchsimd", "--socket", path, "--cpus", "1"])
        try #require(eventually { (try? VarlinkClient(path: path)) != nil })
        let client = try VarlinkClient(path: path)
        let line =
            "patchsim1 kernel=\(fifo) cpus=1 tasks=1 seed=1 speed=1000 irq=1 nmi=1 fetch=chunk16 ablate= workload=\(fifo) turns=1"
        #expect(try client.refusal(ReplayLine.self, .init(line: line))?.name == InvariantsFault.BadReplayLine.name)
        let other = line.replacing("workload=\(fifo)", with: "workload=0")
        let refusal = try client.refusal(ReplayLine.self, .init(line: other))
        #expect(refusal?.parameters(as: InvariantsFault.BadReplayLine.self)?.reason.contains("about kernel") == true)
        for path in [fifo, "/sys/kernel/tracing/../../../.." + fifo, "//" + fifo] {
            #expect(try client.refusal(ReadFile.self, .init(path: path))?.name == FilesFault.name)
            #expect(try client.refusal(ListFiles.self, .init(path: path))?.name == FilesFault.name)
            #expect(try client.refusal(WriteFile.self, .init(path: path, text: "x"))?.name == FilesFault.name)
            #expect(try client.refusal(MakeDirectory.self, .init(path: path + "d"))?.name == FilesFault.name)
        }
        kill(daemon.pid, SIGTERM)
        #expect(daemon.end().status == 0)
    }
}

@Suite struct HeavyCallTests {
    @Test("A user's heavy calls beyond the limit are refused by name, light ones are not, and places come back")
    func perUser() async throws {
        let heavy = HeavyCalls(perUserMax: 1, usersWithoutLimits: [0])
        let peer = VarlinkPeer(connection: 1, pid: 1, uid: 4242, gid: 4242)
        let other = VarlinkPeer(connection: 2, pid: 2, uid: 4243, gid: 4243)
        let root = VarlinkPeer(connection: 3, pid: 3, uid: 0, gid: 0)
        let result = try await heavy.run(.replay(line: ""), peer) {
            await #expect(throws: ServiceFault.TooManyCalls(callsMax: 1, uid: 4242)) {
                try await heavy.run(.listFunctions(glob: nil), peer) {}
            }
            try await heavy.run(.getState, peer) {}
            try await heavy.run(.listSites(glob: nil), other) {}
            return try await heavy.run(.step(cpu: nil, count: 1, back: true), root) {
                try await heavy.run(.listFunctions(glob: nil), root) { 7 }
            }
        }
        #expect(result == 7)
        struct Failure: Error {}
        await #expect(throws: Failure.self) { try await heavy.run(.replay(line: ""), peer) { throw Failure() } }
        #expect(try await heavy.run(.replay(line: ""), peer) { 8 } == 8)
    }

    @Test("All users' heavy calls together are bounded, root's among them")
    func total() async throws {
        let heavy = HeavyCalls(usersWithoutLimits: [0])
        let root = VarlinkPeer(connection: 1, pid: 1, uid: 0, gid: 0)
        func nest(_ depth: Int) async throws -> Int {
            try await heavy.run(.listSites(glob: nil), root) { try await nest(depth + 1) }
        }
        await #expect(throws: ServiceFault.TooManyCalls(callsMax: ServiceLimits.heavyCallsMax)) {
            _ = try await nest(0)
        }
    }
}
