import FoundationEssentials
import Glibc
import Locking
import Testing

@testable import Varlink

/// A server with an interface of its own on a socket of its own.
final class TestService: Sendable {
    static let description = """
        # For tests.
        interface org.example.test

        type Thing (number: int, maybe: ?string, list: []string)
        type Color (red, green)

        # Returns what it was given.
        method Echo(text: string) -> (text: string)
        method Shape(thing: Thing, color: Color, share: float, yes: ?bool) -> (thing: Thing)
        # Counts from 1, a reply each.
        method Count(to: int, size: ?int) -> (number: int, padding: string)
        # Never ends by itself.
        method Forever() -> ()
        # Answers after a while.
        method Slow(milliseconds: int) -> ()
        method Fail(how: string) -> ()
        method Nowhere() -> ()
        # Who calls.
        method Who() -> (uid: int, gid: int, groups: []int)
        error Mine (reason: string)
        """

    struct Text: Codable { var text: String }
    struct Thing: Codable, Equatable {
        var number: Int
        var maybe: String?
        var list: [String]
    }
    enum Color: String, Codable, CaseIterable { case red, green }
    struct ShapeParameters: Codable {
        var thing: Thing
        var color: Color
        var share: Double
        var yes: Bool?
    }
    struct ShapeReply: Codable { var thing: Thing }
    struct CountParameters: Codable {
        var to: Int
        var size: Int?
    }
    struct CountReply: Codable {
        var number: Int
        var padding: String
    }
    struct SlowParameters: Codable { var milliseconds: Int }
    struct FailParameters: Codable { var how: String }
    struct Empty: Codable {}
    struct WhoReply: Encodable {
        var gid: Int
        var groups: [Int]
        var uid: Int
    }
    struct Reason: Codable { var reason: String }
    struct NoVarlinkError: Error {}

    let server: VarlinkServer
    let path: String
    /// How many Forever calls are running.
    let running = Guarded(0)

    init(_ change: (inout VarlinkLimits) -> Void = { _ in }) throws {
        var limits = VarlinkLimits()
        change(&limits)
        let running = running
        let methods = [
            VarlinkMethod("org.example.test.Echo", parameters: Text.self, reply: Text.self) { p, _ in p },
            VarlinkMethod("org.example.test.Shape", parameters: ShapeParameters.self, reply: ShapeReply.self) { p, _ in
                ShapeReply(thing: p.thing)
            },
            VarlinkMethod("org.example.test.Count", parameters: CountParameters.self, reply: CountReply.self) { p, r in
                let padding = String(repeating: "x", count: p.size ?? 0)
                for number in 1..<max(p.to, 1) { try await r.send(CountReply(number: number, padding: padding)) }
                return CountReply(number: p.to, padding: padding)
            },
            VarlinkMethod("org.example.test.Forever", parameters: Empty.self, reply: Empty.self) { _, replies in
                running.withLock { $0 += 1 }
                defer { running.withLock { $0 -= 1 } }
                try await replies.send(Empty())
                try await Task.sleep(for: .seconds(3600))
                return Empty()
            },
            VarlinkMethod("org.example.test.Slow", parameters: SlowParameters.self, reply: Empty.self) { p, _ in
                try await Task.sleep(for: .milliseconds(p.milliseconds))
                return Empty()
            },
            VarlinkMethod("org.example.test.Fail", parameters: FailParameters.self, reply: Empty.self) { p, _ in
                switch p.how {
                case "mine":
                    throw VarlinkError(name: "org.example.test.Mine", parameters: Reason(reason: "a \"quote\""))
                case "denied": throw VarlinkError.permissionDenied()
                default: throw NoVarlinkError()
                }
            },
            VarlinkMethod("org.example.test.Who", parameters: Empty.self, reply: WhoReply.self) { _, replies in
                let peer = replies.peer
                return WhoReply(gid: Int(peer.gid), groups: peer.groups.map(Int.init), uid: Int(peer.uid))
            },
        ]
        let interface = try VarlinkInterface(text: Self.description, methods: methods)
        server = VarlinkServer(
            product: VarlinkProduct(vendor: "v", product: "p", version: "1", url: "u"), interfaces: [interface],
            limitInterface: "org.example.limits", limits: limits)
        path = "/tmp/patchsim-test-\(getpid())-\(UInt64.random(in: 0 ... .max))"
        server.start(on: try ListeningSocket(path: path))
    }

    deinit {
        server.stop()
    }

    func peer() throws -> TestPeer {
        try TestPeer(path: path)
    }
}

/// A client that may send anything.
final class TestPeer {
    let descriptor: Int32
    private var received: [UInt8] = []

    struct Closed: Error {}
    struct TimedOut: Error {}

    init(path: String) throws {
        var address = try unixAddress(path)
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var timeout = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        let connected = withSocketAddress(&address) { connect(descriptor, $0, $1) }
        try #require(connected == 0)
    }

    deinit {
        close(descriptor)
    }

    /// Bytes that the peer took before it closed.
    @discardableResult
    func send(bytes: [UInt8]) -> Int {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return sent }
            sent += count
        }
        return sent
    }

    func send(_ text: String) {
        send(bytes: Array(text.utf8) + [0])
    }

    func finishSending() {
        shutdown(descriptor, Int32(SHUT_WR))
    }

    func frame() throws -> String {
        while true {
            if let end = received.firstIndex(of: 0) {
                defer { received.removeFirst(end + 1) }
                return String(decoding: received[..<end], as: UTF8.self)
            }
            var chunk = [UInt8](repeating: 0, count: 65_536)
            let count = read(descriptor, &chunk, chunk.count)
            if count == 0 { throw Closed() }
            if count < 0 { throw errno == EAGAIN ? TimedOut() as any Error : Closed() }
            received += chunk[..<count]
        }
    }

    func answer() throws -> Answer {
        try JSONDecoder().decode(Answer.self, from: Data(try frame().utf8))
    }

    /// The name of the error that comes next, and its parameters.
    func error() throws -> (name: String, parameters: [String: Any]) {
        let answer = try answer()
        return (try #require(answer.error), answer.parameters)
    }

    /// Whether the server has closed, after whatever is still to be read.
    func isClosed() -> Bool {
        while true {
            do { _ = try frame() } catch is Closed { return true } catch { return false }
        }
    }
}

/// A reply of any method.
struct Answer: Decodable {
    let error: String?
    let continues: Bool?
    /// Strings, integers and lists of strings.
    let parameters: [String: Any]

    private enum CodingKeys: CodingKey { case error, continues, parameters }

    private struct Value: Decodable {
        let value: Any

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let text = try? container.decode(String.self) {
                value = text
            } else if let number = try? container.decode(Int.self) {
                value = number
            } else if let numbers = try? container.decode([Int].self) {
                value = numbers
            } else {
                value = try container.decode([String].self)
            }
        }
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        error = try container.decodeIfPresent(String.self, forKey: .error)
        continues = try container.decodeIfPresent(Bool.self, forKey: .continues)
        parameters = try container.decodeIfPresent([String: Value].self, forKey: .parameters)?.mapValues(\.value) ?? [:]
    }
}
