import KernelModel
public import MachineModel
import TextPatching
import X86

/// A #BP in kernel text: its entry and exit code execute, the handler between them runs as steps.
struct BreakpointContext: Sendable {
    let site: VirtualAddress
    /// What the interrupted code should go on with; nil where nothing is known about the site.
    let expectation: EmulationExpectation?
    /// Nil while entry or exit code executes.
    var handler: Int3Handler?
}

/// An exception context that nests on a CPU above its task.
struct ExceptionContext: Sendable {
    enum Kind: Sendable {
        case breakpoint(BreakpointContext)
        /// The IPI of text_poke_sync(); do_sync_core() is one step.
        case sync
        /// An interrupt whose handler walks text.
        case interrupt
        /// An NMI whose handler walks text.
        case nmi
    }

    var kind: Kind
    /// The frame of an interrupt, an NMI or an IPI; a #BP's entry code makes its own.
    let regs: PtRegs?
    let flagsAreHavoc: Bool
    /// The interrupted walk's budget.
    let walkBudget: Int
    /// Where the interrupted walk's last indirect branch went.
    let lastIndirectTarget: UInt64
    /// The handler is through; the next step is IRET.
    var isFinished = false

}

/// What the innermost context of a CPU is about; kept beside the contexts since every step asks.
enum ContextPhase: UInt8, Sendable {
    /// No context: the task itself.
    case task
    /// A handler, or entry or exit code, that executes text.
    case walk
    /// A handler of routine steps.
    case routine
    /// The next step is IRET.
    case finished
}

/// One simulated CPU with the task on it and its nested contexts.
public struct SimulatedCPU: Sendable {
    public internal(set) var state: CPUState
    /// Index of the running task.
    public internal(set) var task: Int
    /// Index of this CPU's idle task.
    let idleTask: Int
    private(set) var contexts: [ExceptionContext] = []
    private(set) var phase = ContextPhase.task
    /// NMI contexts among `contexts`.
    private(set) var nmiNesting = 0
    /// An NMI is being handled; IRET ends it.
    var nmiMasked = false
    /// An NMI came while one was handled and an IRET had unmasked it: it runs again.
    var nmiRepeats = false
    /// The time slice is over.
    var needsReschedule = false
    /// Interrupts since the task was switched in.
    var ticks = 0
    /// The guest task whose address space is loaded; kernel threads and the idle task borrow it (lazy TLB).
    var addressSpace = -1
    /// A trap of the private run, to be dealt with in the next shared step.
    var pendingTrap = Trap.none
    public internal(set) var interruptsTaken: UInt64 = 0
    public internal(set) var nmisTaken: UInt64 = 0

    public var index: Int { state.index }

    init(index: Int, environment: MachineEnvironment, context: ExecutionContext, idleTask: Int) {
        state = CPUState(index: index, environment: environment, context: context)
        task = idleTask
        self.idleTask = idleTask
    }

    /// Runs text privately: nothing but instructions are next on this CPU.
    var walksText: Bool {
        phase == .task || phase == .walk
    }

    mutating func push(_ context: ExceptionContext) {
        contexts.append(context)
        if case .nmi = context.kind { nmiNesting += 1 }
        settlePhase()
    }

    mutating func pop() -> ExceptionContext {
        let context = contexts.removeLast()
        if case .nmi = context.kind { nmiNesting -= 1 }
        settlePhase()
        return context
    }

    /// The innermost handler is through.
    mutating func finishContext() {
        contexts[contexts.count - 1].isFinished = true
        phase = .finished
    }

    /// Replaces the innermost context's state.
    mutating func update(_ kind: ExceptionContext.Kind) {
        contexts[contexts.count - 1].kind = kind
        settlePhase()
    }

    private mutating func settlePhase() {
        guard let top = contexts.last else {
            phase = .task
            return
        }
        if top.isFinished {
            phase = .finished
        } else {
            switch top.kind {
            case .interrupt, .nmi: phase = .walk
            case .breakpoint(let breakpoint): phase = breakpoint.handler == nil ? .walk : .routine
            case .sync: phase = .routine
            }
        }
    }

    /// `task`, `irq`, `nmi`, `int3` or `ipi`.
    public var contextName: String {
        switch contexts.last?.kind {
        case nil: "task"
        case .breakpoint: "int3"
        case .sync: "ipi"
        case .interrupt: "irq"
        case .nmi: "nmi"
        }
    }

    /// Names of the nested contexts, outermost first.
    public var nesting: Int { contexts.count }
}

/// Return addresses and entries that no text holds: the simulator acts there.
enum Sentinel {
    /// A task's walk has returned to its top.
    static let taskTop: UInt64 = 0xffff_ffff_ff00_0010
    /// An interrupt's or NMI's walk has returned to its entry code.
    static let contextTop: UInt64 = 0xffff_ffff_ff00_0020
    /// exc_int3(): the entry code calls it with pt_regs.
    static let int3Handler: UInt64 = 0xffff_ffff_ff00_0030
    /// The page that the entry code stands in, between the modules and the fixmap.
    static let entryText: UInt64 = 0xffff_ffff_ff00_1000
}
