/// Where an operand lives.
@frozen
public enum OperandKind: UInt8, Sendable {
    case none, register, memory, immediate
}

/// One decoded instruction: a compact record without payloads, made once per address and executed by one switch.
@frozen
public struct Instruction: Sendable {
    /// Stands in `base` and `index` for "no register".
    public static let noRegister: UInt8 = 0xff
    /// Stands in `base` for RIP.
    public static let instructionPointer: UInt8 = 0xfe
    /// General registers are 0...15 in encoding order; AH, CH, DH and BH are this plus 0...3.
    public static let highByteBase: UInt8 = 16

    public var operation: Operation = .havoc
    /// Bytes, 1...15.
    public var length: UInt8 = 1
    /// Operand size in bytes.
    public var size: UInt8 = 0
    /// Size of the source in bytes where it differs (MOVZX, MOVSX), else `size`.
    public var sourceSize: UInt8 = 0
    /// Condition code (the opcode's low four bits) of Jcc, SETcc, CMOVcc.
    public var condition: UInt8 = 0
    public var destinationKind: OperandKind = .none
    public var sourceKind: OperandKind = .none
    public var destination: UInt8 = 0
    public var source: UInt8 = 0
    public var base: UInt8 = Instruction.noRegister
    public var index: UInt8 = Instruction.noRegister
    /// log2 of the scale.
    public var scale: UInt8 = 0
    /// The memory operand is relative to GS (a per-CPU variable).
    public var usesGS: Bool = false
    /// REP, REPE or REPNE stands before a string instruction.
    public var isRepeated: Bool = false
    /// IMUL r, r/m, imm: `immediate` is the second factor.
    public var hasThirdOperand: Bool = false
    /// A havoc instruction writes RFLAGS.
    public var writesFlags: Bool = false
    /// General registers that a havoc instruction writes, a bit each.
    public var writtenRegisters: UInt16 = 0
    /// Bytes that a havoc instruction writes through its memory operand.
    public var writtenMemorySize: UInt8 = 0
    public var displacement: Int32 = 0
    /// Immediate, or the displacement of a relative branch.
    public var immediate: Int64 = 0

    public init() {}

    /// The opcode and operands can transfer control elsewhere than to the next instruction.
    public var isControlTransfer: Bool {
        switch operation {
        case .call, .callIndirect, .jump, .jumpIndirect, .jumpCondition, .ret, .breakpoint, .undefined,
            .interruptReturn:
            true
        default: false
        }
    }
}
