internal import CSystemd
internal import Glibc

/// What a service tells the manager that started it (sd_notify). Without a manager everything here does nothing.
public struct ServiceManager: Sendable {
    /// Microseconds within which watchdog() is expected, or nil where nobody watches.
    public let watchdogMicroseconds: UInt64?
    /// Whether somebody listens.
    public let isPresent: Bool
    private let send: @Sendable (String) -> Void

    /// A manager that is told through `send`; tests listen there.
    public init(watchdogMicroseconds: UInt64?, send: @escaping @Sendable (String) -> Void) {
        self.watchdogMicroseconds = watchdogMicroseconds
        isPresent = true
        self.send = send
    }

    /// The manager that NOTIFY_SOCKET and WATCHDOG_USEC name.
    public static func fromEnvironment() -> ServiceManager {
        guard getenv("NOTIFY_SOCKET") != nil else { return absent }
        var microseconds: UInt64 = 0
        let isWatched = sd_watchdog_enabled(0, &microseconds) > 0
        return ServiceManager(watchdogMicroseconds: isWatched ? microseconds : nil) {
            // There is nothing to do about a manager that can't be reached: it has its own timeouts.
            _ = sd_notify(0, $0)
        }
    }

    /// Nobody listens.
    public static let absent = ServiceManager()

    private init() {
        watchdogMicroseconds = nil
        isPresent = false
        send = { _ in }
    }

    /// READY=1 with a status line.
    public func ready(status: String) {
        send("READY=1\nSTATUS=\(Self.oneLine(status))")
    }

    /// A reload begins; `reloaded` ends it. The time lets the manager tell it from one before.
    public func reloading() {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        send("RELOADING=1\nMONOTONIC_USEC=\(UInt64(now.tv_sec) * 1_000_000 + UInt64(now.tv_nsec) / 1000)")
    }

    public func reloaded() {
        send("READY=1")
    }

    public func status(_ status: String) {
        send("STATUS=\(Self.oneLine(status))")
    }

    public func stopping() {
        send("STOPPING=1\nSTATUS=Stopping")
    }

    public func watchdog() {
        send("WATCHDOG=1")
    }

    /// Asks for so much time from now on before the start counts as failed.
    public func extendStart(bySeconds seconds: Int) {
        send("EXTEND_TIMEOUT_USEC=\(seconds * 1_000_000)")
    }

    private static func oneLine(_ text: String) -> String {
        String(text.map { $0.isNewline ? " " : $0 })
    }
}

/// A descriptor that was passed by socket activation (sd_listen_fds).
public struct PassedDescriptor: Sendable, Hashable {
    public let descriptor: Int32
    /// FileDescriptorName=, or `unknown`.
    public let name: String

    /// What this process was given. The environment is cleared of it, so that children don't take it for theirs; a second
    /// call gives nothing.
    public static func takeAll() throws(PassedDescriptorError) -> [PassedDescriptor] {
        var names: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
        let count = sd_listen_fds_with_names(1, &names)
        guard count >= 0 else { throw PassedDescriptorError(errno: -count) }
        defer {
            for index in 0..<Int(count) { free(names?[index]) }
            free(names)
        }
        return (0..<count).map { index in
            let name = names?[Int(index)].map { String(cString: $0) } ?? "unknown"
            return PassedDescriptor(descriptor: SD_LISTEN_FDS_START + index, name: name)
        }
    }
}

/// LISTEN_FDS and its companions make no sense.
public struct PassedDescriptorError: Error, Sendable, CustomStringConvertible {
    public let errno: Int32

    public var description: String {
        "the passed descriptors (LISTEN_FDS) can't be taken: \(String(cString: strerror(errno)))"
    }
}
