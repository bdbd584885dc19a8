public import X86

/// Where kernel_stack_pointer() says that the interrupted stack's top word is.
public enum StackPointerRule: String, Sendable, Hashable, CaseIterable {
    /// `regs->sp`: x86_64 always; i386 since v5.3, where every kernel-mode frame is complete.
    case saved = "regs->sp"
    /// `&regs->sp`: i386 through v5.2, where the processor pushed no SS and ESP and the interrupted stack begins there.
    case behindFrame = "&regs->sp"
}

/// What the #BP handler does with the frame that it is given.
public enum FrameTreatment: String, Sendable, Hashable {
    /// Changes the words of pt_regs in place.
    case inPlace
    /// Moves the frame down by a word where it emulates a push, and returns the new pt_regs.
    case moves
}

/// One way of entering and leaving the kernel at an INT3, with the NMI and interrupt entries of its time.
///
/// The text is AT&T syntax. Labels: `asm_exc_int3`, `asm_exc_nmi` and `asm_irq` are the entries; `int3_exit` stands
/// behind the call of #BP's handler. Symbols from outside: `exc_int3`, `exc_nmi` and `do_irq`, which take pt_regs as
/// their first argument (RDI; EAX on i386) and keep what the ABI says is kept.
public struct EntryForm: Sendable, Hashable {
    public let name: String
    public let mode: ProcessorMode
    /// What is particular about it.
    public let summary: String
    /// When the kernel had it, or who proposed it on which list when.
    public let origin: String
    /// #BP's entry and exit.
    public let int3: String
    /// Those of NMIs and interrupts.
    public let others: String
    /// The text deals with INT3s on i386's entry stack, or was proposed without a thought of them. The others' texts leave
    /// out the switch of stacks that their kernels had.
    public let meetsEntryStack: Bool
    /// kernel_stack_pointer() as the kernel had it at that time.
    public let stackPointer: StackPointerRule
    public let treatment: FrameTreatment
    /// Where the words of pt_regs stand, in bytes below the interrupted stack pointer (x86_64: below it aligned to 16);
    /// one entry a word, lowest address first. For an INT3 from kernel mode.
    public let frame: FrameLayout

    init(
        _ name: String, _ mode: ProcessorMode, _ summary: String, origin: String, int3: String, others: String,
        meetsEntryStack: Bool = false, stackPointer: StackPointerRule = .saved, treatment: FrameTreatment = .inPlace,
        frame: FrameLayout
    ) {
        self.name = name
        self.mode = mode
        self.summary = summary
        self.origin = origin
        self.int3 = int3
        self.others = others
        self.meetsEntryStack = meetsEntryStack
        self.stackPointer = stackPointer
        self.treatment = treatment
        self.frame = frame
    }

    /// The whole text.
    public var text: String { int3 + others }

    /// All forms, x86_64 first, each width in the order of time.
    public static let all: [EntryForm] = forX86_64 + forI386

    /// The form of that width and name; nil where there is none.
    public static func named(_ name: String, _ mode: ProcessorMode) -> EntryForm? {
        all.first { $0.mode == mode && $0.name == name }
    }
}

/// Where an INT3's pt_regs stands, relative to the interrupted stack pointer S (x86_64: S & ~15).
public struct FrameLayout: Sendable, Hashable {
    /// Bytes from pt_regs' lowest word up to S.
    public let depth: UInt64
    /// Words between the frame and S that an emulated push may fill.
    public let gapWords: Int
    /// The frame holds the interrupted stack pointer and stack segment.
    public let isComplete: Bool

    init(depth: UInt64, gapWords: Int, isComplete: Bool = true) {
        self.depth = depth
        self.gapWords = gapWords
        self.isComplete = isComplete
    }
}
