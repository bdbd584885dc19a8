public import Simulation

/// The errnos that the files answer with.
public enum KernelErrno: Int32, Sendable, Hashable {
    case EPERM = 1
    case ENOENT = 2
    case ENOMEM = 12
    case EACCES = 13
    case EBUSY = 16
    case EEXIST = 17
    case ENODEV = 19
    case ENOTDIR = 20
    case EISDIR = 21
    case EINVAL = 22
    case ENAMETOOLONG = 36

    public var name: String {
        switch self {
        case .EPERM: "EPERM"
        case .ENOENT: "ENOENT"
        case .ENOMEM: "ENOMEM"
        case .EACCES: "EACCES"
        case .EBUSY: "EBUSY"
        case .EEXIST: "EEXIST"
        case .ENODEV: "ENODEV"
        case .ENOTDIR: "ENOTDIR"
        case .EISDIR: "EISDIR"
        case .EINVAL: "EINVAL"
        case .ENAMETOOLONG: "ENAMETOOLONG"
        }
    }
}

/// What a system call on a virtual file failed with.
public struct KernelFileError: Error, Sendable, Hashable, CustomStringConvertible {
    public let errno: KernelErrno
    public let path: String
    /// What is wrong and what would be right, in one sentence.
    public let message: String
    /// A failing write can have changed text all the same: truncation, and the words before the bad one, count.
    public let pending: UpdateTicket?

    public init(_ errno: KernelErrno, _ path: String, _ message: String, pending: UpdateTicket? = nil) {
        self.errno = errno
        self.path = path
        self.message = message
        self.pending = pending
    }

    public var description: String {
        "\(path): \(message) (\(errno.name))"
    }
}

/// What became of a write, mkdir or rmdir.
public enum KernelWriteResult: Sendable, Hashable {
    case completed
    /// The state has changed, and the system call returns once this update is done.
    case pending(UpdateTicket)
    /// Nothing has changed: another update holds ftrace_lock. Try again when it is done.
    case blocked(UpdateTicket)
}
