public import MachineModel

/// One run queue for all CPUs: tasks migrate to whoever is free.
public struct Scheduler: Sendable {
    public private(set) var tasks: [Task]
    /// Indices into `tasks`, first in first out. The patcher goes to the front: text_mutex is held by somebody.
    private var queue: [Int] = []
    /// Number of the newest RCU-tasks grace period.
    public private(set) var gracePeriod: UInt64 = 0
    public private(set) var switches: UInt64 = 0

    public init(tasks: [Task]) {
        self.tasks = tasks
        queue = tasks.indices.filter { tasks[$0].state == .runnable }
    }

    public subscript(index: Int) -> Task {
        _read { yield tasks[index] }
        _modify { yield &tasks[index] }
    }

    public var hasRunnable: Bool {
        !queue.isEmpty
    }

    /// Makes a task runnable; nothing happens where it already is.
    public mutating func wake(_ index: Int) {
        switch tasks[index].state {
        case .sleeping, .blocked:
            tasks[index].state = .runnable
            if tasks[index].kind == .patcher { queue.insert(index, at: 0) } else { queue.append(index) }
        case .running, .runnable: break
        }
    }

    /// Wakes everybody whose time has come; returns how many.
    @discardableResult
    public mutating func wakeSleepers(at nanoseconds: UInt64) -> Int {
        var woken = 0
        for index in tasks.indices {
            if case .sleeping(let until) = tasks[index].state, until <= nanoseconds {
                wake(index)
                woken += 1
            }
        }
        return woken
    }

    /// When the first sleeper wakes; nil where nobody sleeps.
    public var nextWake: UInt64? {
        tasks.lazy.compactMap { if case .sleeping(let until) = $0.state { until } else { nil } }.min()
    }

    /// Takes the running task off `cpu` into `state` and puts the next runnable one, or `idle`, there.
    ///
    /// Returns the index of the task that runs now.
    public mutating func switchTask(
        on cpu: inout CPUState, from current: Int, to state: TaskState, idle: Int
    ) -> Int {
        // Nobody else wants the CPU.
        if queue.isEmpty, state == .runnable { return current }
        let next = queue.isEmpty ? idle : queue.removeFirst()
        tasks[current].state = state
        if state == .runnable, tasks[current].kind != .idle { queue.append(current) }
        if next == current {
            tasks[current].state = .running(cpu: cpu.index)
            return current
        }
        switches += 1
        guard let context = tasks[next].parked else {
            preconditionFailure("a task that is not on a CPU has its registers parked")
        }
        tasks[next].parked = nil
        tasks[current].parked = cpu.context
        cpu.context = context
        if tasks[next].kind != .idle, tasks[next].lastCPU != cpu.index {
            tasks[next].migrations += 1
            tasks[next].lastCPU = cpu.index
        }
        tasks[next].state = .running(cpu: cpu.index)
        return next
    }

    // MARK: RCU-tasks

    /// Starts a grace period: it ends when every task has switched voluntarily or was asleep.
    public mutating func beginGracePeriod() -> UInt64 {
        gracePeriod += 1
        return gracePeriod
    }

    /// A voluntary context switch of task `index`.
    public mutating func noteQuiescent(_ index: Int) {
        tasks[index].quiescent = gracePeriod
    }

    /// Whether grace period `number` is over. Sleepers left the text voluntarily; an idle task holds it only while an
    /// interrupt runs on it (what synchronize_rcu_tasks_rude() waits for); the patcher waits itself.
    public func isOver(_ number: UInt64) -> Bool {
        for index in tasks.indices {
            switch tasks[index].kind {
            case .patcher: break
            case .idle: if tasks[index].isInterrupted { return false }
            case .guest:
                if case .sleeping = tasks[index].state { break }
                if tasks[index].quiescent < number { return false }
            }
        }
        return true
    }
}
