extension Compiler {
    /// An expression on its way: its terms, its type, and the shared places that it reads.
    struct Value {
        var terms: [Term]
        var type: ValueType
        var sharedReads: Int

        var isLocal: Bool { sharedReads == 0 }
    }

    /// Compiles an expression of a certain type; nil where any will do.
    mutating func value(_ expression: Expression, as wanted: ValueType? = nil) throws(PokeDiagnostic) -> Value {
        let value = try anyValue(expression, as: wanted)
        guard Self.stackNeeded(value.terms) <= Evaluator.stackMax else {
            throw error(expression.range, "the expression is nested too deep", suggestion: "name a part of it with let")
        }
        guard let wanted, !fits(value.type, wanted) else { return value }
        throw error(expression.range, "this is of the type \(value.type.name), not \(wanted.name)")
    }

    /// Values that a postfix expression has on its stack at most.
    private static func stackNeeded(_ terms: [Term]) -> Int {
        var now = 0
        var most = 0
        for term in terms {
            switch term {
            case .constant, .variable, .local, .interruptFlag, .cpu, .depth, .isIn, .isInTask, .trapAddress, .length,
                .last:
                now += 1
            case .binary: now -= 1
            case .element, .unary, .addressOf, .returnAddressOf, .newInstruction, .oldInstruction, .find, .bsearch,
                .batchElement:
                break
            }
            most = max(most, now)
        }
        return most
    }

    func fits(_ type: ValueType, _ wanted: ValueType) -> Bool {
        switch (type, wanted) {
        case (.int, .int), (.none, .site), (.none, .instruction), (.none, .batch), (.batch, .batch), (.address, .int),
            (.int, .address):
            true
        default: type == wanted
        }
    }

    private mutating func anyValue(
        _ expression: Expression, as wanted: ValueType?
    ) throws(PokeDiagnostic) -> Value {
        switch expression.kind {
        case .number(let number):
            return Value(terms: [.constant(number)], type: .int(number, number), sharedReads: 0)
        case .bool(let bool): return Value(terms: [.constant(bool ? 1 : 0)], type: .bool, sharedReads: 0)
        case .none: return Value(terms: [.constant(0)], type: .none, sharedReads: 0)
        case .name(let name): return try named(Name(text: name, range: expression.range), as: wanted)
        case .member(let base, let member): return try field(base, member)
        case .index(let base, let index): return try element(base, index)
        case .unary(let sign, let operand): return try unary(sign, operand)
        case .binary(let sign, let left, let right): return try binary(sign, left, right, expression.range)
        case .call(let name, let arguments): return try call(name, arguments)
        case .find(let list, let key): return try search(list, key, Term.find)
        case .bsearch(let list, let key): return try search(list, key, Term.bsearch)
        case .context(let word): return try context(word, expression.range)
        case .instruction(let instruction):
            let number = try self.instruction(instruction)
            return Value(terms: [.constant(number + 1)], type: .instruction, sharedReads: 0)
        case .slice, .read:
            throw error(expression.range, "bytes stand only in poke and emulate")
        }
    }

    private mutating func named(_ name: Name, as wanted: ValueType?) throws(PokeDiagnostic) -> Value {
        switch lookUp(name.text) {
        case .local(let number, let type): return stored([.local(number)], type, sharedReads: 0)
        case .entry(let number): return Value(terms: [.constant(number + 1)], type: .site, sharedReads: 0)
        case .batch:
            throw error(name.range, "\"\(name.text)\" is a whole batch: assign it, go through it, or ask len() or last()")
        case nil: break
        }
        if let number = variableNumbers[name.text] {
            let variable = program.variables[number]
            if case .batch = variable.type {
                throw error(name.range, "\"\(name.text)\" is a whole batch: search it, go through it, or ask len() or last()")
            }
            guard variable.count == 1 else {
                throw error(name.range, "\"\(name.text)\" is an array: which element?", suggestion: "\(name.text)[…]")
            }
            return stored([.variable(number)], variable.type, sharedReads: 1)
        }
        if case .oneOf(let names) = wanted, let number = names.firstIndex(of: name.text) {
            return Value(terms: [.constant(number)], type: .oneOf(names), sharedReads: 0)
        }
        let known = scopes.flatMap(\.keys) + variableNumbers.keys
        throw unknown("variable", name, known)
    }

