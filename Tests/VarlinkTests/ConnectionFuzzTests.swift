import FoundationEssentials
import Glibc
import Locking
import Testing

@testable import Varlink

/// A client that sends whatever bytes it is given, in pieces, and reads while it can't send.
private final class RawClient {
    struct Failure: Error { let message: String }

    private let descriptor: Int32
    private var input = FrameBuffer()
    /// The server has closed.
    private(set) var isEnded = false

    init(path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = try unixAddress(path)
        guard withSocketAddress(&address, { connect(descriptor, $0, $1) }) == 0 else {
            throw Failure(message: "connect: errno \(errno)")
        }
        _ = setNonBlocking(descriptor)
    }

    deinit {
        close(descriptor)
    }

    func finishSending() {
        shutdown(descriptor, Int32(SHUT_WR))
    }

    /// Sends in pieces of up to `pieceMax` bytes; stops where the server has closed.
    func send(_ bytes: [UInt8], pieceMax: Int, _ generator: inout FuzzGenerator) throws {
        var sent = 0
        while sent < bytes.count, !isEnded {
            let piece = min(1 + generator.below(pieceMax), bytes.count - sent)
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress! + sent, piece, Int32(MSG_NOSIGNAL))
            }
            if count > 0 {
                sent += count
            } else if errno == EAGAIN {
                try wait(Int16(POLLIN | POLLOUT))
                receive()
            } else if errno == EPIPE || errno == ECONNRESET {
                return
            }
        }
    }

    /// The next reply, or nil at the end.
    func next() throws -> [UInt8]? {
        while true {
            switch input.next(bytesMax: 1 << 24) {
            case .frame(let frame): return Array(frame)
            case .tooLarge: throw Failure(message: "a reply without an end")
            case .incomplete: break
            }
            if isEnded {
                guard input.count == 0 else { throw Failure(message: "half a reply before the end") }
                return nil
            }
            try wait(Int16(POLLIN))
            receive()
        }
    }

    private func wait(_ events: Int16) throws {
        var poll = pollfd(fd: descriptor, events: events, revents: 0)
        // A server that says nothing for so long hangs.
        guard Glibc.poll(&poll, 1, 60_000) == 1 else { throw Failure(message: "the server says nothing") }
    }

    private func receive() {
        withUnsafeTemporaryAllocation(byteCount: 65_536, alignment: 16) { buffer in
            let count = read(descriptor, buffer.baseAddress!, buffer.count)
            if count > 0 { input.append(UnsafeRawBufferPointer(rebasing: buffer[..<count])) }
            if count == 0 || count < 0 && errno != EAGAIN && errno != EINTR { isEnded = true }
        }
    }
}

/// What a server owes for some frames.
private struct Debt {
    /// Replies that end a call.
    var replies = 0
    /// The connection ends with this error.
    var fatal: String?

    init(_ frames: [[UInt8]], bytesMax: Int) {
        for frame in frames {
            guard frame.count <= bytesMax else {
                fatal = "org.example.limits.CallTooLarge"
                return
            }
            guard let head = try? frame.withUnsafeBytes({ try CallScanner.scan($0) }) else {
                fatal = "org.example.limits.MalformedCall"
                return
            }
            if !head.oneway { replies += 1 }
        }
    }
}

@Suite(.serialized) struct ConnectionFuzzTests {
    private static let callBytesMax = 3000

    private func service() throws -> TestService {
        try TestService {
            $0.callBytesMax = Self.callBytesMax
            $0.outputBytesMax = 10_000
            $0.pipelinedCallsMax = 5
            $0.connectionsMax = 100_000
            $0.lingerMilliseconds = 60_000
        }
    }

    /// Frames of one client. None asks for a wait or for an endless stream.
    private func frames(_ mutator: Mutator, _ generator: inout FuzzGenerator) -> [[UInt8]] {
        (0..<1 + generator.below(12)).map { _ in
            while true {
                let isWhole = !generator.chance(oneIn: 3)
                let bytes = isWhole ? mutator.seeds[generator.below(mutator.seeds.count)] : mutator.mutated(&generator)
                let frame = bytes.filter { $0 != 0 }
                let text = String(decoding: frame, as: UTF8.self)
                if !["Slow", "Forever", "Count"].contains(where: { text.contains($0) }) || isWhole { return frame }
            }
        }
    }

    @Test("Whatever bytes come in whatever pieces, each call has its reply, and each wrong frame its error")
    func everyCallHasItsReply() throws {
        let service = try service()
        var mutator = Mutator(seeds: seeds("varlink"), words: ScannerFuzzTests.words)
        mutator.bytesMax = 2 * Self.callBytesMax
        try #require(mutator.seeds.count > 5)
        var run = FuzzRun(iterations: 1500)
        var generator = FuzzGenerator(seed: run.seed)
        while run.goesOn() {
            let frames = frames(mutator, &generator)
            do {
                try converse(service, frames, &generator)
            } catch {
                let texts = frames.map { String(decoding: $0, as: UTF8.self) }
                Issue.record("\(error) after \(run.iterations) iterations from seed \(run.seed): \(texts)")
                return
            }
            if run.iterations % 100 == 0 { try drop(service, mutator, &generator) }
        }
        #expect(eventually { service.server.connectionCount == 0 })
        run.report("connections")
    }

