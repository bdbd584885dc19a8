import X86

/// What an INT3 stands in for in a trial.
public enum EmulatedInstruction: String, Sendable, Hashable, CaseIterable, Codable {
    case push
    case twoPushes = "2 push"
    case call
    case jump = "jmp"
    case ret
    case takenJump = "jcc taken"
    case untakenJump = "jcc not taken"
    case nop

    /// What the handler must change in the stack pointer, in words; positive means a push.
    var pushedWords: Int {
        switch self {
        case .push, .call: 1
        case .twoPushes: 2
        case .ret: -1
        case .jump, .takenJump, .untakenJump, .nop: 0
        }
    }

    /// Instructions that the real bytes consist of.
    var count: Int { self == .twoPushes ? 2 : 1 }

    /// The real bytes at `site`, with `target` for what branches.
    func bytes(at site: UInt64, target: UInt64, _ mode: ProcessorMode) -> [UInt8] {
        func relative(_ opcode: [UInt8]) -> [UInt8] {
            let displacement = UInt32(truncatingIfNeeded: target &- site &- UInt64(opcode.count + 4))
            return opcode + (0..<4).map { UInt8(truncatingIfNeeded: displacement >> UInt32($0 * 8)) }
        }
        switch self {
        case .push: return [0x55]
        case .twoPushes: return [0x55, 0x53]
        case .call: return relative([0xe8])
        case .jump: return relative([0xe9])
        case .ret: return [0xc3]
        case .takenJump: return relative([0x0f, 0x84])
        case .untakenJump: return relative([0x0f, 0x85])
        case .nop: return (mode == .x86_64 ? InstructionBytes.nop5 : .nop5For32Bit).bytes
        }
    }
}

/// Where the INT3 is met.
public enum EntryOrigin: String, Sendable, Hashable, CaseIterable, Codable {
    case kernel
    /// i386's entry stack of 64 words.
    case entryStack = "entry stack"
    case user
    /// User mode, with SMAP on.
    case userSMAP = "user, SMAP"
    /// User mode with SMAP on, and a handler that sets EFLAGS.AC.
    case userAC = "user, SMAP, AC"
    /// Virtual 8086 mode, up to the call of the handler.
    case virtual8086 = "VM86"

    var isUser: Bool {
        switch self {
        case .user, .userSMAP, .userAC: true
        case .kernel, .entryStack, .virtual8086: false
        }
    }
}

/// What else happens.
public enum EntryNesting: Sendable, Hashable {
    case none
    /// An interrupt that waits since before the INT3.
    case interrupt
    /// An NMI, at every instruction boundary before the handler returns.
    case nmi
    /// An NMI, at every instruction boundary behind that.
    case nmiInExit
    /// An NMI at every boundary, whose handler meets an INT3 in its turn.
    case nmiWithBreakpoint
    /// The same, and a second NMI at every boundary behind the first.
    case secondNMI
    /// The handler replaces the return address, as a kretprobe does.
    case kretprobe(StackPointerRule)

    public var name: String {
        switch self {
        case .none: "none"
        case .interrupt: "IRQ"
        case .nmi: "NMI"
        case .nmiInExit: "NMI in the exit"
        case .nmiWithBreakpoint: "NMI with INT3"
        case .secondNMI: "second NMI"
        case .kretprobe(let rule): "kretprobe, \(rule.rawValue)"
        }
    }

    /// Those that make sense for `mode`.
    static func all(_ mode: ProcessorMode) -> [EntryNesting] {
        let common: [EntryNesting] = [.none, .interrupt, .nmi, .nmiInExit, .nmiWithBreakpoint, .secondNMI]
        return common + (mode == .x86_64 ? [.kretprobe(.saved)] : StackPointerRule.allCases.map { .kretprobe($0) })
    }
}

/// One cell of the table.
public struct EntryCase: Sendable, Hashable {
    public let form: EntryForm
    public let origin: EntryOrigin
    /// How far the interrupted stack pointer is above a multiple of 16.
    public let alignment: UInt64
    public let instruction: EmulatedInstruction
    public let nesting: EntryNesting

    public init(
        form: EntryForm, origin: EntryOrigin = .kernel, alignment: UInt64 = 0, instruction: EmulatedInstruction,
        nesting: EntryNesting = .none
    ) {
        self.form = form
        self.origin = origin
        self.alignment = alignment
        self.instruction = instruction
        self.nesting = nesting
    }
}

/// What I3 says about a cell.
public enum EntryVerdict: Sendable, Hashable {
    /// Registers, flags and stack are what the real instruction leaves, for every arrival tried.
    case holds
    case broken(EntryFinding)
    /// The form cannot do this at all: the reason.
    case notExpressible(String)
}

/// A broken promise.
public struct EntryFinding: Sendable, Hashable {
    /// A word for the table's cell: `#PF`, `RIP`, `stack`.
    public let kind: String
    /// The whole: what is wrong first, and what it should be.
    public let message: String
    /// Where the NMI came: `int3_exit+3, before popl %eax`; nil where none did.
    public var boundary: String?
}
