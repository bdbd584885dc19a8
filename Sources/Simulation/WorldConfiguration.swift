public import MachineModel
public import TextPatching
public import X86

/// What the simulator does in place of a function of the text (rule 4 of havoc).
public enum ServedAction: String, Sendable, Hashable, CaseIterable {
    /// Gives the CPU away and returns: schedule() and its relatives.
    case schedule
    /// Ends the walk: do_exit(), panic(), the idle loop.
    case unwind
}

/// What the tasks run, resolved against an image.
public struct Workload: Sendable, Hashable {
    public struct Entry: Sendable, Hashable {
        public let function: VirtualAddress
        /// Relative frequency, at least 1.
        public let weight: Int

        public init(function: VirtualAddress, weight: Int) {
            self.function = function
            self.weight = weight
        }
    }

    public var entries: [Entry]
    public var irqEntries: [VirtualAddress]
    public var nmiEntries: [VirtualAddress]
    /// Functions by their start.
    public var served: [VirtualAddress: ServedAction]
    /// Interrupts and NMIs per CPU and simulated second.
    public var irqRate: Int
    public var nmiRate: Int
    /// Instructions that all CPUs together retire in a simulated second.
    public var speed: Int

    public init(
        entries: [Entry], irqEntries: [VirtualAddress] = [], nmiEntries: [VirtualAddress] = [],
        served: [VirtualAddress: ServedAction] = [:], irqRate: Int = 250, nmiRate: Int = 25,
        speed: Int = 2_000_000
    ) {
        self.entries = entries
        self.irqEntries = irqEntries
        self.nmiEntries = nmiEntries
        self.served = served
        self.irqRate = irqRate
        self.nmiRate = nmiRate
        self.speed = speed
    }
}

/// Everything that fixes a world, besides the image and what clients ask of it.
public struct WorldConfiguration: Sendable, Hashable {
    public static let cpusMax = 64
    public static let tasksMax = 1024

    public var cpuCount: Int
    public var taskCount: Int
    public var seed: UInt64
    public var fetchModel: FetchModel
    public var ablation: TextPokeAblation
    public var workload: Workload

    public init(
        cpuCount: Int = 4, taskCount: Int = 16, seed: UInt64 = 1, fetchModel: FetchModel = .chunk16,
        ablation: TextPokeAblation = [], workload: Workload
    ) {
        precondition((1...Self.cpusMax).contains(cpuCount), "1 to \(Self.cpusMax) CPUs")
        precondition((0...Self.tasksMax).contains(taskCount), "at most \(Self.tasksMax) tasks")
        self.cpuCount = cpuCount
        self.taskCount = taskCount
        self.seed = seed
        self.fetchModel = fetchModel
        self.ablation = ablation
        self.workload = workload
    }
}
