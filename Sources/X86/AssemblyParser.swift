/// Makes statements of words.
struct AssemblyParser {
    private let tokens: [AssemblyToken]
    private var position = 0
    private(set) var statements: [AssemblyStatement] = []

    private init(_ tokens: [AssemblyToken]) {
        self.tokens = tokens
    }

    static func statements(of text: String) throws(AssemblerError) -> [AssemblyStatement] {
        var parser = AssemblyParser(try AssemblyScanner.tokens(of: text))
        while parser.position < parser.tokens.count { try parser.parseStatement() }
        return parser.statements
    }

    // MARK: Words

    var current: AssemblyToken {
        // The scanner ends every text with the end of a statement.
        tokens[min(position, tokens.count - 1)]
    }

    private var following: AssemblyToken {
        tokens[min(position + 1, tokens.count - 1)]
    }

    mutating func take() -> AssemblyToken {
        defer { position += 1 }
        return current
    }

    mutating func takes(_ symbol: String) -> Bool {
        guard current.kind == .symbol(symbol) else { return false }
        position += 1
        return true
    }

    mutating func require(_ symbol: String) throws(AssemblerError) {
        guard takes(symbol) else { throw expected("\"\(symbol)\"") }
    }

    func expected(_ what: String) -> AssemblerError {
        AssemblerError(current.place, current.text, .expected(what))
    }

    private var statement: Int { statements.count }

    // MARK: Statements

    private mutating func append(_ item: AssemblyStatement.Item, _ token: AssemblyToken) throws(AssemblerError) {
        guard statements.count < Assembler.statementsMax else {
            throw AssemblerError(token.place, token.text, .limit("at most \(Assembler.statementsMax) statements"))
        }
        statements.append(AssemblyStatement(item: item, word: token.text, place: token.place))
    }

    private mutating func parseStatement() throws(AssemblerError) {
        let token = current
        switch token.kind {
        case .endOfStatement:
            position += 1
            return
        case .number(let number) where following.kind == .symbol(":"):
            guard let label = Int(exactly: number) else { throw expected("a numeric label") }
            position += 2
            try append(.numericLabel(label), token)
            return
        case .name where following.kind == .symbol(":"):
            position += 2
            try append(.label(token.text), token)
            return
        case .name where following.kind == .symbol("="):
            position += 2
            try append(.set(token.text, try expression()), token)
        case .name where token.text.first == ".":
            position += 1
            try parseDirective(token)
        case .name: try parseInstruction()
        default: throw expected("a statement")
        }
        guard case .endOfStatement = current.kind else { throw expected("the end of the statement") }
    }

    private mutating func parseInstruction() throws(AssemblerError) {
        var instruction = AssemblyInstruction(mnemonic: "", place: current.place)
        let first = current
        while case .name = current.kind, let prefix = AssemblyPrefix(rawValue: current.text.lowercased()) {
            instruction.prefixes.append(prefix)
            position += 1
        }
        guard instruction.prefixes.count <= InstructionBytes.lengthMax else {
            throw AssemblerError(first.place, first.text, .limit("more prefixes than an instruction can have"))
        }
        if case .endOfStatement = current.kind {
            // `rep; nop`: the prefix stands as a statement, and applies to what follows it in memory.
            try append(.bytes(instruction.prefixes.map(\.byte)), first)
            return
        }
        guard case .name = current.kind else { throw expected("a mnemonic") }
        instruction.place = current.place
        instruction.mnemonic = take().text.lowercased()
        if case .endOfStatement = current.kind {
        } else {
            repeat { instruction.operands.append(try operand()) } while takes(",")
        }
        try append(.instruction(instruction), first)
    }

    private mutating func parseDirective(_ token: AssemblyToken) throws(AssemblerError) {
        guard let directive = AssemblyDirective(rawValue: token.text.lowercased()) else {
            throw AssemblerError(
                token.place, token.text, .noSuchDirective,
                nearest: NearestWord.nearest(
                    to: token.text.lowercased(), in: AssemblyDirective.allCases.lazy.map(\.rawValue)))
        }
        switch directive {
        case .byte: try append(.data(size: 1, try list()), token)
        case .word, .short, .value, .twoBytes: try append(.data(size: 2, try list()), token)
        case .long, .int, .fourBytes: try append(.data(size: 4, try list()), token)
        case .quad, .eightBytes: try append(.data(size: 8, try list()), token)
        case .ascii: try append(.bytes(try strings(terminated: false)), token)
        case .asciz, .string: try append(.bytes(try strings(terminated: true)), token)
        case .zero, .skip, .space:
            let count = try expression()
            try append(.skip(count, fill: takes(",") ? try expression() : nil), token)
        case .align, .balign, .p2align:
            let boundary = try expression()
            let fill = takes(",") ? try expression() : nil
            try append(.align(boundary, isPower: directive == .p2align, fill: fill), token)
        case .set, .equ:
            guard case .name = current.kind else { throw expected("a symbol") }
            let name = take()
            try require(",")
            try append(.set(name.text, try expression()), name)
        case .text, .globl, .global, .type, .size:
            // They speak to a linker; there is none here.
            while !isAtEnd { position += 1 }
        }
    }

