/// Computes formulas over a state, as one CPU.
struct Evaluator {
    static let stackMax = 16

    let model: PokeModel
    let state: UnsafeMutablePointer<UInt64>
    let cpu: Int
    let lane: UnsafeMutablePointer<UInt64>

    init(_ model: PokeModel, _ state: UnsafeMutablePointer<UInt64>, cpu: Int) {
        self.model = model
        self.state = state
        self.cpu = cpu
        lane = state + model.layout.globalWords + cpu * model.layout.laneWords
    }

    var depth: Int { model.layout.depth.get(lane) }

    func evaluate(_ formula: Formula) -> Int {
        var stack = InlineArray<16, Int>(repeating: 0)
        var count = 0
        for index in formula.start..<formula.end {
            switch model.program.terms[index] {
            case .binary(let sign):
                count -= 1
                stack[count - 1] = Self.binary(sign, stack[count - 1], stack[count])
            case .unary(let sign): stack[count - 1] = Self.unary(sign, stack[count - 1])
            case .element(let number): stack[count - 1] = element(number, stack[count - 1])
            case .addressOf: stack[count - 1] = address(ofEntry: stack[count - 1])
            case .returnAddressOf: stack[count - 1] = returnAddress(ofEntry: stack[count - 1])
            case .newInstruction:
                let entry = stack[count - 1]
                stack[count - 1] = entry == 0 ? 0 : model.program.entries[entry - 1].new + 1
            case .oldInstruction:
                let entry = stack[count - 1]
                stack[count - 1] =
                    entry == 0 ? 0 : model.layout.sites[model.program.entries[entry - 1].site].current.get(state) + 1
            case .find(let number): stack[count - 1] = find(number, stack[count - 1])
            case .bsearch(let number): stack[count - 1] = bsearch(number, stack[count - 1])
            case .batchElement(let number): stack[count - 1] = batchElement(number, stack[count - 1])
            case let term:
                stack[count] = operand(term)
                count += 1
            }
        }
        return stack[0]
    }

    private func operand(_ term: Term) -> Int {
        let frame = model.layout.frames[depth]
        switch term {
        case .constant(let value): return value
        case .variable(let number): return variable(number, 0).get(place(number))
        case .local(let number): return frame.locals[model.program.locals[number]].get(lane)
        case .interruptFlag: return frame.savedFlag.get(lane)
        case .cpu: return cpu
        case .depth: return depth
        case .isIn(let kind): return isIn(kind) ? 1 : 0
        case .isInTask: return depth == 0 ? 1 : 0
        case .trapAddress: return frame.site.get(lane) * 32 + 1
        case .length(let number): return model.layout.batches[number]!.length.get(state)
        case .last(let number):
            let batch = model.layout.batches[number]!
            let length = batch.length.get(state)
            return length == 0 ? 0 : batch.entries[length - 1].get(state)
        default: preconditionFailure("every other term has operands")
        }
    }

    /// Whether some context on this CPU's stack is of a kind.
    private func isIn(_ kind: EventKind) -> Bool {
        (0...depth).contains { level in
            model.eventKinds[model.layout.frames[level].pc.get(lane)] == kind
        }
    }

    // MARK: Variables

    /// The field of a variable's element; in `place`.
    func variable(_ number: Int, _ index: Int) -> Field {
        model.program.variables[number].isPerCPU
            ? model.layout.ownVariables[number]![index] : model.layout.variables[number][index]
    }

    func place(_ number: Int) -> UnsafeMutablePointer<UInt64> {
        model.program.variables[number].isPerCPU ? lane : state
    }

    /// An index outside of the array reads 0; storing there is a violation of its own.
    private func element(_ number: Int, _ index: Int) -> Int {
        guard index >= 0, index < model.program.variables[number].count else { return 0 }
        return variable(number, index).get(place(number))
    }

    private func address(ofEntry entry: Int) -> Int {
        entry == 0 ? 0 : (model.program.entries[entry - 1].site + 1) * 32
    }

    private func returnAddress(ofEntry entry: Int) -> Int {
        entry == 0 ? 0 : address(ofEntry: entry) + model.siteLengths[model.program.entries[entry - 1].site]
    }

    // MARK: Batches

    private func batchElement(_ number: Int, _ index: Int) -> Int {
        let batch = model.layout.batches[number]!
        guard index >= 0, index < batch.length.get(state) else { return 0 }
        return batch.entries[index].get(state)
    }

    private func find(_ number: Int, _ key: Int) -> Int {
        let batch = model.layout.batches[number]!
        for index in 0..<batch.length.get(state) {
            let entry = batch.entries[index].get(state)
            if address(ofEntry: entry) == key { return entry }
        }
        return 0
    }

    /// As lib/bsearch.c goes about it: right only on a sorted list.
    private func bsearch(_ number: Int, _ key: Int) -> Int {
        let batch = model.layout.batches[number]!
        var base = 0
        var count = batch.length.get(state)
        while count > 0 {
            let pivot = base + count >> 1
            let entry = batch.entries[pivot].get(state)
            let found = address(ofEntry: entry)
            if key == found { return entry }
            if key > found {
                base = pivot + 1
                count -= 1
            }
            count >>= 1
        }
        return 0
    }

    // MARK: Arithmetic

    static func unary(_ sign: UnaryOperator, _ value: Int) -> Int {
        switch sign {
        case .not: value == 0 ? 1 : 0
        case .negate: 0 &- value
        case .complement: ~value
        }
    }

    static func binary(_ sign: BinaryOperator, _ left: Int, _ right: Int) -> Int {
        switch sign {
        case .multiply: left &* right
        case .divide: right == 0 ? 0 : right == -1 ? 0 &- left : left / right
        case .remainder: right == 0 || right == -1 ? 0 : left % right
        case .add: left &+ right
        case .subtract: left &- right
        case .shiftLeft: left << right
        case .shiftRight: left >> right
        case .less: left < right ? 1 : 0
        case .lessOrEqual: left <= right ? 1 : 0
        case .greater: left > right ? 1 : 0
        case .greaterOrEqual: left >= right ? 1 : 0
        case .equal: left == right ? 1 : 0
        case .notEqual: left != right ? 1 : 0
        case .bitAnd: left & right
        case .bitExclusiveOr: left ^ right
        case .bitOr: left | right
        case .and: left != 0 && right != 0 ? 1 : 0
        case .or: left != 0 || right != 0 ? 1 : 0
        }
    }
}
