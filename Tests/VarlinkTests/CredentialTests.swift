import FoundationEssentials
import Glibc
import Testing

@testable import Varlink

/// Clients of other users need root to be made; without root these tests are skipped, and say so.
private let isRoot = geteuid() == 0

@Suite struct CredentialTests {
    @Test(
        "The server knows user, group and all supplementary groups of a peer",
        .enabled(if: isRoot, "needs root: setpriv makes the client another user"), arguments: [0, 3, 32, 33, 500])
    func credentials(groupCount: Int) throws {
        let service = try TestService()
        let groups = (0..<groupCount).map { 70_000 + $0 }
        let answer = try callAsAnother(
            service, uid: 4242, gid: 4343, groups: groups, #"{"method":"org.example.test.Who"}"#)
        let parameters = try JSONDecoder().decode(Answer.self, from: Data(answer.utf8)).parameters
        #expect(parameters["uid"] as? Int == 4242)
        #expect(parameters["gid"] as? Int == 4343)
        // An empty list decodes as one of strings.
        #expect(parameters["groups"] as? [Int] ?? [] == groups)
    }

    @Test("The server's own credentials arrive like a stranger's")
    func ownCredentials() throws {
        let service = try TestService()
        let peer = try service.peer()
        peer.send(#"{"method":"org.example.test.Who"}"#)
        let answer = try peer.answer()
        #expect(answer.parameters["uid"] as? Int == Int(geteuid()))
        #expect(answer.parameters["gid"] as? Int == Int(getegid()))
    }
}

@Suite struct UserLimitTests {
    private let own = Int(geteuid())

    @Test("A user's connections beyond its own limit are refused, with the limit and the user")
    func connections() throws {
        let service = try TestService {
            $0.usersWithoutLimits = []
            $0.connectionsPerUserMax = 2
        }
        let peers = try (0..<2).map { _ in try answered(service) }
        let late = try service.peer()
        let (name, parameters) = try late.error()
        #expect(name == "org.example.limits.TooManyConnections")
        #expect(parameters["connectionsMax"] as? Int == 2)
        #expect(parameters["uid"] as? Int == own)
        #expect(late.isClosed())
        withExtendedLifetime(peers) {}
    }

    @Test("Refused connections take no places: the limit is the same after a hundred of them")
    func refusedTakeNoPlaces() throws {
        let service = try TestService {
            $0.usersWithoutLimits = []
            $0.connectionsPerUserMax = 1
            $0.connectionsMax = 2
            $0.lingerMilliseconds = 10_000
        }
        var first: TestPeer? = try answered(service)
        let flood = try (0..<100).map { _ in try service.peer() }
        // Some are told why, those beyond are closed without a word.
        let told = flood.count { (try? $0.error())?.name == "org.example.limits.TooManyConnections" }
        #expect(told == VarlinkLimits().refusedConnectionsPerUserMax)
        first = nil
        _ = first
        #expect(eventually { (try? answered(service)) != nil })
        withExtendedLifetime(flood) {}
    }

    @Test("Places that are reserved are for users without limits only")
    func reserved() throws {
        let limited = try TestService {
            $0.usersWithoutLimits = []
            $0.connectionsMax = 8
        }
        let six = try (0..<6).map { _ in try answered(limited) }
        #expect(try limited.peer().error().name == "org.example.limits.TooManyConnections")
        let unlimited = try TestService {
            $0.usersWithoutLimits = [geteuid()]
            $0.connectionsMax = 8
            $0.connectionsPerUserMax = 1
        }
        let eight = try (0..<8).map { _ in try answered(unlimited) }
        let (name, parameters) = try unlimited.peer().error()
        #expect(name == "org.example.limits.TooManyConnections" && parameters["uid"] == nil)
        withExtendedLifetime((six, eight)) {}
    }

    @Test("A user's streams beyond its own limit are refused, and the connection lives")
    func streams() throws {
        let service = try TestService {
            $0.usersWithoutLimits = []
            $0.streamsPerUserMax = 1
        }
        let first = try service.peer()
        first.send(#"{"method":"org.example.test.Forever","more":true}"#)
        _ = try first.frame()
        let second = try service.peer()
        second.send(#"{"method":"org.example.test.Forever","more":true}"#)
        let (name, parameters) = try second.error()
        #expect(name == "org.example.limits.TooManyStreams")
        #expect(parameters["streamsMax"] as? Int == 1 && parameters["uid"] as? Int == own)
        second.send(#"{"method":"org.example.test.Echo","parameters":{"text":"x"}}"#)
        #expect(try second.frame() == #"{"parameters":{"text":"x"}}"#)
    }

    @Test(
        "A user at its limit does not keep another from being served",
        .enabled(if: isRoot, "needs root: setpriv makes the client another user"))
    func othersAreServed() throws {
        let service = try TestService {
            $0.usersWithoutLimits = []
            $0.connectionsPerUserMax = 1
        }
        let first = try answered(service)
        #expect(try service.peer().error().name == "org.example.limits.TooManyConnections")
        let answer = try callAsAnother(
            service, uid: 4242, gid: 4242, groups: [],
            #"{"method":"org.example.test.Echo","parameters":{"text":"x"}}"#)
        #expect(answer == #"{"parameters":{"text":"x"}}"#)
        withExtendedLifetime(first) {}
    }

    @Test("Counts come back to nothing, whatever the order of coming and going")
    func counts() {
        var counts = UserCounts()
        #expect(counts.enter(1, max: 3, perUserMax: 2) == .entered)
        #expect(counts.enter(1, max: 3, perUserMax: 2) == .entered)
        #expect(counts.enter(1, max: 3, perUserMax: 2) == .userIsFull)
        #expect(counts.enter(1, max: 3, perUserMax: nil) == .entered)
        #expect(counts.enter(2, max: 3, perUserMax: 2) == .full)
        counts.leave(1)
        #expect(counts.enter(2, max: 3, perUserMax: 2) == .entered)
        for uid in [2, 1, 1] as [UInt32] { counts.leave(uid) }
        #expect(counts.total == 0)
    }

    /// A connection that is being served for certain.
    private func answered(_ service: TestService) throws -> TestPeer {
        let peer = try service.peer()
        peer.send(#"{"method":"org.example.test.Echo","parameters":{"text":"x"}}"#)
        #expect(try peer.answer().error == nil)
        return peer
    }
}

/// Sends a call from a process of another user; returns the first reply, without its NUL.
private func callAsAnother(
    _ service: TestService, uid: Int, gid: Int, groups: [Int], _ call: String
) throws -> String {
    let script = """
        import socket, sys
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(sys.argv[1])
        peer.sendall(sys.argv[2].encode() + b"\\0")
        reply = b""
        while not reply.endswith(b"\\0"):
            got = peer.recv(65536)
            if not got: break
            reply += got
        sys.stdout.write(reply[:-1].decode())
        """
    let list = groups.map { "\($0)" }.joined(separator: ",")
    let arguments =
        [
            "/usr/bin/setpriv", "--reuid=\(uid)", "--regid=\(gid)",
            groups.isEmpty ? "--clear-groups" : "--groups=\(list)",
        ]
        + ["/usr/bin/python3", "-c", script, service.path, call]
    return try output(of: arguments)
}

/// Runs a program and returns what it wrote on standard output.
private func output(of arguments: [String]) throws -> String {
    var pipes: [Int32] = [0, 0]
    try #require(pipe(&pipes) == 0)
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, pipes[1], 1)
    posix_spawn_file_actions_addclose(&actions, pipes[0])
    var argv = arguments.map { strdup($0) } + [nil]
    defer { for text in argv { free(text) } }
    var pid: pid_t = 0
    let status = posix_spawn(&pid, arguments[0], &actions, nil, &argv, environ)
    close(pipes[1])
    defer { close(pipes[0]) }
    try #require(status == 0, "\(arguments[0]) can't be started")
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while case let count = read(pipes[0], &chunk, chunk.count), count > 0 { bytes += chunk[..<count] }
    var raw: Int32 = 0
    while waitpid(pid, &raw, 0) < 0, errno == EINTR {}
    try #require(raw == 0, "\(arguments[0]) failed")
    return String(decoding: bytes, as: UTF8.self)
}
