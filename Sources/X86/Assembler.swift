/// What a source text came to.
public struct AssembledText: Hashable, Sendable {
    /// Where the first byte stands.
    public let address: VirtualAddress
    public let bytes: [UInt8]
    /// The labels and where they stand. Numeric labels have no name.
    public let labels: [String: VirtualAddress]
    /// Where each instruction and each piece of data stands, and the source line it comes from, in the order of both.
    public let lines: [AssembledLine]
}

/// A statement that came to bytes.
public struct AssembledLine: Hashable, Sendable {
    /// 1 is the source's first line.
    public let line: Int
    public let address: VirtualAddress
    public let count: Int
}

/// AT&T text to bytes, through Zydis' encoder.
///
/// One statement a line or before a `;`. Mnemonics with or without size suffix; `$` immediates, `%` registers,
/// `segment:displacement(base,index,scale)`, `*` before an indirect branch's operand; labels, numeric labels (`1:`, `1b`,
/// `1f`), `.`; prefixes; `.byte .word .long .quad .ascii .asciz .zero .skip .align .balign .p2align .set` and their
/// synonyms; comments from `#` or `//` to the end of the line or between `/*` and `*/`. Direct branches take the shortest
/// form that reaches. `.text .globl .type .size` are taken and have no effect. Filling of `.align` is NOPs of one byte.
public struct Assembler: Sendable {
    /// Bytes of a source text.
    public static let textMax = 1 << 18
    /// Bytes that a text may come to.
    public static let bytesMax = 1 << 22
    public static let statementsMax = 1 << 16
    /// Operators in one statement.
    public static let operatorsMax = 64
    /// Rounds in which branches grow and what follows them moves.
    static let roundsMax = 64

    public let mode: ProcessorMode
    private let encoder: InstructionEncoder

    public init(mode: ProcessorMode) {
        self.mode = mode
        encoder = InstructionEncoder(mode: mode)
    }

    /// - Parameters:
    ///   - address: where the first byte will stand.
    ///   - symbols: addresses that the text may name. A `symbol(%rip)` reaches them relatively.
    ///   - constants: numbers that the text may name, as a structure's offsets.
    public func assemble(
        _ text: String, at address: VirtualAddress = VirtualAddress(0), symbols: [String: VirtualAddress] = [:],
        constants: [String: Int64] = [:]
    ) throws(AssemblerError) -> AssembledText {
        guard text.utf8.count <= Self.textMax else {
            throw AssemblerError(
                AssemblyPlace(line: 1, column: 1), "", .limit("a source text has at most \(Self.textMax) bytes"))
        }
        let statements = try AssemblyParser.statements(of: text)
        let table = try AssemblySymbols(statements, mode: mode, addresses: symbols, constants: constants)
        var layout = try AssemblyLayout(statements, table, encoder, address)
        try layout.settle()
        return AssembledText(address: address, bytes: try layout.bytes(), labels: layout.labels, lines: layout.lines)
    }
}
