import Glibc

@testable import Systemd

/// A socket that takes entries as journald's does.
final class FakeJournal {
    let path: String
    private var descriptor: Int32 = -1

    init() {
        path = "/tmp/patchsim-journal-\(getpid())-\(UInt64.random(in: 0 ... .max))"
        open()
    }

    deinit {
        close()
    }

    func open() {
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        precondition(status == 0, "a new path can be bound")
    }

    func close() {
        guard descriptor >= 0 else { return }
        Glibc.close(descriptor)
        descriptor = -1
        unlink(path)
    }

    /// The next datagram; waits for one, ten seconds at most.
    func next() -> [UInt8]? {
        var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&polled, 1, 10_000) == 1 else { return nil }
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        return count < 0 ? nil : Array(buffer[..<count])
    }

    /// MESSAGE of the next entry, and whether it was kept before.
    func nextMessage() -> String? {
        next().flatMap { fields($0)["MESSAGE"] }
    }
}

/// Fields of a datagram, by the description of journald's protocol.
func fields(_ datagram: [UInt8]) -> [String: String] {
    var fields: [String: String] = [:]
    var rest = datagram[...]
    while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
        let line = rest[..<end]
        rest = rest[(end + 1)...]
        if let equals = line.firstIndex(of: UInt8(ascii: "=")) {
            fields[String(decoding: line[..<equals], as: UTF8.self)] =
                String(decoding: line[(equals + 1)...], as: UTF8.self)
        } else {
            guard rest.count >= 8 else { break }
            let count = rest.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
            rest = rest.dropFirst(8)
            fields[String(decoding: line, as: UTF8.self)] = String(decoding: rest.prefix(count), as: UTF8.self)
            rest = rest.dropFirst(count + 1)
        }
    }
    return fields
}

/// A file that stands for stderr.
final class ErrorFile {
    let descriptor: Int32

    init() {
        var template = Array("/tmp/patchsim-errors.XXXXXX".utf8CString)
        descriptor = mkstemp(&template)
        unlink(template)
    }

    deinit {
        close(descriptor)
    }

    var text: String {
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        let count = pread(descriptor, &buffer, buffer.count, 0)
        return String(decoding: buffer[..<max(count, 0)], as: UTF8.self)
    }
}
