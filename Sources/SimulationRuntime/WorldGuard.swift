internal import Locking
public import MachineModel
public import Simulation
internal import Synchronization

/// A machine's figures at one moment between two holds of the guard.
public struct MachineSummary: Sendable, Hashable {
    public let kernel: KernelSummary
    /// Of all CPUs.
    public let counts: RetiredCounts
    /// People asked for rest.
    public let isPaused: Bool
}

/// The one guard around what CPUs share, and a copy of the figures that people ask for most.
///
/// Whoever only wants these should not wait for the guard, nor make the CPUs wait. So a hold publishes them at its end, but
/// only for a while after somebody has asked: for a machine that nobody asks this costs a hold two loads and a store.
final class WorldGuard: Sendable {
    private struct Published: Sendable {
        var summary: MachineSummary
        /// How many holds had begun by then; the last of them is in the summary.
        var holds: UInt64
    }

    private let shared: Guarded<SharedKernel>
    /// Taken inside of the other guard, never the other way round.
    private let published: Guarded<Published>
    /// Holds that have begun. Written by whoever has the guard.
    private let holds = Atomic<UInt64>(0)
    /// Holds that are still to publish. Set by whoever asks, counted down by whoever has the guard.
    private let wanted = Atomic<Int>(0)
    /// Holds that publish after a question: a few milliseconds of a busy machine.
    private static let holdsPerQuestion = 1024

    init(_ kernel: sending SharedKernel) {
        published = Guarded(Published(summary: kernel.summary, holds: 0))
        shared = Guarded(kernel)
    }

    /// Runs `body` alone. It must be short and must not take another guard.
    func withLock<Result, Failure: Error>(
        _ body: (inout sending SharedKernel) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        try shared.withLock { shared throws(Failure) in
            holds.store(holds.load(ordering: .relaxed) + 1, ordering: .relaxed)
            defer { if wanted.load(ordering: .relaxed) > 0 { publish(shared.summary) } }
            return try body(&shared)
        }
    }

    /// The figures as they are between two holds; waits for the guard.
    func summary() -> MachineSummary {
        shared.withLock { shared in
            let summary = shared.summary
            publish(summary)
            return summary
        }
    }

    /// The figures as they are now, or, where somebody has the guard, as they were before that hold: nobody can have seen
    /// later ones. Nil where those were not published: then `summary()` has to be waited for.
    func summaryAtOnce() -> MachineSummary? {
        wanted.store(Self.holdsPerQuestion, ordering: .relaxed)
        let last = published.withLock { $0 }
        if last.holds == holds.load(ordering: .relaxed) { return last.summary }
        let now = shared.withLockIfFree { shared in
            let summary = shared.summary
            publish(summary)
            return summary
        }
        if let now { return now }
        let before = published.withLock { $0 }
        return before.holds + 1 >= holds.load(ordering: .relaxed) ? before.summary : nil
    }

    /// Under the guard.
    private func publish(_ summary: MachineSummary) {
        wanted.store(max(wanted.load(ordering: .relaxed) - 1, 0), ordering: .relaxed)
        let number = holds.load(ordering: .relaxed)
        published.withLock { $0 = Published(summary: summary, holds: number) }
    }
}

extension SharedKernel {
    fileprivate var summary: MachineSummary {
        MachineSummary(
            kernel: kernel.summary, counts: views.reduce(into: RetiredCounts()) { $0 += $1.counts },
            isPaused: isRestAsked)
    }
}
