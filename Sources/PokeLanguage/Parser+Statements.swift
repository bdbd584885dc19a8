extension Parser {
    /// First words of statements, for messages.
    static let statementWords = [
        "let", "if", "while", "for", "loop", "choose", "atomic", "await", "acquire", "release", "irq",
        "poke", "serialize", "sync", "ipi", "acks", "stop_machine", "assert", "enter",
        "patch", "emulate", "retry", "resume", "decline", "push", "jmp", "sti", "cli",
    ]

    mutating func block(_ owner: String) throws(PokeDiagnostic) -> Block {
        let start = token.range.lowerBound
        try expect(.leftBrace, "before the statements of \(owner)")
        let statements = try nested { parser throws(PokeDiagnostic) in
            var statements: [Statement] = []
            while !parser.isSign(.rightBrace) {
                guard !parser.isAtEnd else { throw parser.expected("\"}\"", "behind the statements of \(owner)") }
                statements.append(try parser.statement())
            }
            return statements
        }
        try expect(.rightBrace, "behind the statements of \(owner)")
        return Block(statements: statements, range: range(from: start))
    }

    mutating func statement() throws(PokeDiagnostic) -> Statement {
        let start = token.range.lowerBound
        var label: Name?
        if case .word = token.kind, token(at: 1).kind == .sign(.colon) {
            label = try name("a label")
            advance()
        }
        let kind = try statementKind()
        let end = lastEnd
        let reference = take(.at) ? try string("the place in the kernel's source") : nil
        return Statement(kind: kind, range: start..<end, label: label, reference: reference)
    }

    private mutating func statementKind() throws(PokeDiagnostic) -> Statement.Kind {
        guard case .word(let word) = token.kind else { throw expected("a statement", "") }
        if let kind = try controlStatement(word) { return kind }
        if let kind = try waitingStatement(word) { return kind }
        if let kind = try textStatement(word) { return kind }
        if let kind = try contextStatement(word) { return kind }
        return try assignment()
    }

    /// What assigns begins with a place, so a misspelt statement looks like one: the message says so.
    private mutating func assignment() throws(PokeDiagnostic) -> Statement.Kind {
        let first = token
        let place = try expression()
        for (sign, found) in [(Sign.assign, AssignOperator.set), (.plusAssign, .add), (.minusAssign, .subtract)]
        where take(sign) {
            return .assign(place, found, try expression())
        }
        guard case .word(let word) = first.kind, let near = NearestWord.of(word, in: Self.statementWords) else {
            throw expected("\"=\", \"+=\" or \"-=\"", "behind the place")
        }
        throw PokeDiagnostic(
            .error, source, first.range, "\"\(word)\" begins no statement", suggestion: "did you mean \"\(near)\"?")
    }

    private mutating func controlStatement(_ word: String) throws(PokeDiagnostic) -> Statement.Kind? {
        switch word {
        case "let":
            advance()
            let name = try name("a name")
            try expect(.assign, "behind the name")
            return .letBinding(name, try expression())
        case "if":
            advance()
            return try ifStatement()
        case "while":
            advance()
            return .whileLoop(try expression(), try block("while"))
        case "for":
            advance()
            let name = try name("the name of the element")
            try expectWord("in", "behind the name")
            return .forLoop(name, try expression(), try block("for"))
        case "loop":
            advance()
            let count = isSign(.leftBrace) ? nil : try expression()
            return .loop(count, try block("loop"))
        case "choose":
            advance()
            var branches = [try block("choose")]
            while takeWord("or") { branches.append(try block("or")) }
            return .choose(branches)
        case "atomic":
            advance()
            let condition = takeWord("when") ? try expression() : nil
            return .atomic(when: condition, try block("atomic"))
        case "assert":
            advance()
            let condition = try expression()
            try expect(.colon, "before the assertion's name")
            return .assert(condition, try name("the assertion's name"))
        default: return nil
        }
    }

    private mutating func ifStatement() throws(PokeDiagnostic) -> Statement.Kind {
        let condition = try expression()
        let then = try block("if")
        guard takeWord("else") else { return .ifElse(condition, then, otherwise: nil) }
        if isWord("if") {
            let inner = try nested { parser throws(PokeDiagnostic) in try parser.statement() }
            return .ifElse(condition, then, otherwise: Block(statements: [inner], range: inner.range))
        }
        return .ifElse(condition, then, otherwise: try block("else"))
    }

    private mutating func waitingStatement(_ word: String) throws(PokeDiagnostic) -> Statement.Kind? {
        switch word {
        case "await":
            advance()
            return .await(try expression())
        case "acquire":
            advance()
            return .acquire(try name("the name of a lock"))
        case "release":
            advance()
            return .release(try name("the name of a lock"))
        case "irq":
            advance()
            guard case .word(let text) = token.kind, let change = InterruptFlagChange(rawValue: text) else {
                throw unknown("change of the interrupt flag", InterruptFlagChange.allCases.map(\.rawValue))
            }
            advance()
            return .irq(change)
        case "sync":
            advance()
            return .sync
        case "ipi":
            advance()
            return .ipi
        case "acks":
            advance()
            return .acks
        case "stop_machine":
            advance()
            return .stopMachine(try block("stop_machine"))
        default: return nil
        }
    }

    private mutating func textStatement(_ word: String) throws(PokeDiagnostic) -> Statement.Kind? {
        switch word {
        case "poke":
            advance()
            let place = try expression()
            try expect(.assign, "behind the place in the text")
            let value = try expression()
            return .poke(place, value, by: takeWord("by") ? try expression() : nil)
        case "serialize":
            advance()
            return .serialize
        case "enter":
            advance()
            let site = try expression()
            return .enter(site, result: take(.arrow) ? try name("the name of the result") : nil)
        case "patch":
            advance()
            return .patch(try patches())
        default: return nil
        }
    }

    private mutating func patches() throws(PokeDiagnostic) -> [(Name, InstructionSyntax)] {
        try expect(.leftBrace, "before the sites to patch")
        var patches: [(Name, InstructionSyntax)] = []
        while !isSign(.rightBrace) {
            let site = try name("a site's name")
            try expect(.arrow, "behind the site")
            patches.append((site, try instruction()))
            _ = take(.comma)
        }
        try expect(.rightBrace, "behind the sites to patch")
        return patches
    }

    private mutating func contextStatement(_ word: String) throws(PokeDiagnostic) -> Statement.Kind? {
        switch word {
        case "emulate":
            advance()
            if isWord("call") {
                advance()
                return .emulateCall(try expression())
            }
            return .emulate(try expression())
        case "retry":
            advance()
            return .retry
        case "resume":
            advance()
            return .resume(at: takeWord("at") ? try name("the name of a stub") : nil)
        case "decline":
            advance()
            return .decline
        case "push":
            advance()
            return .push(try expression())
        case "jmp":
            advance()
            return .jump(try expression())
        case "sti":
            advance()
            return .setInterruptFlag
        case "cli":
            advance()
            return .clearInterruptFlag
        default: return nil
        }
    }
}
