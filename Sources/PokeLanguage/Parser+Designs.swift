extension Parser {
    static let noteWords = ["era", "lore", "about", "cites"]
    static let designWords =
        noteWords + [
            "shared", "percpu", "mutex", "spinlock", "needs", "patch", "on", "stub", "invariant", "reach",
        ]
    static let typeWords = ["bool", "int", "site", "batch", "insn", "one"]

    mutating func design() throws(PokeDiagnostic) -> DesignSyntax {
        var design = DesignSyntax(name: try name("the design's name"))
        try members(of: "design \(design.name.text)") { parser throws(PokeDiagnostic) in
            design.members.append(try parser.designMember())
        }
        return design
    }

    /// The members between braces. After an error the next member is looked for, so that all errors are shown.
    mutating func members(
        of owner: String, _ member: (inout Parser) throws(PokeDiagnostic) -> Void
    ) throws(PokeDiagnostic) {
        try expect(.leftBrace, "behind \(owner)")
        while !isSign(.rightBrace) {
            guard !isAtEnd else { throw expected("\"}\"", "behind the members of \(owner)") }
            let start = position
            do {
                try member(&self)
            } catch {
                report(error)
                recover(from: start)
            }
        }
        advance()
    }

    /// Leaves the member that an error was found in: out of the braces that it opened.
    private mutating func recover(from start: Int) {
        var depth = 0
        for index in start..<position {
            if tokens[index].kind == .sign(.leftBrace) { depth += 1 }
            if tokens[index].kind == .sign(.rightBrace) { depth -= 1 }
        }
        if depth > 0 {
            skip(toBraceDepth: 1, from: depth)
            advance()
            return
        }
        if position == start { advance() }
        while !isAtEnd, !isSign(.rightBrace) {
            if isSign(.leftBrace) {
                advance()
                skip(toBraceDepth: 1, from: 1)
                advance()
                return
            }
            if case .word(let word) = token.kind, Self.designWords.contains(word) || Self.scenarioWords.contains(word) {
                return
            }
            advance()
        }
    }

    private mutating func designMember() throws(PokeDiagnostic) -> DesignMember {
        let start = token.range.lowerBound
        guard case .word(let word) = token.kind else { throw expected("a member of a design", "") }
        let kind: DesignMember.Kind
        switch word {
        case _ where Self.noteWords.contains(word):
            let key = try name("a note")
            kind = .note(key, try string("the text of \(word)"))
        case "shared", "percpu":
            advance()
            kind = .variable(try variable(StorageClass(rawValue: word)!))
        case "mutex", "spinlock":
            advance()
            kind = .lock(LockKind(rawValue: word)!, try name("the name of the \(word)"))
        case "needs":
            advance()
            try expectWord("site", "behind needs")
            kind = .needsSite(try name("the name of the site"))
        default: kind = try code(word)
        }
        return DesignMember(kind: kind, range: range(from: start))
    }

    private mutating func code(_ word: String) throws(PokeDiagnostic) -> DesignMember.Kind {
        switch word {
        case "patch":
            advance()
            try expect(.leftParenthesis, "behind patch")
            try expectWord("batch", "as the type of what is patched")
            let batch = try name("the name of the batch")
            try expect(.rightParenthesis, "behind the batch")
            return .patch(batch: batch, try block("patch"))
        case "on":
            advance()
            let hook = try hook()
            return .hook(hook, try block("on \(hook.rawValue)"))
        case "stub":
            advance()
            let name = try name("the name of the stub")
            return .stub(name, try block("stub \(name.text)"))
        case "invariant", "reach":
            advance()
            let name = try name("the name of the \(word)")
            try expect(.colon, "behind the name")
            let condition = try expression()
            return word == "reach" ? .reach(name, condition) : .invariant(name, condition)
        default: throw unknown("member of a design", Self.designWords)
        }
    }

    private mutating func hook() throws(PokeDiagnostic) -> Hook {
        guard case .word(let first) = token.kind else { throw unknown("event", Hook.allCases.map(\.rawValue)) }
        if let hook = Hook(rawValue: first) {
            advance()
            return hook
        }
        throw unknown("event", Hook.allCases.map(\.rawValue))
    }

    private mutating func variable(_ storage: StorageClass) throws(PokeDiagnostic) -> VariableSyntax {
        let type = try type()
        let name = try name("the variable's name")
        var count: Expression?
        if take(.leftBracket) {
            count = try expression()
            try expect(.rightBracket, "behind the number of elements")
        }
        try expect(.assign, "behind the variable: it needs an initial value")
        return VariableSyntax(storage: storage, type: type, name: name, count: count, initial: try expression())
    }

    private mutating func type() throws(PokeDiagnostic) -> TypeSyntax {
        let start = token.range.lowerBound
        guard case .word(let word) = token.kind, Self.typeWords.contains(word) else {
            throw unknown("type", Self.typeWords)
        }
        advance()
        let kind: TypeSyntax.Kind
        switch word {
        case "bool": kind = .bool
        case "int":
            let low = try expression()
            try expect(.dots, "between the bounds of int")
            kind = .int(low, try expression())
        case "site": kind = .site
        case "batch": kind = .batch(try expression())
        case "insn": kind = .insn
        default:
            try expectWord("of", "behind one")
            var names = [try name("a value's name")]
            while take(.comma) { names.append(try name("a value's name")) }
            kind = .oneOf(names)
        }
        return TypeSyntax(kind: kind, range: range(from: start))
    }
}
