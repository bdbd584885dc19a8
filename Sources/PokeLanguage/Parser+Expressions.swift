extension Parser {
    mutating func expression() throws(PokeDiagnostic) -> Expression {
        try binary(precedence: 1)
    }

    private func binaryOperator() -> BinaryOperator? {
        guard case .sign(let sign) = token.kind else { return nil }
        return BinaryOperator(rawValue: sign.rawValue)
    }

    private mutating func binary(precedence: Int) throws(PokeDiagnostic) -> Expression {
        var left = try unary()
        while let found = binaryOperator(), found.precedence >= precedence {
            advance()
            let right = try binary(precedence: found.precedence + 1)
            left = Expression(
                kind: .binary(found, left, right), range: left.range.lowerBound..<right.range.upperBound)
        }
        return left
    }

    private mutating func unary() throws(PokeDiagnostic) -> Expression {
        let start = token.range.lowerBound
        guard case .sign(let sign) = token.kind, let found = UnaryOperator(rawValue: sign.rawValue) else {
            return try postfix()
        }
        advance()
        let operand = try nested { parser throws(PokeDiagnostic) in try parser.unary() }
        return Expression(kind: .unary(found, operand), range: start..<operand.range.upperBound)
    }

    private mutating func postfix() throws(PokeDiagnostic) -> Expression {
        var base = try primary()
        while true {
            let start = base.range.lowerBound
            if take(.dot) {
                let member = try name("a field's name")
                base = Expression(kind: .member(base, member), range: range(from: start))
            } else if take(.leftBracket) {
                let first = try nested { parser throws(PokeDiagnostic) in try parser.expression() }
                if take(.dots) {
                    let last = isSign(.rightBracket) ? nil : try expression()
                    try expect(.rightBracket, "behind the range of bytes")
                    base = Expression(kind: .slice(base, first, last), range: range(from: start))
                } else {
                    try expect(.rightBracket, "behind the index")
                    base = Expression(kind: .index(base, first), range: range(from: start))
                }
            } else {
                return base
            }
        }
    }

    private mutating func primary() throws(PokeDiagnostic) -> Expression {
        let start = token.range.lowerBound
        switch token.kind {
        case .number(let number):
            advance()
            return Expression(kind: .number(number), range: range(from: start))
        case .sign(.leftParenthesis):
            advance()
            let inner = try nested { parser throws(PokeDiagnostic) in try parser.expression() }
            try expect(.rightParenthesis, "behind the expression")
            return Expression(kind: inner.kind, range: range(from: start))
        case .word(let word): return try named(word)
        default: throw expected("an expression", "")
        }
    }

    /// What begins with a word.
    private mutating func named(_ word: String) throws(PokeDiagnostic) -> Expression {
        let start = token.range.lowerBound
        if let instruction = try instructionIfAny() {
            return Expression(kind: .instruction(instruction), range: instruction.range)
        }
        let name = try name("an expression")
        switch word {
        case "true", "false": return Expression(kind: .bool(word == "true"), range: name.range)
        case "none": return Expression(kind: .none, range: name.range)
        case "in":
            guard case .word(let place) = token.kind, let context = ContextWord(rawValue: "in \(place)") else {
                throw unknown("context", ["nmi", "irq", "mc", "task"])
            }
            advance()
            return Expression(kind: .context(context), range: range(from: start))
        case "find", "bsearch":
            let list = try postfixOf("the list to search")
            try expectWord("at", "behind the list to search")
            let key = try binary(precedence: BinaryOperator.add.precedence)
            let kind: Expression.Kind = word == "find" ? .find(list, at: key) : .bsearch(list, at: key)
            return Expression(kind: kind, range: range(from: start))
        case "read":
            let place = try postfixOf("a place in the text")
            return Expression(kind: .read(place), range: range(from: start))
        default: break
        }
        if let context = ContextWord(rawValue: word) { return Expression(kind: .context(context), range: name.range) }
        guard isSign(.leftParenthesis) else { return Expression(kind: .name(word), range: name.range) }
        let arguments = try arguments()
        return Expression(kind: .call(name, arguments), range: range(from: start))
    }

    private mutating func postfixOf(_ what: String) throws(PokeDiagnostic) -> Expression {
        guard case .word = token.kind else { throw expected(what, "") }
        return try postfix()
    }

    mutating func arguments() throws(PokeDiagnostic) -> [Expression] {
        try expect(.leftParenthesis, "before the arguments")
        var arguments: [Expression] = []
        while !isSign(.rightParenthesis) {
            arguments.append(try nested { parser throws(PokeDiagnostic) in try parser.expression() })
            if !take(.comma) { break }
        }
        try expect(.rightParenthesis, "behind the arguments")
        return arguments
    }

    // MARK: Instructions

    static let instructionWords = ["CALL", "JMP", "NOP5", "NOP2", "RET", "INT3"]

    /// Nil where no instruction stands here.
    mutating func instructionIfAny() throws(PokeDiagnostic) -> InstructionSyntax? {
        let start = token.range.lowerBound
        guard case .word(let word) = token.kind else { return nil }
        let plain: [String: InstructionSyntax.Kind] = ["NOP5": .nop5, "NOP2": .nop2, "RET": .ret, "INT3": .int3]
        if let kind = plain[word] {
            advance()
            return InstructionSyntax(kind: kind, range: range(from: start))
        }
        switch word {
        case "CALL", "JMP":
            advance()
            let target = try name("the name of the target behind \(word)")
            return InstructionSyntax(kind: word == "CALL" ? .call(target) : .jump(target), range: range(from: start))
        default: return nil
        }
    }

    mutating func instruction() throws(PokeDiagnostic) -> InstructionSyntax {
        guard let instruction = try instructionIfAny() else { throw unknown("instruction", Self.instructionWords) }
        return instruction
    }
}