    private var isAtEnd: Bool {
        if case .endOfStatement = current.kind { true } else { false }
    }

    private mutating func list() throws(AssemblerError) -> [AssemblyExpression] {
        var values: [AssemblyExpression] = []
        repeat { values.append(try expression()) } while takes(",")
        return values
    }

    private mutating func strings(terminated: Bool) throws(AssemblerError) -> [UInt8] {
        var bytes: [UInt8] = []
        repeat {
            guard case .string(let string) = current.kind else { throw expected("a string") }
            position += 1
            bytes += string
            if terminated { bytes.append(0) }
        } while takes(",")
        return bytes
    }

    // MARK: Operands

    private mutating func operand() throws(AssemblerError) -> AssemblyOperand {
        let place = current.place
        if takes("$") { return AssemblyOperand(kind: .immediate(try expression()), place: place) }
        let isIndirect = takes("*")
        var memory = AssemblyMemory()
        if case .register(let name) = current.kind {
            position += 1
            guard takes(":") else {
                return AssemblyOperand(kind: .register(name), isIndirect: isIndirect, place: place)
            }
            memory.segment = name
        }
        if !startsBase { memory.displacement = try expression() }
        if takes("(") { try base(into: &memory) }
        return AssemblyOperand(kind: .memory(memory), isIndirect: isIndirect, place: place)
    }

    /// `(%rax` and `(,%rax` begin a base; `(4` begins an expression.
    private var startsBase: Bool {
        guard current.kind == .symbol("(") else { return false }
        if case .register = following.kind { return true }
        return following.kind == .symbol(",")
    }

    private mutating func base(into memory: inout AssemblyMemory) throws(AssemblerError) {
        if case .register(let name) = current.kind {
            position += 1
            memory.base = name
        }
        if takes(",") {
            guard case .register(let name) = current.kind else { throw expected("an index register") }
            position += 1
            memory.index = name
            if takes(",") {
                guard case .number(let scale) = current.kind, [1, 2, 4, 8].contains(scale) else {
                    throw expected("a scale of 1, 2, 4 or 8")
                }
                position += 1
                memory.scale = UInt8(scale)
            }
        }
        guard memory.base != nil || memory.index != nil else { throw expected("a register") }
        try require(")")
    }

    // MARK: Expressions

    mutating func expression(rank: Int = 1, depth: Int = 0) throws(AssemblerError) -> AssemblyExpression {
        var left = try primary(depth: depth)
        while case .symbol(let symbol) = current.kind,
            let operation = AssemblyExpression.BinaryOperator(rawValue: symbol), operation.rank >= rank
        {
            let place = current.place
            position += 1
            // A long sum nests as deep as it has terms when it is evaluated.
            operators += 1
            guard operators <= Assembler.operatorsMax else {
                throw AssemblerError(
                    place, symbol, .limit("at most \(Assembler.operatorsMax) operators in a statement"))
            }
            left = .binary(operation, left, try expression(rank: operation.rank + 1, depth: depth + 1), place)
        }
        if depth == 0 { operators = 0 }
        return left
    }

    private var operators = 0

    private mutating func primary(depth: Int) throws(AssemblerError) -> AssemblyExpression {
        let token = current
        guard depth < AssemblyExpression.depthMax else {
            throw AssemblerError(
                token.place, token.text, .limit("at most \(AssemblyExpression.depthMax) levels of an expression"))
        }
        switch token.kind {
        case .number(let number):
            position += 1
            return .number(Int64(bitPattern: number))
        case .numericLabel(let number, let isForward):
            position += 1
            return .numericLabel(number, isForward: isForward, statement: statement, token.place)
        case .name:
            position += 1
            return token.text == "." ? .here(statement: statement) : .symbol(token.text, token.place)
        case .symbol("("):
            position += 1
            let inner = try expression(depth: depth + 1)
            try require(")")
            return inner
        case .symbol(let symbol):
            guard let operation = AssemblyExpression.UnaryOperator(rawValue: symbol) else {
                throw expected("an expression")
            }
            position += 1
            return .unary(operation, try primary(depth: depth + 1))
        default: throw expected("an expression")
        }
    }
}

enum AssemblyDirective: String, CaseIterable {
    case byte = ".byte"
    case word = ".word"
    case short = ".short"
    case value = ".value"
    case twoBytes = ".2byte"
    case long = ".long"
    case int = ".int"
    case fourBytes = ".4byte"
    case quad = ".quad"
    case eightBytes = ".8byte"
    case ascii = ".ascii"
    case asciz = ".asciz"
    case string = ".string"
    case zero = ".zero"
    case skip = ".skip"
    case space = ".space"
    case align = ".align"
    case balign = ".balign"
    case p2align = ".p2align"
    case set = ".set"
    case equ = ".equ"
    case text = ".text"
    case globl = ".globl"
    case global = ".global"
    case type = ".type"
    case size = ".size"
}
