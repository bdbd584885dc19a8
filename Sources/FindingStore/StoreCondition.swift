/// What a store does with what it is given.
public enum StoreCondition: Sendable, Hashable {
    /// It is on disk before the call returns.
    case durable
    /// It is kept in memory and gone at the end: there is no directory, or a newer version's store is in it.
    case volatile(reason: String)
    /// There is a directory and it can't be used now: changes are refused. It is tried again with each.
    case unavailable(reason: String)
}

/// Why a store refuses.
public enum StoreError: Error, Sendable, Hashable {
    /// Another daemon has the directory; its process id, if it could be read.
    case inUse(directory: String, pid: Int32?)
    /// Nothing was changed, because it could not be made durable.
    case notDurable(reason: String)
}

extension StoreError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .inUse(let directory, let pid):
            "\(directory): the state directory is in use by another patchsimd"
                + (pid.map { ", process \($0)" } ?? "") + "; stop it, or choose another directory"
        case .notDurable(let reason): "not done, because it would not survive a restart: \(reason)"
        }
    }
}

/// What the administrator should know about a store.
public enum StoreEvent: Sendable, Hashable {
    case opened(path: String, findings: Int, inputs: Int)
    /// A damaged store was renamed, and an empty one begun.
    case setAside(path: String, to: String, reason: String)
    /// The store is of a newer version and was left as it is.
    case newer(path: String, version: Int, known: Int)
    case unavailable(reason: String)
    /// The oldest findings made room for newer ones.
    case dropped(count: Int)
}
