internal import Locking
import Simulation

/// What all driver queues share: the kernel, the record of the run, and who runs.
struct SharedKernel: Sendable {
    var kernel: KernelState
    var history: History
    /// No CPU may begin a turn.
    var isPaused = true
    /// People asked for rest: while the world is brought to rest for a moment only, this is false.
    var isRestAsked = true
    /// CPUs with a burst queued because somebody woke them.
    var kicked: Set<Int> = []
    var waiters: [Waiter] = []
    /// Each CPU as it stood after its last turn.
    var views: [CPUView]

    struct Waiter: Sendable {
        let ticket: UpdateTicket
        let continuation: CheckedContinuation<UpdateOutcome, Never>
    }

    /// Waiters with what they are to be told.
    struct DueWaiters: Sendable {
        var entries: [(waiter: Waiter, outcome: UpdateOutcome)] = []

        func resume() {
            for (waiter, outcome) in entries { waiter.continuation.resume(returning: outcome) }
        }
    }

    /// What has become of an update; nil while it waits or is carried out.
    func outcome(of ticket: UpdateTicket) -> UpdateOutcome? {
        kernel.isComplete(ticket) ? .complete : kernel.isStopped ? .stopped : nil
    }

    /// Who waits for an update that is complete by now, or that never will be: the world stands still.
    mutating func takeDueWaiters() -> DueWaiters {
        var due = DueWaiters()
        guard !waiters.isEmpty else { return due }
        let all = waiters
        waiters = []
        for waiter in all {
            if let outcome = outcome(of: waiter.ticket) {
                due.entries.append((waiter, outcome))
            } else {
                waiters.append(waiter)
            }
        }
        return due
    }

    /// Who waits for an update that the kernel, taken back, has not been asked for.
    mutating func takeWaitersTakenBack() -> DueWaiters {
        var due = takeDueWaiters()
        let all = waiters
        waiters = []
        for waiter in all {
            if kernel.isSubmitted(waiter.ticket) {
                waiters.append(waiter)
            } else {
                due.entries.append((waiter, .takenBack))
            }
        }
        return due
    }

    /// CPUs that must run although their time is used up: a request waits for them, or what they waited for has come.
    mutating func takeKicks(except current: Int) -> [Int] {
        var kicks: [Int] = []
        for cpu in 0..<kernel.cpuCount where cpu != current && !kicked.contains(cpu) && kernel.mustRun(cpu) {
            kicked.insert(cpu)
            kicks.append(cpu)
        }
        return kicks
    }
}
