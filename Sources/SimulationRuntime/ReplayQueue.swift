internal import Dispatch
internal import Locking

/// Runs replays one after the other on a queue of their own: a long one must not take a thread from the service.
public final class ReplayQueue: Sendable {
    /// Turns between two looks at whether the replay is still wanted.
    public static let turnsBetweenChecks: UInt64 = 4096

    private let queue = DispatchQueue(label: "io.patchsim.replay", qos: .utility)
    private let cancelled = Guarded(false)

    /// Runs `body`, which asks its argument now and then whether to give up.
    public func run<Result: Sendable>(
        _ body: @escaping @Sendable (_ isCancelled: @escaping @Sendable () -> Bool) -> Result
    ) async -> Result {
        await withCheckedContinuation { continuation in
            queue.async { continuation.resume(returning: body { self.isCancelled }) }
        }
    }

    public var isCancelled: Bool {
        cancelled.withLock { $0 }
    }

    /// Ends the replay that runs and all that wait, soon.
    func cancel() {
        cancelled.withLock { $0 = true }
    }
}
