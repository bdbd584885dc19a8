internal import Glibc

/// A socket that can't be listened on.
public enum ListeningError: Error, Sendable, Hashable {
    case pathTooLong(path: String, bytesMax: Int)
    /// A live process listens there.
    case inUse(path: String)
    /// The path is taken by something that is no socket; it is not touched.
    case notASocket(path: String)
    /// `call` failed with an errno.
    case system(call: String, path: String, errno: Int32)
    /// A descriptor that was passed is not a listening Unix stream socket.
    case unfitDescriptor(Int32)
}

extension ListeningError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .pathTooLong(let path, let bytesMax):
            "\(path): the path of a socket has at most \(bytesMax) bytes"
        case .inUse(let path):
            "\(path): another daemon listens on this socket; stop it, or choose another path"
        case .notASocket(let path):
            "\(path): exists and is no socket; remove it, or choose another path"
        case .system(let call, let path, let errno):
            "\(path): \(call): \(String(cString: strerror(errno)))"
        case .unfitDescriptor(let descriptor):
            "descriptor \(descriptor) was passed as a listening socket, but is none"
        }
    }
}

/// A Unix stream socket that listens, and who has to remove its file.
public struct ListeningSocket: Sendable {
    public let descriptor: Int32
    /// The file that this process made; nil for a passed descriptor.
    public let path: String?

    /// Makes a socket file. A file that nobody listens on is left over from a dead daemon and is replaced.
    public init(path: String, mode: UInt32 = 0o666) throws(ListeningError) {
        var address = try unixAddress(path)
        try Self.removeStale(path, &address)
        let descriptor = socket(
            AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { throw .system(call: "socket", path: path, errno: errno) }
        if let failed = Self.bindAndListen(descriptor, path, &address, mode) {
            let cause = errno
            close(descriptor)
            if failed == "bind", cause == EADDRINUSE { throw .inUse(path: path) }
            throw .system(call: failed, path: path, errno: cause)
        }
        self.descriptor = descriptor
        self.path = path
    }

    /// Takes over a descriptor that was passed, and checks what it is.
    public init(adopting descriptor: Int32) throws(ListeningError) {
        var listens: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        var address = sockaddr_un()
        var addressLength = socklen_t(MemoryLayout<sockaddr_un>.size)
        let named = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &addressLength) }
        }
        guard getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0, listens != 0, named == 0,
            address.sun_family == sa_family_t(AF_UNIX)
        else { throw .unfitDescriptor(descriptor) }
        _ = setNonBlocking(descriptor)
        self.descriptor = descriptor
        path = nil
    }

    private static func removeStale(_ path: String, _ address: inout sockaddr_un) throws(ListeningError) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else { throw .notASocket(path: path) }
        let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard probe >= 0 else { throw .system(call: "socket", path: path, errno: errno) }
        defer { close(probe) }
        let connected = withSocketAddress(&address) { connect(probe, $0, $1) }
        // EAGAIN: its backlog is full, so somebody is there.
        if connected == 0 || errno == EAGAIN { throw .inUse(path: path) }
        guard errno == ECONNREFUSED else { throw .system(call: "connect", path: path, errno: errno) }
        guard unlink(path) == 0 || errno == ENOENT else { throw .system(call: "unlink", path: path, errno: errno) }
    }

    /// Nil, or what failed, with errno set.
    private static func bindAndListen(
        _ descriptor: Int32, _ path: String, _ address: inout sockaddr_un, _ mode: UInt32
    ) -> String? {
        guard withSocketAddress(&address, { bind(descriptor, $0, $1) }) == 0 else { return "bind" }
        guard chmod(path, mode) == 0 else { return "chmod" }
        guard listen(descriptor, listenBacklog) == 0 else { return "listen" }
        return nil
    }
}

/// The address of a socket file.
func unixAddress(_ path: String) throws(ListeningError) -> sockaddr_un {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let capacity = MemoryLayout.size(ofValue: address.sun_path) - 1
    let bytes = Array(path.utf8)
    guard bytes.count <= capacity, !bytes.isEmpty else { throw .pathTooLong(path: path, bytesMax: capacity) }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    return address
}

func withSocketAddress<Result>(
    _ address: inout sockaddr_un, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
) -> Result {
    withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
}

func setNonBlocking(_ descriptor: Int32) -> Bool {
    let flags = fcntl(descriptor, F_GETFL)
    return flags >= 0 && fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) == 0
}