    private func converse(_ service: TestService, _ frames: [[UInt8]], _ generator: inout FuzzGenerator) throws {
        let client = try RawClient(path: service.path)
        let bytes = Array(frames.map { $0 + [0] }.joined())
        let pieceMax = [1, 7, 100, 100_000][generator.below(4)]
        try client.send(bytes, pieceMax: pieceMax, &generator)
        // Some finish sending, some hang up only when they have everything.
        let finishes = generator.chance(oneIn: 2)
        if finishes { client.finishSending() }
        var debt = Debt(frames, bytesMax: Self.callBytesMax)
        while debt.replies > 0 {
            guard let reply = try client.next() else {
                throw RawClient.Failure(message: "\(debt.replies) replies are missing")
            }
            let answer = try parsed(reply)
            if answer.continues != true { debt.replies -= 1 }
        }
        if let fatal = debt.fatal {
            guard let reply = try client.next(), try parsed(reply).error == fatal else {
                throw RawClient.Failure(message: "not the error \(fatal)")
            }
        }
        guard debt.fatal != nil || finishes else { return }
        guard try client.next() == nil else { throw RawClient.Failure(message: "more than was asked for") }
    }

    private func parsed(_ reply: [UInt8]) throws -> ReplyHead {
        do {
            return try JSONDecoder().decode(ReplyHead.self, from: Data(reply))
        } catch {
            throw RawClient.Failure(message: "no reply: \(String(decoding: reply, as: UTF8.self))")
        }
    }

    /// Many connections that are dropped in the middle of whatever they were at.
    private func drop(_ service: TestService, _ mutator: Mutator, _ generator: inout FuzzGenerator) throws {
        var clients: [RawClient] = []
        for _ in 0..<100 {
            let client = try RawClient(path: service.path)
            var bytes = Array(frames(mutator, &generator).map { $0 + [0] }.joined())
            bytes.removeLast(generator.below(bytes.count + 1))
            if generator.chance(oneIn: 4) {
                bytes = Array(#"{"method":"org.example.test.Forever","more":true}"#.utf8) + [0] + bytes
            }
            // As much as fits: a client that never reads must not keep this one waiting.
            try client.send(Array(bytes.prefix(20_000)), pieceMax: 20_000, &generator)
            if generator.chance(oneIn: 3) { client.finishSending() }
            clients.append(client)
        }
        clients = []
        guard eventually({ service.server.connectionCount == 0 && service.running.withLock { $0 } == 0 }) else {
            throw RawClient.Failure(message: "\(service.server.connectionCount) connections are left")
        }
    }

    @Test("A frame cut at every byte is the same call")
    func aFrameCutAnywhereIsTheSameCall() throws {
        let service = try service()
        let frame = Array(#"{"method":"org.example.test.Echo","parameters":{"text":"\u00e4\"ä"}}"#.utf8) + [0]
        var generator = FuzzGenerator(seed: 1)
        for cut in 1..<frame.count {
            let client = try RawClient(path: service.path)
            try client.send(Array(frame[..<cut]), pieceMax: frame.count, &generator)
            try client.send(Array(frame[cut...]) + frame, pieceMax: frame.count, &generator)
            for _ in 0..<2 {
                #expect(
                    try client.next().map { String(decoding: $0, as: UTF8.self) } == #"{"parameters":{"text":"ä\"ä"}}"#)
            }
        }
    }

    @Test("A client that sends calls and never reads is not read any further, and others are served")
    func aPipeliningClientThatNeverReadsIsHeldBack() throws {
        let service = try service()
        let greedy = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer { close(greedy) }
        var address = try unixAddress(service.path)
        try #require(withSocketAddress(&address) { connect(greedy, $0, $1) } == 0)
        _ = setNonBlocking(greedy)
        let text = String(repeating: "x", count: 2000)
        let frame = Array(#"{"method":"org.example.test.Echo","parameters":{"text":"\#(text)"}}"#.utf8) + [0]
        var taken = 0
        // Until the server takes no more: its output is full, and so are the kernel's buffers.
        while true {
            let count = frame.withUnsafeBytes { send(greedy, $0.baseAddress!, $0.count, Int32(MSG_NOSIGNAL)) }
            if count < frame.count {
                var poll = pollfd(fd: greedy, events: Int16(POLLOUT), revents: 0)
                if Glibc.poll(&poll, 1, 500) == 0 { break }
                if count > 0 { break }
            }
            taken += 1
            try #require(taken < 100_000, "the server holds what nobody reads")
        }
        let other = try service.peer()
        other.send(#"{"method":"org.example.test.Echo","parameters":{"text":"x"}}"#)
        #expect(try other.frame() == #"{"parameters":{"text":"x"}}"#)
    }
}