    /// The value of a stored int is what is stored and its lower bound.
    private func stored(_ terms: [Term], _ type: ValueType, sharedReads: Int) -> Value {
        guard case .int(let low, _) = type, low != 0 else {
            return Value(terms: terms, type: type, sharedReads: sharedReads)
        }
        return Value(terms: terms + [.constant(low), .binary(.add)], type: type, sharedReads: sharedReads)
    }

    private mutating func field(_ base: Expression, _ member: Name) throws(PokeDiagnostic) -> Value {
        if case .name("regs") = base.kind {
            guard member.text == "IF" else { throw unknown("register", member, ["IF"]) }
            guard body == .int3 else { throw error(base.range, "regs are those of an INT3's handler") }
            return Value(terms: [.interruptFlag], type: .bool, sharedReads: 0)
        }
        var value = try self.value(base, as: .site)
        switch member.text {
        case "new": value.terms.append(.newInstruction)
        case "old": value.terms.append(.oldInstruction)
        default: throw unknown("field of a site", member, ["new", "old"])
        }
        value.type = .instruction
        return value
    }

    private mutating func element(_ base: Expression, _ index: Expression) throws(PokeDiagnostic) -> Value {
        guard case .name(let text) = base.kind, let number = variableNumbers[text] else {
            throw error(base.range, "only arrays have elements here; bytes of a site stand in poke and emulate")
        }
        let variable = program.variables[number]
        let index = try value(index, as: .int(0, 0))
        if case .batch = variable.type {
            return Value(terms: index.terms + [.batchElement(number)], type: .site, sharedReads: index.sharedReads + 1)
        }
        guard variable.count > 1 else { throw error(base.range, "\"\(text)\" is no array") }
        return stored(index.terms + [.element(number)], variable.type, sharedReads: index.sharedReads + 1)
    }

    private mutating func unary(_ sign: UnaryOperator, _ operand: Expression) throws(PokeDiagnostic) -> Value {
        var value = try self.value(operand, as: sign == .not ? .bool : .int(0, 0))
        value.terms.append(.unary(sign))
        if case .int(let low, let high) = value.type {
            value.type = sign == .negate ? .int(-high, -low) : .int(.min / 4, .max / 4)
        }
        return value
    }

    private mutating func binary(
        _ sign: BinaryOperator, _ left: Expression, _ right: Expression, _ range: Range<Int>
    ) throws(PokeDiagnostic) -> Value {
        var first: Value
        var second: Value
        // A value of `one of` is known by the other side's type.
        if case .name(let name) = left.kind, lookUp(name) == nil, variableNumbers[name] == nil {
            second = try value(right)
            first = try value(left, as: second.type)
        } else {
            first = try value(left)
            second = try value(right, as: sign == .equal || sign == .notEqual ? oneOf(first.type) : nil)
        }
        let type: ValueType
        switch sign {
        case .and, .or:
            try require(first.type == .bool, left, "true or false")
            try require(second.type == .bool, right, "true or false")
            type = .bool
        case .equal, .notEqual:
            guard fits(first.type, second.type) || fits(second.type, first.type) else {
                throw error(range, "\(first.type.name) and \(second.type.name) can't be compared")
            }
            type = .bool
        case .less, .lessOrEqual, .greater, .greaterOrEqual:
            try require(isNumber(first.type), left, "a number")
            try require(isNumber(second.type), right, "a number")
            type = .bool
        default:
            try require(isNumber(first.type), left, "a number")
            try require(isNumber(second.type), right, "a number")
            type = first.type == .address || second.type == .address ? .address : .int(.min / 4, .max / 4)
        }
        first.terms += second.terms + [.binary(sign)]
        return Value(terms: first.terms, type: type, sharedReads: first.sharedReads + second.sharedReads)
    }

