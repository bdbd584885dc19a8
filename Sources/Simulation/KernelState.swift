public import Ftrace
public import KernelImage
public import KernelModel
public import MachineModel
public import TextPatching
public import X86

/// The kernel log: printk lines with their time.
public struct KernelLog: Sendable {
    /// KERN_EMERG to KERN_DEBUG.
    public enum Level: Int, Sendable, Hashable, CaseIterable {
        case emergency = 0
        case alert
        case critical
        case error
        case warning
        case notice
        case info
        case debug
    }

    public struct Line: Sendable, Hashable {
        public let nanoseconds: UInt64
        public let level: Level
        public let text: String
    }
    /// Older lines are dropped beyond this.
    public static let linesMax = 16_384
    public private(set) var lines: [Line] = []
    /// Lines that were ever appended: the number of the next one, counted from 0.
    public private(set) var next: UInt64 = 0

    public init() {}

    public mutating func append(_ text: String, level: Level = .info, nanoseconds: UInt64) {
        if lines.count >= Self.linesMax { lines.removeFirst(Self.linesMax / 4) }
        lines.append(Line(nanoseconds: nanoseconds, level: level, text: text))
        next += 1
    }

    /// Lines from `number` on that are still there, oldest first, at most `limit`; and the number behind them. Where the log
    /// is shorter than that, there are none.
    public func lines(from number: UInt64, limit: Int) -> (lines: ArraySlice<Line>, next: UInt64) {
        guard number < next else { return ([], next) }
        let first = max(number, next - UInt64(lines.count))
        let found = lines[(lines.count - Int(next - first))...].prefix(limit)
        return (found, first + UInt64(found.count))
    }
}

/// Names one submitted update until it is complete.
public struct UpdateTicket: Sendable, Hashable {
    public let number: UInt64

    public init(number: UInt64) {
        self.number = number
    }
}

/// The kernel functions that stand below a walk's first function: a walk begins behind a return address that no text
/// holds, and a kernel thread's function has ret_from_fork() there, an interrupt's its entry code.
struct WalkCallers: Sendable {
    let task: VirtualAddress?
    let interrupt: VirtualAddress?
    let nmi: VirtualAddress?

    init(_ image: KernelImage) {
        func first(_ names: [String]) -> VirtualAddress? {
            names.lazy.compactMap { image.symbols.address(of: $0) }.first
        }
        task = first(["ret_from_fork", "ret_from_fork_asm"])
        interrupt = first(["asm_sysvec_apic_timer_interrupt", "asm_common_interrupt", "common_interrupt"])
        nmi = first(["asm_exc_nmi", "exc_nmi"])
    }

    /// `parent`, or the function that stands for it.
    func shown(_ parent: UInt64, inNMI: Bool) -> VirtualAddress {
        let address = VirtualAddress(parent)
        return switch parent {
        case Sentinel.taskTop: task ?? address
        case Sentinel.contextTop: (inNMI ? nmi : interrupt) ?? address
        default: address
        }
    }
}

/// What the simulator does at an address.
enum ServedKind: Sendable, Hashable {
    case schedule, preempt, waitingLoop, unwind, functionTraceCall, opsListFunction
}

/// What one update changed, for journal and clients.
public struct UpdateSummary: Sendable, Hashable {
    public let ticket: UInt64
    public var sites = 0
    public var batches = 0
    public var syncs = 0
    /// INT3 traps taken while it ran.
    public var traps: UInt64 = 0
    public let beganNanoseconds: UInt64
    public var endedNanoseconds: UInt64 = 0
}

/// Counts of INT3 traps.
public struct TrapStatistics: Sendable, Hashable {
    public var taken: UInt64 = 0
    public var emulated: UInt64 = 0
    public var perCPU: [UInt64]
    /// Traps by site.
    public var sites: [UInt64: UInt64] = [:]
}

/// Everything that the simulated CPUs share.
public struct KernelState: Sendable {
    public let image: KernelImage
    public private(set) var configuration: WorldConfiguration
    public let environment: MachineEnvironment
    let entryCode: KernelEntryCode
    public internal(set) var text: TextMemory
    public internal(set) var array: TextPokeArray
    public internal(set) var interrupts: InterprocessorInterrupts
    public internal(set) var scheduler: Scheduler
    public var ftrace: FtraceState
    public var log = KernelLog()
    public internal(set) var events = EventLog()
    public internal(set) var verdict = Verdict()
    public internal(set) var traps: TrapStatistics
    /// The newest updates that were carried out, oldest first, at most `updatesKeptMax`.
    var updates: [UpdateSummary] = []
    /// Simulated time since boot, in picoseconds; a client reads nanoseconds.
    var picoseconds: UInt64 = 0
    /// Turns taken so far.
    public internal(set) var turn: UInt64 = 0
    /// Per CPU: its do_sync_core() has begun and not yet acknowledged.
    var syncInHand: [Bool]
    var patcher: PatcherTask
    /// Who the trace says called a walk's first function: the kernel's own lowest frames, where the image has them.
    let callers: WalkCallers
    /// Where the simulator acts in the text's place.
    let served: [UInt64: ServedKind]
    /// Running sums of the workload's weights.
    let weights: [Int]
    /// The tasks' names as trace entries hold them.
    let comms: [TaskComm]
    /// What drivers draw turns by.
    public private(set) var rates: TurnRates
    var submitted: UInt64 = 0
    public internal(set) var completed: UInt64 = 0

