/// One statement of a source text.
struct AssemblyStatement: Sendable {
    enum Item: Sendable {
        case label(String)
        case numericLabel(Int)
        case set(String, AssemblyExpression)
        case instruction(AssemblyInstruction)
        /// `.byte` and its wider kin: values of `size` bytes.
        case data(size: Int, [AssemblyExpression])
        case bytes([UInt8])
        case align(AssemblyExpression, isPower: Bool, fill: AssemblyExpression?)
        case skip(AssemblyExpression, fill: AssemblyExpression?)
    }

    let item: Item
    /// The word that begins it, for errors that show only in the layout.
    let word: String
    let place: AssemblyPlace
}

struct AssemblyInstruction: Sendable {
    var prefixes: [AssemblyPrefix] = []
    var mnemonic: String
    var place: AssemblyPlace
    var operands: [AssemblyOperand] = []
}

enum AssemblyPrefix: String, Sendable, CaseIterable {
    case lock, rep, repe, repz, repne, repnz, bnd, notrack, data16, addr32, cs, ss, ds, es, fs, gs

    /// The prefix as a byte of its own.
    var byte: UInt8 {
        switch self {
        case .lock: 0xf0
        case .rep, .repe, .repz: 0xf3
        case .repne, .repnz, .bnd: 0xf2
        case .notrack, .ds: 0x3e
        case .data16: 0x66
        case .addr32: 0x67
        case .cs: 0x2e
        case .ss: 0x36
        case .es: 0x26
        case .fs: 0x64
        case .gs: 0x65
        }
    }
}

struct AssemblyOperand: Sendable {
    enum Kind: Sendable {
        case register(String)
        case immediate(AssemblyExpression)
        case memory(AssemblyMemory)
    }

    var kind: Kind
    /// `*` stands before it.
    var isIndirect = false
    var place: AssemblyPlace
}

/// `segment:displacement(base, index, scale)`.
struct AssemblyMemory: Sendable {
    var segment: String?
    var displacement: AssemblyExpression?
    var base: String?
    var index: String?
    var scale: UInt8 = 1

    /// Nothing but an expression: what a direct branch names.
    var bareExpression: AssemblyExpression? {
        segment == nil && base == nil && index == nil ? displacement : nil
    }
}