    private func oneOf(_ type: ValueType) -> ValueType? {
        if case .oneOf = type { type } else { nil }
    }

    private func require(_ condition: Bool, _ expression: Expression, _ what: String) throws(PokeDiagnostic) {
        if !condition { throw error(expression.range, "this is not \(what)") }
    }

    private func isNumber(_ type: ValueType) -> Bool {
        switch type {
        case .int, .address: true
        default: false
        }
    }

    static let functions = ["addr", "ret", "len", "last"]

    private mutating func call(_ name: Name, _ arguments: [Expression]) throws(PokeDiagnostic) -> Value {
        if ReadModifyWrite(rawValue: name.text) != nil {
            throw error(
                name.range, "\(name.text)() is one step of its own",
                suggestion: "make it the whole right side of let, or the whole condition of if")
        }
        guard Self.functions.contains(name.text) else { throw unknown("function", name, Self.functions) }
        guard arguments.count == 1 else { throw error(name.range, "\(name.text)() has one argument") }
        let argument = arguments[0]
        switch name.text {
        case "addr", "ret":
            var value = try value(argument, as: .site)
            value.terms.append(name.text == "addr" ? .addressOf : .returnAddressOf)
            value.type = .address
            return value
        default:
            let isLength = name.text == "len"
            if case .name(let text) = argument.kind, case .batch(let entries) = lookUp(text) {
                let constant = isLength ? entries.count : (entries.last ?? -1) + 1
                return Value(terms: [.constant(constant)], type: isLength ? .int(0, entries.count) : .site, sharedReads: 0)
            }
            let (number, capacity) = try batchVariable(argument)
            return Value(
                terms: [isLength ? .length(number) : .last(number)], type: isLength ? .int(0, capacity) : .site,
                sharedReads: 1)
        }
    }

    /// The number of a batch variable, and how many entries it holds.
    func batchVariable(_ expression: Expression) throws(PokeDiagnostic) -> (number: Int, capacity: Int) {
        guard case .name(let text) = expression.kind else { throw error(expression.range, "this is not a batch's name") }
        guard let number = variableNumbers[text] else {
            throw unknown(
                "batch", Name(text: text, range: expression.range),
                variableNumbers.filter { if case .batch = program.variables[$0.value].type { true } else { false } }.keys)
        }
        guard case .batch(let capacity) = program.variables[number].type else {
            throw error(expression.range, "\"\(text)\" is no batch, but \(program.variables[number].type.name)")
        }
        return (number, capacity)
    }

    private mutating func search(
        _ list: Expression, _ key: Expression, _ term: (Int) -> Term
    ) throws(PokeDiagnostic) -> Value {
        let (number, _) = try batchVariable(list)
        let key = try value(key, as: .address)
        return Value(terms: key.terms + [term(number)], type: .site, sharedReads: key.sharedReads + 1)
    }

    private func context(_ word: ContextWord, _ range: Range<Int>) throws(PokeDiagnostic) -> Value {
        switch word {
        case .ip:
            guard body == .int3 || body == .stub else {
                throw error(range, "ip is that of an INT3's handler or stub")
            }
            return Value(terms: [.trapAddress], type: .address, sharedReads: 0)
        case .cpu: return Value(terms: [.cpu], type: .int(0, Self.cpusMax - 1), sharedReads: 0)
        case .depth: return Value(terms: [.depth], type: .int(0, 15), sharedReads: 0)
        case .inNMI: return Value(terms: [.isIn(.nmi)], type: .bool, sharedReads: 0)
        case .inIRQ: return Value(terms: [.isIn(.irq)], type: .bool, sharedReads: 0)
        case .inMachineCheck: return Value(terms: [.isIn(.mc)], type: .bool, sharedReads: 0)
        case .inTask: return Value(terms: [.isInTask], type: .bool, sharedReads: 0)
        case .site: throw error(range, "\"site\" is a type", suggestion: "the address that trapped is ip - 1")
        }
    }
}
