internal import Locking
import Simulation

/// What all driver queues share: the kernel, the record of the run, and who runs.
struct SharedKernel: Sendable {
    var kernel: KernelState
    var history: History
    /// No CPU may begin a turn.
    var isPaused = true
    /// CPUs with a burst queued because somebody woke them.
    var kicked: Set<Int> = []
    var waiters: [Waiter] = []
    /// Each CPU as it stood after its last turn.
    var views: [CPUView]

    struct Waiter: Sendable {
        let ticket: UpdateTicket
        let continuation: CheckedContinuation<Void, Never>
    }

    /// Who waits for an update that is complete by now, or that never will be: the world stands still.
    mutating func takeDueWaiters() -> [Waiter] {
        guard !waiters.isEmpty else { return [] }
        let due = waiters.filter { kernel.isComplete($0.ticket) || kernel.isStopped }
        if !due.isEmpty { waiters.removeAll { kernel.isComplete($0.ticket) || kernel.isStopped } }
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
