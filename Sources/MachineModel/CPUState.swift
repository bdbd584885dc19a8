/// Why an instruction did not simply retire.
@frozen
public enum Trap: UInt8, Sendable {
    case none
    /// Needs the shared text; nothing has happened yet.
    case needsShared
    /// #BP. RIP still stands at the INT3: whoever enters the exception advances it.
    case breakpoint
    /// #UD.
    case undefinedOpcode
    /// #PF at `faultAddress`.
    case pageFault
    /// A serializing instruction retired.
    case serialized
    /// Rule 3: RSP, IF or a return address came from a havoc'd value.
    case havocStack
    /// Rule 5: a section with interrupts off or a whole walk used up its budget.
    case budget
}

/// RFLAGS bits, SDM vol. 1, 3.4.3.
public enum FlagBit {
    public static let carry: UInt64 = 1 << 0
    public static let parity: UInt64 = 1 << 2
    public static let adjust: UInt64 = 1 << 4
    public static let zero: UInt64 = 1 << 6
    public static let sign: UInt64 = 1 << 7
    public static let interrupt: UInt64 = 1 << 9
    public static let direction: UInt64 = 1 << 10
    public static let overflow: UInt64 = 1 << 11
    public static let alwaysSet: UInt64 = 1 << 1
    public static let status: UInt64 = carry | parity | adjust | zero | sign | overflow
}

/// Numbers of the general registers in encoding order.
public enum RegisterNumber {
    public static let ax = 0
    public static let cx = 1
    public static let dx = 2
    public static let bx = 3
    public static let sp = 4
    public static let bp = 5
    public static let si = 6
    public static let di = 7
}

/// What execution of one task consists of: registers, and the memory that is private to the task.
public struct ExecutionContext: Sendable {
    public var registers = InlineArray<16, UInt64>(repeating: 0)
    public var rip: UInt64 = 0
    public var rflags: UInt64 = FlagBit.alwaysSet | FlagBit.interrupt
    /// A bit per register whose value derives from havoc.
    public var havocRegisters: UInt16 = 0
    public var flagsAreHavoc = false
    public var memory: GuestMemory
    public var source: SeededSource
    /// Where the last return or indirect branch led: a walk that lost its way comes by one.
    public var lastIndirectTarget: UInt64 = 0
    /// Instructions left before rule 5 unwinds this walk.
    public var walkBudget = 0

    public init(memory: GuestMemory, seed: UInt64) {
        self.memory = memory
        source = SeededSource(seed: seed)
        registers[RegisterNumber.sp] = memory.stackTop
    }

    @inlinable
    public var rsp: UInt64 {
        get { registers[RegisterNumber.sp] }
        set { registers[RegisterNumber.sp] = newValue }
    }

    @inlinable
    public var interruptsEnabled: Bool {
        rflags & FlagBit.interrupt != 0
    }
}

/// How much was executed, and how exactly.
public struct RetiredCounts: Sendable, Hashable {
    public var instructions: UInt64 = 0
    /// Of them, those with an input that derived from havoc.
    public var havocInputs: UInt64 = 0
    public var havoc = HavocCounts()

    public init() {}

    /// Of the instructions, those with exact semantics.
    public var exact: UInt64 { instructions - havoc.instructions }
    /// Of the instructions, those whose inputs did not derive from havoc.
    public var exactInputs: UInt64 { instructions - havocInputs }

    public static func += (left: inout RetiredCounts, right: RetiredCounts) {
        left.instructions += right.instructions
        left.havocInputs += right.havocInputs
        left.havoc += right.havoc
    }
}

/// One simulated processor as the interpreter sees it.
public struct CPUState: Sendable {
    /// Instructions with IF = 0 after which rule 5 unwinds.
    public static let interruptsOffBudget = 4096
    /// Bytes of the IST stack that NMIs run on (EXCEPTION_STKSZ).
    public static let nmiStackSize = 8192
    /// IRQ_STACK_SIZE.
    public static let irqStackSize = 16 * 1024

    public let index: Int
    public var context: ExecutionContext
    public var frontEnd = FrontEnd()
    public var counts = RetiredCounts()
    /// Interrupts are held off for one more instruction (the shadow of STI).
    public var interruptShadow = false
    /// Address of the last #PF.
    public var faultAddress: UInt64 = 0
    /// Instructions since IF was last set.
    var interruptsOffCount = 0
    var perCPU: PrivateRegion
    var nmiStack: PrivateRegion
    /// hardirq_stack_ptr: interrupt handlers run here, so that what they spoil is not the interrupted frame.
    var irqStack: PrivateRegion
    /// Where an NMI's handler walks; its frame stands on `nmiStack` above.
    var nmiHandlerStack: PrivateRegion
    public let gsBase: UInt64

    public init(index: Int, environment: MachineEnvironment, context: ExecutionContext) {
        self.index = index
        self.context = context
        gsBase = environment.perCPUBase ?? 0xffff_8880_7dc0_0000 + UInt64(index) << 20
        perCPU = PrivateRegion(base: gsBase, size: max(environment.perCPUTemplate?.bytes.count ?? 0, 4096))
        nmiStack = PrivateRegion(
            base: 0xffff_fe00_0000_8000 + UInt64(index) << 16, size: Self.nmiStackSize)
        irqStack = PrivateRegion(
            base: 0xffff_c900_8000_0000 + UInt64(index) << 16, size: Self.irqStackSize)
        nmiHandlerStack = PrivateRegion(
            base: 0xffff_fe80_0000_0000 + UInt64(index) << 16, size: Self.nmiStackSize)
    }

    /// The address just above the NMI stack of this CPU.
    public var nmiStackTop: UInt64 {
        nmiStack.base + UInt64(Self.nmiStackSize)
    }

    /// The address just above this CPU's interrupt stack.
    public var irqStackTop: UInt64 {
        irqStack.base + UInt64(Self.irqStackSize)
    }

    /// The address just above the stack that NMI handlers walk on.
    public var nmiHandlerStackTop: UInt64 {
        nmiHandlerStack.base + UInt64(Self.nmiStackSize)
    }

    public func isOnIRQStack(_ address: UInt64) -> Bool {
        irqStack.contains(address, 1)
    }

    /// One of the stacks that only exceptions use.
    @inline(__always)
    func isHandlerStack(_ address: UInt64, _ count: Int) -> Bool {
        nmiStack.contains(address, count) || irqStack.contains(address, count)
            || nmiHandlerStack.contains(address, count)
    }
}
