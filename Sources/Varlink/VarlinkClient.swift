internal import FoundationEssentials
internal import Glibc

/// What a client can run into.
public enum VarlinkClientError: Error, Sendable {
    /// Nobody listens: there is no such file, or its daemon is gone.
    case nobodyListens(path: String, errno: Int32)
    case connect(path: String, message: String)
    /// The connection broke with an errno.
    case broken(errno: Int32)
    /// The server closed the connection in the middle of a call.
    case closed
    /// What came is not a reply as the protocol or the interface has it.
    case notAReply(String)
    /// The server refused.
    case refused(VarlinkError)
    /// Nobody reads any more what a stream is written to.
    case outputClosed
}

extension VarlinkClientError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .nobodyListens(let path, let errno): "\(path): nobody listens: \(String(cString: strerror(errno)))"
        case .connect(let path, let message): "\(path): \(message)"
        case .broken(let errno): "the connection broke: \(String(cString: strerror(errno)))"
        case .closed: "the daemon closed the connection"
        case .notAReply(let message): "not a valid reply: \(message)"
        case .refused(let error): error.description
        case .outputClosed: "nobody reads the output any more"
        }
    }
}

/// A blocking client; one call at a time.
public final class VarlinkClient {
    /// The longest reply that is taken.
    public static let replyBytesMax = 64 * 1024 * 1024

    private let descriptor: Int32
    private var input = FrameBuffer()

    public init(path: String) throws(VarlinkClientError) {
        var address: sockaddr_un
        do {
            address = try unixAddress(path)
        } catch {
            throw .connect(path: path, message: "the path of a socket is too long")
        }
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw .connect(path: path, message: String(cString: strerror(errno))) }
        guard withSocketAddress(&address, { connect(descriptor, $0, $1) }) == 0 else {
            let cause = errno
            close(descriptor)
            if cause == ENOENT || cause == ECONNREFUSED || cause == ENOTDIR {
                throw .nobodyListens(path: path, errno: cause)
            }
            throw .connect(path: path, message: String(cString: strerror(cause)))
        }
    }

    deinit {
        close(descriptor)
    }

    /// One call, one reply.
    public func call<Reply: Decodable>(
        _ method: String, _ parameters: some Encodable, reply: Reply.Type
    ) throws(VarlinkClientError) -> Reply {
        try send(method, parameters, more: false)
        let (reply, continues) = try receive(Reply.self)
        guard !continues else { throw .notAReply("it says that more follow, which nobody asked for") }
        return reply
    }

    /// One call with `more`. `each` is given the replies; when it returns false the rest is not read, and the client must
    /// not be used again. What `each` throws is thrown. With `output`, the descriptor that `each` writes to, waiting for a
    /// reply also ends when that is closed at its other end: `outputClosed`.
    public func stream<Reply: Decodable>(
        _ method: String, _ parameters: some Encodable, reply: Reply.Type, output: Int32? = nil,
        each: (Reply) throws -> Bool
    ) throws {
        try send(method, parameters, more: true)
        while true {
            let (reply, continues) = try receive(Reply.self, output: output)
            guard try each(reply), continues else { return }
        }
    }

    private func send(
        _ method: String, _ parameters: some Encodable, more: Bool
    ) throws(VarlinkClientError) {
        let message = CallMessage(method: method, parameters: parameters, more: more ? true : nil, oneway: nil)
        var bytes: [UInt8]
        do {
            bytes = Array(try makeEncoder().encode(message))
        } catch {
            throw .notAReply("the call can't be written as JSON: \(error)")
        }
        bytes.append(0)
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count < 0 {
                if errno == EINTR { continue }
                // The server may have said why before it closed: let the reply be read.
                if errno == EPIPE || errno == ECONNRESET { return }
                throw .broken(errno: errno)
            }
            sent += count
        }
    }

    private func receive<Reply: Decodable>(
        _ type: Reply.Type, output: Int32? = nil
    ) throws(VarlinkClientError) -> (reply: Reply, continues: Bool) {
        let frame = try receiveFrame(output: output)
        do {
            let head = try JSONDecoder().decode(ReplyHead.self, from: frame)
            if let name = head.error {
                throw VarlinkClientError.refused(VarlinkError(name: name, frame: frame))
            }
            let body = try JSONDecoder().decode(ReplyBody<Reply>.self, from: frame)
            return (body.parameters, head.continues ?? false)
        } catch let error as VarlinkClientError {
            throw error
        } catch let error as DecodingError {
            let (path, message) = explain(error)
            throw .notAReply("\(path): \(message)")
        } catch {
            throw .notAReply("\(error)")
        }
    }

    private func receiveFrame(output: Int32?) throws(VarlinkClientError) -> Data {
        while true {
            switch input.next(bytesMax: Self.replyBytesMax) {
            case .frame(let frame): return Data(frame)
            case .tooLarge: throw .notAReply("it is longer than \(Self.replyBytesMax) bytes")
            case .incomplete: break
            }
            if let output, isClosed(output) { throw .outputClosed }
            let count = withUnsafeTemporaryAllocation(byteCount: readChunkBytes, alignment: 16) { buffer in
                let count = read(descriptor, buffer.baseAddress!, buffer.count)
                if count > 0 { input.append(UnsafeRawBufferPointer(rebasing: buffer[..<count])) }
                return count
            }
            if count == 0 { throw .closed }
            if count < 0, errno != EINTR { throw errno == ECONNRESET ? .closed : .broken(errno: errno) }
        }
    }

    /// Waits until there is something to read. Whether `output` was closed at its other end meanwhile.
    private func isClosed(_ output: Int32) -> Bool {
        while true {
            var polled = [
                pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0), pollfd(fd: output, events: 0, revents: 0),
            ]
            // What is wrong with the connection, read() will tell.
            guard poll(&polled, nfds_t(polled.count), -1) > 0 else {
                if errno == EINTR { continue }
                return false
            }
            return polled[0].revents == 0 && polled[1].revents & Int16(POLLERR | POLLHUP) != 0
        }
    }
}
