/// How the world is driven.
public enum MachineDriver: String, Codable, Sendable, Hashable, CaseIterable {
    case live
    case deterministic
}

/// Whether the world runs.
public enum MachineRunState: String, Codable, Sendable, Hashable, CaseIterable {
    case running
    case paused
    case stoppedByViolation = "stopped_by_violation"
}

/// What a CPU is running in.
public enum CPUContext: String, Codable, Sendable, Hashable, CaseIterable {
    case task
    case irq
    case nmi
    case int3
}

/// How much of what was executed is exact.
public struct Exactness: Codable, Sendable, Hashable {
    /// Share of retired instructions that have exact semantics, 0 to 1.
    public var exactSemantics: Double
    /// Share of retired instructions none of whose inputs are havoc'd, 0 to 1.
    public var knownInputs: Double

    public init(exactSemantics: Double, knownInputs: Double) {
        self.exactSemantics = exactSemantics
        self.knownInputs = knownInputs
    }
}

/// The machine at a moment. Each field's meaning stands in io.patchsim.Machine.varlink.
public struct MachineState: Codable, Sendable, Hashable {
    /// `builtin`, or the path of the kernel image.
    public var kernel: String
    public var banner: String
    /// `x86_64` or `i386`.
    public var mode: String
    public var driver: MachineDriver
    public var run: MachineRunState
    public var cpuCount: Int
    public var taskCount: Int
    public var seed: Int
    public var fetchModel: String
    public var ablated: [String]
    /// Simulated time since boot.
    public var nanoseconds: Int
    public var retired: Int
    public var exactness: Exactness
    public var pokes: Int
    public var batches: Int
    public var syncs: Int
    public var trapsTaken: Int
    public var trapsEmulated: Int
    public var trapSites: Int
    public var tracer: String
    public var enabledSites: Int
    public var eventSequence: Int
    public var violations: Int

    public init(
        kernel: String, banner: String, mode: String, driver: MachineDriver, run: MachineRunState, cpuCount: Int,
        taskCount: Int, seed: Int, fetchModel: String, ablated: [String], nanoseconds: Int, retired: Int,
        exactness: Exactness, pokes: Int, batches: Int, syncs: Int, trapsTaken: Int, trapsEmulated: Int,
        trapSites: Int, tracer: String, enabledSites: Int, eventSequence: Int, violations: Int
    ) {
        self.kernel = kernel
        self.banner = banner
        self.mode = mode
        self.driver = driver
        self.run = run
        self.cpuCount = cpuCount
        self.taskCount = taskCount
        self.seed = seed
        self.fetchModel = fetchModel
        self.ablated = ablated
        self.nanoseconds = nanoseconds
        self.retired = retired
        self.exactness = exactness
        self.pokes = pokes
        self.batches = batches
        self.syncs = syncs
        self.trapsTaken = trapsTaken
        self.trapsEmulated = trapsEmulated
        self.trapSites = trapSites
        self.tracer = tracer
        self.enabledSites = enabledSites
        self.eventSequence = eventSequence
        self.violations = violations
    }
}

/// A simulated CPU.
public struct CPUState: Codable, Sendable, Hashable {
    public var index: Int
    /// `running`, `idle`, `waiting` or `stopped`.
    public var state: String
    public var pid: Int?
    public var comm: String?
    /// A wire address.
    public var ip: String
    public var symbol: String
    public var context: CPUContext
    public var interruptsEnabled: Bool
    public var retired: Int
    public var traps: Int

    public init(
        index: Int, state: String, pid: Int? = nil, comm: String? = nil, ip: String, symbol: String,
        context: CPUContext, interruptsEnabled: Bool, retired: Int, traps: Int
    ) {
        self.index = index
        self.state = state
        self.pid = pid
        self.comm = comm
        self.ip = ip
        self.symbol = symbol
        self.context = context
        self.interruptsEnabled = interruptsEnabled
        self.retired = retired
        self.traps = traps
    }
}

/// Unwinds of a task to its top, by the havoc rule that forced them.
public struct TaskUnwinds: Codable, Sendable, Hashable {
    public var state: Int
    public var budget: Int
    public var fault: Int

    public init(state: Int, budget: Int, fault: Int) {
        self.state = state
        self.budget = budget
        self.fault = fault
    }
}

/// A simulated task.
public struct TaskState: Codable, Sendable, Hashable {
    public var pid: Int
    public var comm: String
    /// `running`, `runnable`, `sleeping` or `blocked`.
    public var state: String
    public var cpu: Int?
    public var function: String
    public var loops: Int
    public var unwinds: TaskUnwinds

    public init(
        pid: Int, comm: String, state: String, cpu: Int? = nil, function: String, loops: Int, unwinds: TaskUnwinds
    ) {
        self.pid = pid
        self.comm = comm
        self.state = state
        self.cpu = cpu
        self.function = function
        self.loops = loops
        self.unwinds = unwinds
    }
}

/// One executed instruction.
public struct StepRecord: Codable, Sendable, Hashable {
    public var cpu: Int
    public var address: String
    public var symbol: String
    public var bytes: String
    public var text: String
    public var context: CPUContext
    public var nanoseconds: Int

    public init(
        cpu: Int, address: String, symbol: String, bytes: String, text: String, context: CPUContext, nanoseconds: Int
    ) {
        self.cpu = cpu
        self.address = address
        self.symbol = symbol
        self.bytes = bytes
        self.text = text
        self.context = context
        self.nanoseconds = nanoseconds
    }
}