    public var nanoseconds: UInt64 { picoseconds / 1000 }
    public var cpuCount: Int { configuration.cpuCount }
    /// Nothing moves any more behind a violation.
    public private(set) var isStopped = false

    init(
        image: KernelImage, configuration: WorldConfiguration, environment: MachineEnvironment,
        entryCode: KernelEntryCode,
        ftrace: FtraceState, served: [UInt64: ServedKind], tasks: [Task], patcherTask: Int
    ) {
        self.served = served
        callers = WalkCallers(image)
        comms = tasks.map { TaskComm($0.comm) }
        rates = TurnRates(configuration)
        var sum = 0
        weights = configuration.workload.entries.map { entry in
            sum += entry.weight
            return sum
        }
        self.image = image
        self.configuration = configuration
        self.environment = environment
        self.entryCode = entryCode
        self.ftrace = ftrace
        text = TextMemory(base: environment.text, model: configuration.fetchModel, cpuCount: configuration.cpuCount)
        array = TextPokeArray(cpuCount: configuration.cpuCount)
        interrupts = InterprocessorInterrupts(cpuCount: configuration.cpuCount)
        scheduler = Scheduler(tasks: tasks)
        traps = TrapStatistics(perCPU: Array(repeating: 0, count: configuration.cpuCount))
        syncInHand = Array(repeating: false, count: configuration.cpuCount)
        patcher = PatcherTask(taskIndex: patcherTask, ablation: configuration.ablation)
    }

    /// Sets how fast CPUs run and how often each is interrupted, from the next turn on; the values of `Workload`.
    public mutating func setRates(speed: Int, irq: Int, nmi: Int) {
        configuration.workload.speed = speed
        configuration.workload.irqRate = irq
        configuration.workload.nmiRate = nmi
        rates = TurnRates(configuration)
    }

    /// Queues steps for the patcher task; they are carried out in order while the world runs.
    public mutating func submit(_ steps: [FtraceStep]) -> UpdateTicket {
        submitted += 1
        patcher.queue.append((ticket: submitted, steps: steps))
        scheduler.wake(patcher.taskIndex)
        return UpdateTicket(number: submitted)
    }

    public func isSubmitted(_ ticket: UpdateTicket) -> Bool {
        ticket.number <= submitted
    }

    public func isComplete(_ ticket: UpdateTicket) -> Bool {
        ticket.number <= completed
    }

    /// Updates wait or are being carried out.
    public var isPatching: Bool {
        completed < submitted
    }

    /// Summaries that are kept.
    static let updatesKeptMax = 64

    /// What update `ticket` changed, while it is among the newest.
    public func update(_ ticket: UInt64) -> UpdateSummary? {
        updates.last { $0.ticket == ticket }
    }

    /// The newest bytes of text, as the patching alias reads them; nil outside of text.
    public func textBytes(at address: VirtualAddress, count: Int) -> [UInt8]? {
        let bytes = text.newestBytes(at: address, count: count)
        return bytes.count == count ? bytes : nil
    }

    // MARK: Look-ups of the step function

    var weightTotal: Int { weights.last ?? 0 }

    /// The workload's entry for a draw below `weightTotal`.
    func entry(forDraw draw: Int) -> VirtualAddress {
        var low = 0
        var high = weights.count - 1
        while low < high {
            let middle = (low + high) / 2
            if weights[middle] <= draw { low = middle + 1 } else { high = middle }
        }
        return configuration.workload.entries[low].function
    }

    func servedAt(_ address: UInt64) -> ServedKind? {
        served[address]
    }

    mutating func record(_ kind: EventKind, cpu: Int) {
        events.append(kind, cpu: cpu, nanoseconds: nanoseconds)
    }

    /// Stops the world. Only the first violation counts: what follows it means nothing.
    mutating func violate(_ invariant: Invariant, _ message: String, cpu: Int, address: UInt64) {
        guard verdict.violation == nil else { return }
        let violation = Violation(
            invariant: invariant, message: message, cpu: cpu, address: VirtualAddress(address),
            nanoseconds: nanoseconds,
            turn: turn)
        verdict.violation = violation
        isStopped = true
        record(.violated(violation), cpu: cpu)
    }
}

/// What a driver asks to decide who runs.
extension KernelState {
    /// `cpu` has a sync to acknowledge, or holds the patcher, whose wait is over.
    public func mustRun(_ cpu: Int) -> Bool {
        if interrupts.pending[cpu].sync || syncInHand[cpu] { return true }
        guard isPatching else { return false }
        let patcherState = scheduler[patcher.taskIndex].state
        if patcherState == .running(cpu: cpu) { return interrupts.outstanding.isEmpty }
        return patcherState == .runnable
    }

    /// The patcher is on `cpu`.
    public func holdsPatcher(_ cpu: Int) -> Bool {
        scheduler[patcher.taskIndex].state == .running(cpu: cpu)
    }
}
