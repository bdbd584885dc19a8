/// Why the daemon does not start: a line for people, and a status of sysexits.h for whoever started it.
public struct ServiceStartError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Cause: Int32, Sendable, Hashable, CaseIterable {
        /// EX_USAGE: an option's value makes no sense.
        case usage = 64
        /// EX_DATAERR: the kernel image is damaged, or of a kind that can't be used.
        case unfitImage = 65
        /// EX_NOINPUT: a file can't be read.
        case unreadable = 66
        /// EX_UNAVAILABLE: the socket is in use.
        case unavailable = 69
        /// EX_SOFTWARE.
        case software = 70
        /// EX_OSERR: the system refused something.
        case system = 71
        /// EX_CONFIG: a configuration or workload file is wrong.
        case configuration = 78
    }

    public let cause: Cause
    /// What, where, and what would be right, in one line.
    public let message: String

    public init(_ cause: Cause, _ message: String) {
        self.cause = cause
        self.message = message
    }

    public var description: String { message }
}
