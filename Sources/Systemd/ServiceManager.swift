internal import CSystemd
internal import Glibc

/// What a service tells the manager that started it (sd_notify). Without a manager everything here does nothing.
public enum ServiceManager {
    /// READY=1 with a status line.
    public static func ready(status: String) {
        notify("READY=1\nSTATUS=\(oneLine(status))")
    }

    public static func status(_ status: String) {
        notify("STATUS=\(oneLine(status))")
    }

    public static func stopping() {
        notify("STOPPING=1\nSTATUS=Stopping")
    }

    public static func watchdog() {
        notify("WATCHDOG=1")
    }

    /// Microseconds within which watchdog() is expected, or nil where nobody watches.
    public static var watchdogMicroseconds: UInt64? {
        var microseconds: UInt64 = 0
        return sd_watchdog_enabled(0, &microseconds) > 0 ? microseconds : nil
    }

    private static func notify(_ state: String) {
        // There is nothing to do about a manager that can't be reached: it has its own timeouts.
        _ = sd_notify(0, state)
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
