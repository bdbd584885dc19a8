public import MachineModel

/// What a task is doing.
public enum TaskState: Sendable, Hashable {
    /// On a CPU.
    case running(cpu: Int)
    /// In the run queue.
    case runnable
    /// TASK_INTERRUPTIBLE until a time in nanoseconds.
    case sleeping(until: UInt64)
    /// Waits to be woken by an event.
    case blocked
}

/// What a task executes.
public enum TaskKind: Sendable, Hashable {
    /// Walks functions of the text.
    case guest
    /// Carries out text patching.
    case patcher
    /// Runs where there is nothing to run; one per CPU.
    case idle
}

/// Walks given up, by the rule of havoc that gave them up.
public struct UnwindCounts: Sendable, Hashable {
    /// Rule 3: RSP, IF or a return address from havoc.
    public var state: UInt64 = 0
    /// Rule 5.
    public var budget: UInt64 = 0
    /// Rule 6.
    public var fault: UInt64 = 0

    public init() {}
}

/// struct task_struct, as far as it is modelled.
public struct Task: Sendable {
    /// TASK_COMM_LEN - 1.
    public static let commLengthMax = 15

    public let pid: Int
    public let comm: String
    public let kind: TaskKind
    public var state: TaskState
    /// Registers and memory while the task is not on a CPU.
    public var parked: ExecutionContext?
    /// Entry of the walk that it is in.
    public var function: UInt64 = 0
    /// Walks finished or unwound.
    public var loops: UInt64 = 0
    public var unwinds = UnwindCounts()
    /// RCU-tasks grace periods that it has passed: the number of the last one at a voluntary switch.
    public var quiescent: UInt64 = 0
    /// Exception contexts are nested on it; kept for idle tasks only.
    public var isInterrupted = false
    /// CPU it last ran on.
    public var lastCPU = 0
    public var migrations: UInt64 = 0

    public init(pid: Int, comm: String, kind: TaskKind, state: TaskState, context: ExecutionContext) {
        self.pid = pid
        self.comm = String(comm.prefix(Self.commLengthMax))
        self.kind = kind
        self.state = state
        parked = context
    }
}
