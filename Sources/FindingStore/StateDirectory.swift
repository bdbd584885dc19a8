internal import Glibc

/// The directory that one daemon keeps its state in, locked for as long as this object lives.
final class StateDirectory: Sendable {
    static let lockName = "patchsimd.lock"
    /// Damaged stores that are kept beside the good one get numbers where their time stamps are the same.
    private static let setAsideMax = 1000

    let path: String
    private let lock: Int32

    enum Failure: Error {
        case inUse(pid: Int32?)
        /// A call failed: which, on what, and why.
        case system(String)
    }

    /// Makes the directory where it is missing and locks it.
    init(_ path: String) throws(Failure) {
        self.path = path
        try Self.make(path)
        let lockPath = path + "/" + Self.lockName
        var descriptor = open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        // A directory that can't be written can still be locked, if it was used before.
        if descriptor < 0, errno != ELOOP {
            let cause = errno
            descriptor = open(lockPath, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
            errno = cause
        }
        guard descriptor >= 0 else { throw Self.failure(lockPath, "open") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let cause = errno
            defer { close(descriptor) }
            if cause == EWOULDBLOCK { throw .inUse(pid: Self.pid(in: descriptor)) }
            throw .system("\(lockPath): flock: \(String(cString: strerror(cause)))")
        }
        lock = descriptor
        // For whoever finds the directory locked; without room for it, that one has to look for itself.
        let text = Array("\(getpid())\n".utf8)
        _ = ftruncate(descriptor, 0)
        _ = text.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, 0) }
    }

    deinit {
        // Closing alone would leave it locked for as long as a child that is just being started has the descriptor.
        _ = flock(lock, LOCK_UN)
        close(lock)
    }

    private static func failure(_ path: String, _ call: String) -> Failure {
        .system("\(path): \(call): \(String(cString: strerror(errno)))")
    }

    private static func make(_ path: String) throws(Failure) {
        var status = stat()
        if stat(path, &status) == 0 {
            guard status.st_mode & S_IFMT == S_IFDIR else { throw .system("\(path): is no directory") }
            return
        }
        var made = path.hasPrefix("/") ? "" : "."
        for component in path.split(separator: "/") {
            made += "/" + component
            guard mkdir(made, 0o700) == 0 || errno == EEXIST || errno == EROFS || errno == EACCES else {
                throw failure(made, "mkdir")
            }
        }
        guard stat(path, &status) == 0 else { throw failure(path, "mkdir") }
    }

    private static func pid(in descriptor: Int32) -> Int32? {
        withUnsafeTemporaryAllocation(byteCount: 16, alignment: 1) { buffer in
            let count = pread(descriptor, buffer.baseAddress, buffer.count, 0)
            let digits = buffer.prefix(max(count, 0)).prefix { $0 != UInt8(ascii: "\n") }
            return Int32(String(decoding: digits, as: UTF8.self))
        }
    }

    /// Renames a store and what SQLite keeps beside it; returns the new path.
    func setAside(_ name: String) throws(Failure) -> String {
        let stamp = Self.timeStamp()
        for number in 0..<Self.setAsideMax {
            let target = "\(path)/\(name).damaged-\(stamp)" + (number == 0 ? "" : "-\(number)")
            var status = stat()
            if lstat(target, &status) == 0 { continue }
            for suffix in ["", "-wal", "-shm", "-journal"] {
                let from = "\(path)/\(name)\(suffix)"
                guard rename(from, target + suffix) == 0 || errno == ENOENT else { throw Self.failure(from, "rename") }
            }
            sync()
            return target
        }
        throw .system("\(path): there are \(Self.setAsideMax) damaged stores of this second already")
    }

    /// Makes the renames durable. Where that fails they are done again after a crash.
    private func sync() {
        let directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { return }
        _ = fsync(directory)
        close(directory)
    }

    /// `20261122T205500Z`
    private static func timeStamp() -> String {
        var now = time(nil)
        var parts = tm()
        gmtime_r(&now, &parts)
        func digits(_ value: Int32, _ count: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, count - text.count)) + text
        }
        return digits(parts.tm_year + 1900, 4) + digits(parts.tm_mon + 1, 2) + digits(parts.tm_mday, 2) + "T"
            + digits(parts.tm_hour, 2) + digits(parts.tm_min, 2) + digits(parts.tm_sec, 2) + "Z"
    }
}
