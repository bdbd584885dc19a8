public import X86

/// Why an instruction did not simply retire.
@frozen
public enum Trap: UInt8, Sendable, Error {
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
    /// #DE.
    case divideError
    /// #DB. After INT1 and a single step RIP stands behind the instruction.
    case debug
    /// #OF, from INTO; RIP still stands at it.
    case overflow
    /// #BR.
    case boundRange
    /// #GP with `errorCode`.
    case generalProtection
    /// #SS with `errorCode`.
    case stackFault
    /// #NP with `errorCode`.
    case segmentNotPresent
    /// #AC.
    case alignmentCheck
    /// INT n with vector `softwareVector`; RIP still stands at it.
    case softwareInterrupt
    /// #DF: the delivery of an exception took another.
    case doubleFault
    /// HLT retired: nothing more until an interrupt.
    case halted
    /// The attention word asked for an end of the run; nothing has happened to the next instruction.
    case attention
}

/// RFLAGS bits, SDM vol. 1, 3.4.3.
public enum FlagBit {
    public static let carry: UInt64 = 1 << 0
    public static let parity: UInt64 = 1 << 2
    public static let adjust: UInt64 = 1 << 4
    public static let zero: UInt64 = 1 << 6
    public static let sign: UInt64 = 1 << 7
    public static let trap: UInt64 = 1 << 8
    public static let interrupt: UInt64 = 1 << 9
    public static let direction: UInt64 = 1 << 10
    public static let overflow: UInt64 = 1 << 11
    public static let privilegeLevel: UInt64 = 3 << 12
    public static let nestedTask: UInt64 = 1 << 14
    public static let resume: UInt64 = 1 << 16
    public static let virtual8086: UInt64 = 1 << 17
    public static let alignmentCheck: UInt64 = 1 << 18
    public static let virtualInterrupt: UInt64 = 1 << 19
    public static let virtualInterruptPending: UInt64 = 1 << 20
    public static let identification: UInt64 = 1 << 21
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
    /// 0...15 are the general registers in encoding order. Slot 16 always reads as zero, and slot 17 holds the address of
    /// the next instruction while one executes: what an effective address adds up needs no branches then. The rest is
    /// there so that five bits of an index need no check.
    public var registers = InlineArray<32, UInt64>(repeating: 0)
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
    public let mode: ProcessorMode
    /// Linear addresses wrap here.
    let addressMask: UInt64
    public var context: ExecutionContext
    public var system: SystemRegisters
    public var descriptors: DescriptorTable
    /// Nil: exceptions end a run and nothing is delivered.
    public var gates: GateTable?
    public var options = ProcessorOptions()
    public var frontEnd = FrontEnd()
    public var counts = RetiredCounts()
    /// Interrupts are held off for one more instruction (the shadow of STI).
    public var interruptShadow = false
    /// Interrupts and #DB are held off for one more instruction (the shadow of MOV SS and POP SS).
    public var stackShadow = false
    /// An NMI is being handled; IRET ends it.
    public var nmiMasked = false
    /// Address of the last #PF.
    public var faultAddress: UInt64 = 0
    /// Error code of the last exception that has one.
    public var errorCode: UInt32 = 0
    /// Vector of the last INT n.
    public var softwareVector: UInt8 = 0
    /// A REP string instruction has iterations left: it stands again and has not retired.
    public internal(set) var isRepeating = false
    /// Where the instruction in hand goes on.
    var target: UInt64 = 0
    /// What the instruction in hand ends with, besides retiring.
    var outcome = Trap.none
    /// Executions without exact semantics, by mnemonic, and their addresses; nil where nobody asked.
    public var coverage: Coverage?
    /// Instructions since IF was last set.
    var interruptsOffCount = 0
    var perCPU: PrivateRegion
    var nmiStack: PrivateRegion
    /// hardirq_stack_ptr: interrupt handlers run here, so that what they spoil is not the interrupted frame.
    var irqStack: PrivateRegion
    /// Where an NMI's handler walks; its frame stands on `nmiStack` above.
    var nmiHandlerStack: PrivateRegion

    public init(index: Int, environment: MachineEnvironment, context: ExecutionContext) {
        self.index = index
        self.context = context
        mode = environment.decoder.mode
        addressMask = mode == .x86_64 ? ~0 : 0xffff_ffff
        system = SystemRegisters(mode64: mode == .x86_64)
        descriptors = .linux(mode)
        let base = environment.perCPUBase ?? 0xffff_8880_7dc0_0000 + UInt64(index) << 20
        system.gsBase = base
        perCPU = PrivateRegion(base: base, size: max(environment.perCPUTemplate?.bytes.count ?? 0, 4096))
        nmiStack = PrivateRegion(
            base: 0xffff_fe00_0000_8000 + UInt64(index) << 16, size: Self.nmiStackSize)
        irqStack = PrivateRegion(
            base: 0xffff_c900_8000_0000 + UInt64(index) << 16, size: Self.irqStackSize)
        nmiHandlerStack = PrivateRegion(
            base: 0xffff_fe80_0000_0000 + UInt64(index) << 16, size: Self.nmiStackSize)
        setFlatSegments(privilegeLevel: 0)
    }

    /// A CPU of a machine whose memory is mapped explicitly.
    init(mode: ProcessorMode, context: ExecutionContext, privilegeLevel: Int) {
        index = 0
        self.mode = mode
        self.context = context
        addressMask = mode == .x86_64 ? ~0 : 0xffff_ffff
        system = SystemRegisters(mode64: mode == .x86_64)
        descriptors = .linux(mode)
        perCPU = context.memory.stack
        (nmiStack, irqStack, nmiHandlerStack) = (perCPU, perCPU, perCPU)
        setFlatSegments(privilegeLevel: privilegeLevel)
    }

    private mutating func setFlatSegments(privilegeLevel: Int) {
        let isKernel = privilegeLevel == 0
        system.privilegeLevel = privilegeLevel
        system[.cs] = isKernel ? LinuxSelector.kernelCode(mode) : LinuxSelector.userCode(mode)
        let data = isKernel ? LinuxSelector.kernelData(mode) : LinuxSelector.userData(mode)
        system[.ss] = data
        if mode == .i386 { (system[.ds], system[.es]) = (data, data) }
    }

    /// GS.base.
    public var gsBase: UInt64 { system.gsBase }

    /// Bytes of a stack slot.
    @inline(__always)
    var wordSize: Int { mode == .x86_64 ? 8 : 4 }

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
