/// Where an operand lives.
@frozen
public enum OperandKind: UInt8, Sendable {
    case none, register, memory, immediate
}

/// Segment registers in encoding order.
@frozen
public enum SegmentRegister: UInt8, Sendable, CaseIterable {
    case es, cs, ss, ds, fs, gs
}

/// One decoded instruction: 24 bytes without payloads, made once per address and executed by one switch.
///
/// Some fields share their place, since no instruction needs both: see `auxiliary` and `immediate`.
@frozen
public struct Instruction: Sendable {
    /// Stands in `base` and `index` for "no register": that slot of the register file reads as zero.
    public static let noRegister: UInt8 = 16
    /// Stands in `base` for RIP: that slot of the register file holds the next instruction's address.
    public static let instructionPointer: UInt8 = 17
    /// General registers are 0...15 in encoding order; AH, CH, DH and BH are this plus 0...3.
    public static let highByteBase: UInt8 = 16

    public var operation: Operation = .havoc
    /// The interpreter's short cut for this shape of operation, a raw value of its own; 0 for none.
    public var shortcut: UInt8 = 0
    /// Bytes, 1...15.
    public var length: UInt8 = 1
    /// Operand size in bytes.
    public var size: UInt8 = 0
    /// Size of the source where it differs (MOVZX, MOVSX), the condition code of Jcc, SETcc and CMOVcc (the opcode's low
    /// four bits), or the third register of a VEX instruction.
    public var auxiliary: UInt8 = 0
    // Destination kind, source kind, log2 of the scale, log2 of the address size less one: two bits each.
    @usableFromInline var kinds: UInt8 = 0xc0
    @usableFromInline var attributes: UInt8 = 0
    /// Segment of the memory operand.
    public var segment: SegmentRegister = .ds
    public var destination: UInt8 = 0
    public var source: UInt8 = 0
    public var base: UInt8 = Instruction.noRegister
    public var index: UInt8 = Instruction.noRegister
    public var displacement: Int32 = 0
    /// Immediate, or the displacement of a relative branch. For an instruction whose outputs are arbitrary it says what is
    /// written.
    public var immediate: Int64 = 0

    public init() {}
}

extension Instruction {
    @inlinable
    public var sourceSize: UInt8 {
        get { auxiliary }
        set { auxiliary = newValue }
    }

    @inlinable
    public var condition: UInt8 {
        get { auxiliary }
        set { auxiliary = newValue }
    }

    @inlinable
    public var destinationKind: OperandKind {
        get { OperandKind(rawValue: kinds & 3).unsafelyUnwrapped }
        set { kinds = kinds & ~3 | newValue.rawValue }
    }

    @inlinable
    public var sourceKind: OperandKind {
        get { OperandKind(rawValue: kinds >> 2 & 3).unsafelyUnwrapped }
        set { kinds = kinds & ~0xc | newValue.rawValue << 2 }
    }

    /// log2 of the scale.
    @inlinable
    public var scale: UInt8 {
        get { kinds >> 4 & 3 }
        set { kinds = kinds & ~0x30 | newValue << 4 & 0x30 }
    }

    /// Size of an effective address, and of the counter of LOOP and REP, in bytes: 2, 4 or 8.
    @inlinable
    public var addressSize: Int {
        get { 1 << Int(kinds >> 6) }
        set { kinds = kinds & 0x3f | UInt8(newValue.trailingZeroBitCount) << 6 }
    }

    @usableFromInline
    enum Attribute {
        @usableFromInline static let lock: UInt8 = 1 << 0
        @usableFromInline static let rep: UInt8 = 1 << 1
        @usableFromInline static let repne: UInt8 = 1 << 2
        @usableFromInline static let thirdOperand: UInt8 = 1 << 3
        @usableFromInline static let privileged: UInt8 = 1 << 4
    }

    @inline(__always)
    private func has(_ attribute: UInt8) -> Bool {
        attributes & attribute != 0
    }

    private mutating func set(_ attribute: UInt8, _ isSet: Bool) {
        attributes = isSet ? attributes | attribute : attributes & ~attribute
    }

    /// The memory operand is relative to GS (a per-CPU variable).
    public var usesGS: Bool { segment == .gs }

    public var isLocked: Bool {
        get { has(Attribute.lock) }
        set { set(Attribute.lock, newValue) }
    }

    /// REP, REPE or REPNE stands before a string instruction.
    public var isRepeated: Bool { has(Attribute.rep | Attribute.repne) }

    /// REP or REPE.
    public var hasREP: Bool {
        get { has(Attribute.rep) }
        set { set(Attribute.rep, newValue) }
    }

    public var hasREPNE: Bool {
        get { has(Attribute.repne) }
        set { set(Attribute.repne, newValue) }
    }

    /// `immediate` is an operand behind destination and source: IMUL r, r/m, imm; SHLD r/m, r, imm; RORX.
    public var hasThirdOperand: Bool {
        get { has(Attribute.thirdOperand) }
        set { set(Attribute.thirdOperand, newValue) }
    }

    /// Takes #GP outside of CPL 0.
    public var isPrivileged: Bool {
        get { has(Attribute.privileged) }
        set { set(Attribute.privileged, newValue) }
    }

    // MARK: What an instruction with arbitrary outputs writes

    /// Whether `immediate` holds the four fields below.
    public var hasArbitraryOutputs: Bool {
        switch operation {
        case .havoc, .serializing, .input, .inputString: true
        default: false
        }
    }

    /// General registers that it writes, a bit each.
    public var writtenRegisters: UInt16 {
        get { UInt16(truncatingIfNeeded: immediate) }
        set { immediate = immediate & ~0xffff | Int64(newValue) }
    }

    /// Bytes that it writes through its memory operand.
    public var writtenMemorySize: UInt8 {
        get { UInt8(truncatingIfNeeded: immediate >> 16) }
        set { immediate = immediate & ~0xff_0000 | Int64(newValue) << 16 }
    }

    /// It writes RFLAGS.
    public var writesFlags: Bool {
        get { immediate >> 24 & 1 != 0 }
        set { immediate = immediate & ~(1 << 24) | (newValue ? 1 << 24 : 0) }
    }

    /// Names it; `InstructionDecoder.name(ofMnemonic:)` has the text.
    public var mnemonic: UInt16 {
        get { UInt16(truncatingIfNeeded: immediate >> 32) }
        set { immediate = immediate & ~0xffff_0000_0000 | Int64(newValue) << 32 }
    }

    /// The opcode and operands can transfer control elsewhere than to the next instruction.
    public var isControlTransfer: Bool {
        switch operation {
        case .call, .callIndirect, .callFar, .callFarIndirect, .jump, .jumpIndirect, .jumpFar, .jumpFarIndirect,
            .jumpCondition, .ret, .retFar, .loop, .loopIfEqual, .loopIfNotEqual, .jumpIfCounterZero, .breakpoint,
            .debugTrap, .interrupt, .interruptOnOverflow, .undefined, .interruptReturn, .systemCall, .systemReturn,
            .systemEnter, .systemExit:
            true
        default: false
        }
    }

    /// Control never goes on behind it.
    public var endsStraightLine: Bool {
        switch operation {
        case .jump, .jumpIndirect, .jumpFar, .jumpFarIndirect, .ret, .retFar, .undefined, .interruptReturn,
            .systemReturn, .systemExit, .breakpoint:
            true
        default: false
        }
    }
}
