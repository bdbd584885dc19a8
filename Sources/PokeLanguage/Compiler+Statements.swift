extension Compiler {
    mutating func compile(_ statement: Statement) throws(PokeDiagnostic) {
        if let label = statement.label, !isScenarioCode {
            labels.insert(label.text)
            if settings.without.contains(label.text) { return }
        }
        guard here < Self.opsMax else {
            throw error(statement.range, "the scenario makes more than \(Self.opsMax) operations of this design")
        }
        let outer = origin
        origin = statement
        defer { origin = outer }
        switch statement.kind {
        case .assign(let place, let sign, let right): try assign(place, sign, right)
        case .letBinding(let name, let right): try bind(name, right)
        case .ifElse(let condition, let then, let otherwise): try compileIf(condition, then, otherwise)
        case .whileLoop(let condition, let block): try compileWhile(condition, block)
        case .forLoop(let name, let list, let block): try compileFor(name, list, block)
        case .loop(let count, let block): try compileLoop(count, block, statement.range)
        case .choose(let branches): compileChoose(branches)
        case .atomic(let condition, let block): try compileAtomic(condition, block)
        case .assert(let condition, let name): try compileAssert(condition, name)
        default: try compileStep(statement)
        }
    }

    // MARK: Values

    private mutating func place(_ expression: Expression) throws(PokeDiagnostic) -> (Place, ValueType) {
        switch expression.kind {
        case .name(let text):
            if case .local(let number, let type) = lookUp(text) { return (.local(number), type) }
            if let number = variableNumbers[text] {
                let variable = program.variables[number]
                guard variable.count == 1 else {
                    throw error(expression.range, "\"\(text)\" is an array: which element?", suggestion: "\(text)[…]")
                }
                return (.variable(number), variable.type)
            }
            throw unknown(
                "variable", Name(text: text, range: expression.range), variableNumbers.keys.sorted() + scopes.flatMap(\.keys))
        case .index(let base, let index):
            guard case .name(let text) = base.kind, let number = variableNumbers[text],
                program.variables[number].count > 1
            else { throw error(base.range, "this is no array") }
            let index = try value(index, as: .int(0, 0))
            guard index.isLocal else { throw error(expression.range, "an index reads no shared variable in the same step") }
            return (.element(number, formula(index.terms)), program.variables[number].type)
        default: throw error(expression.range, "this can't be assigned to")
        }
    }

    private mutating func assign(
        _ left: Expression, _ sign: AssignOperator, _ right: Expression
    ) throws(PokeDiagnostic) {
        if case .member(let base, let member) = left.kind, case .name("regs") = base.kind {
            guard body == .int3 else { throw error(left.range, "regs are those of an INT3's handler") }
            guard member.text == "IF", sign == .set else { throw unknown("register", member, ["IF"]) }
            let value = try value(right, as: .bool)
            emit(.setInterruptedFlag(formula(value.terms)))
            return
        }
        let (place, type) = try place(left)
        if case .batch = type, case .variable(let number) = place {
            guard sign == .set else { throw error(left.range, "a batch is assigned with =") }
            emit(.assignBatch(variable: number, try batchValue(right)))
            return
        }
        var value = try value(right, as: type)
        if sign != .set {
            guard case .int = type else { throw error(left.range, "\(sign.rawValue) needs a number") }
            let before = try self.value(left)
            value.terms = before.terms + value.terms + [.binary(sign == .add ? .add : .subtract)]
        }
        guard value.sharedReads <= 1 || openAtomics > 0 else {
            throw error(
                right.range, "this reads more than one shared variable in one step, which no kernel code does",
                suggestion: "read them one by one with let, or say atomic { … }")
        }
        var isLocal = false
        if case .local = place { isLocal = value.isLocal }
        emit(.assign(place, formula(value.terms), isLocal: isLocal))
    }

    private mutating func batchValue(_ expression: Expression) throws(PokeDiagnostic) -> BatchValue {
        switch expression.kind {
        case .none: return .empty
        case .name(let text):
            if case .batch(let entries) = lookUp(text) { return .entries(entries) }
            return .copy(try batchVariable(expression).number)
        case .call(let name, let arguments) where name.text == "append" && arguments.count == 2:
            let (number, _) = try batchVariable(arguments[0])
            let entry = try value(arguments[1], as: .site)
            return .appended(number, formula(entry.terms))
        default: throw error(expression.range, "a batch is none, another batch, or append(batch, site)")
        }
    }

    private mutating func readModifyWrite(
        _ expression: Expression
    ) throws(PokeDiagnostic) -> (ReadModifyWrite, Place, [Formula], ValueType)? {
        guard case .call(let name, let arguments) = expression.kind,
            let operation = ReadModifyWrite(rawValue: name.text)
        else { return nil }
        let wanted = operation == .compareExchange ? 3 : operation == .exchange ? 2 : 1
        guard arguments.count == wanted else {
            throw error(name.range, "\(name.text)() has \(wanted) argument\(wanted == 1 ? "" : "s")")
        }
        let (place, type) = try place(arguments[0])
        var operands: [Formula] = []
        for argument in arguments.dropFirst() {
            let value = try value(argument, as: type)
            guard value.isLocal else { throw error(argument.range, "an operand reads no shared variable in the same step") }
            operands.append(formula(value.terms))
        }
        let isTest = operation == .incrementNotZero || operation == .decrementAndTest
        if isTest {
            guard case .int(0, _) = type else { throw error(arguments[0].range, "\(name.text)() counts in an int from 0 on") }
        }
        return (operation, place, operands, isTest ? .bool : type)
    }

    private mutating func bind(_ name: Name, _ right: Expression) throws(PokeDiagnostic) {
        if let (operation, place, operands, type) = try readModifyWrite(right) {
            let local = try addLocal(name, type)
            emit(.readModifyWrite(operation, place, operands: operands, result: .local(local)))
            return
        }
        let value = try value(right)
        guard value.sharedReads <= 1 || openAtomics > 0 else {
            throw error(right.range, "this reads more than one shared variable in one step, which no kernel code does")
        }
        let local = try addLocal(name, stored(value.type))
        emit(.assign(.local(local), formula(value.terms), isLocal: value.isLocal))
    }

    /// The type that a local of an expression's type has: sums have no bounds of their own.
    private func stored(_ type: ValueType) -> ValueType {
        switch type {
        case .int(let low, let high) where high - low > 1 << 16: .int(0, 255)
        case .int(let low, let high) where low == high: .int(min(low, 0), max(high, 255))
        case .none: .site
        default: type
        }
    }

    // MARK: Control

    /// A condition's op; the jump to `otherwise` is filled in later.
    private mutating func test(_ condition: Expression) throws(PokeDiagnostic) -> Int {
        var negated = false
        var inner = condition
        if case .unary(.not, let operand) = condition.kind {
            negated = true
            inner = operand
        }
        if let (operation, place, operands, type) = try readModifyWrite(inner) {
            guard type == .bool else { throw error(condition.range, "this is not true or false") }
            let local = try addLocal(nil, .bool)
            emit(.readModifyWrite(operation, place, operands: operands, result: .local(local)))
            let terms: [Term] = [.local(local)] + (negated ? [.unary(.not)] : [])
            return emit(.branch(formula(terms), otherwise: -1, isLocal: true))
        }
        let value = try value(condition, as: .bool)
        guard value.sharedReads <= 1 || openAtomics > 0 else {
            throw error(
                condition.range, "this reads more than one shared variable in one step, which no kernel code does",
                suggestion: "read them one by one with let, or say atomic { … }")
        }
        return emit(.branch(formula(value.terms), otherwise: -1, isLocal: value.isLocal))
    }

    private mutating func patchBranch(_ index: Int, otherwise: Int) {
        guard case .branch(let formula, _, let isLocal) = program.code[index] else { return }
        program.code[index] = .branch(formula, otherwise: otherwise, isLocal: isLocal)
    }

    private mutating func compileIf(
        _ condition: Expression, _ then: Block, _ otherwise: Block?
    ) throws(PokeDiagnostic) {
        let branch = try test(condition)
        scoped(then)
        guard let otherwise else {
            patchBranch(branch, otherwise: here)
            return
        }
        let jump = emit(.jump(-1))
        patchBranch(branch, otherwise: here)
        scoped(otherwise)
        program.code[jump] = .jump(here)
    }

    private mutating func compileWhile(_ condition: Expression, _ block: Block) throws(PokeDiagnostic) {
        let start = here
        let branch = try test(condition)
        guard case .branch(_, _, false) = program.code[branch] else {
            throw error(condition.range, "the condition reads nothing shared, so that the loop takes no step")
        }
        scoped(block)
        emit(.jump(start))
        patchBranch(branch, otherwise: here)
    }

    private mutating func compileFor(_ name: Name, _ list: Expression, _ block: Block) throws(PokeDiagnostic) {
        if case .name(let text) = list.kind, case .batch(let entries) = lookUp(text) {
            for entry in entries {
                scopes.append([name.text: .entry(entry)])
                scoped(block)
                scopes.removeLast()
            }
            return
        }
        let (number, capacity) = try batchVariable(list)
        scopes.append([:])
        defer { scopes.removeLast() }
        let index = try addLocal(nil, .int(0, capacity))
        emit(.assign(.local(index), formula([.constant(0)]), isLocal: true))
        let start = here
        let branch = emit(
            .branch(formula([.local(index), .length(number), .binary(.less)]), otherwise: -1, isLocal: false))
        let element = try addLocal(name, .site)
        emit(.assign(.local(element), formula([.local(index), .batchElement(number)]), isLocal: true))
        scoped(block)
        emit(.assign(.local(index), formula([.local(index), .constant(1), .binary(.add)]), isLocal: true))
        emit(.jump(start))
        patchBranch(branch, otherwise: here)
        emit(.clearLocals([index, element]))
    }

    private mutating func compileLoop(_ count: Expression?, _ block: Block, _ range: Range<Int>) throws(PokeDiagnostic) {
        guard let count else {
            guard isScenarioCode, body == .process else {
                throw error(range, "only a process of a scenario loops for ever", suggestion: "loop COUNT { … }")
            }
            let start = here
            program.restingPlaces.insert(start)
            scoped(block)
            guard program.code[start...].contains(where: { !$0.isLocal }) else {
                throw error(range, "the loop takes no step")
            }
            emit(.jump(start))
            return
        }
        let times = try constant(count, in: 1...Self.loopMax, "a loop's count")
        for _ in 0..<times { scoped(block) }
    }

    private mutating func compileChoose(_ branches: [Block]) {
        let choice = emit(.choose([]))
        var starts: [Int] = []
        var jumps: [Int] = []
        for branch in branches {
            starts.append(here)
            scoped(branch)
            jumps.append(emit(.jump(-1)))
        }
        program.code[choice] = .choose(starts)
        for jump in jumps { program.code[jump] = .jump(here) }
    }

    private mutating func compileAtomic(_ condition: Expression?, _ block: Block) throws(PokeDiagnostic) {
        openAtomics += 1
        defer { openAtomics -= 1 }
        var when: Formula?
        if let condition { when = formula(try value(condition, as: .bool).terms) }
        emit(.atomicBegin(when))
        scoped(block)
        emit(.atomicEnd)
    }

    private mutating func compileAssert(_ condition: Expression, _ name: Name) throws(PokeDiagnostic) {
        let value = try value(condition, as: .bool)
        emit(.assert(formula(value.terms), property: property(named: name.text), isLocal: value.isLocal))
    }

    /// The number of a property of the design's or scenario's own.
    mutating func property(named name: String) -> Int {
        if let number = program.assertions.firstIndex(of: name) { return number }
        program.assertions.append(name)
        return program.assertions.count - 1
    }

    func requireNotAtomic(_ range: Range<Int>, _ what: String) throws(PokeDiagnostic) {
        if openAtomics > 0 { throw error(range, "\(what) can't be part of an atomic step") }
    }
}
