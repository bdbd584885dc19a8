/// One step of one CPU, done in place to a state.
struct Stepper {
    /// More operations than this between two steps are a loop that takes none.
    static let localOpsMax = 10_000

    let model: PokeModel
    let state: UnsafeMutablePointer<UInt64>
    let lane: UnsafeMutablePointer<UInt64>
    let cpu: Int
    /// 0, or the property that the step broke.
    var violation: UInt8 = 0

    init(_ model: PokeModel, _ state: UnsafeMutablePointer<UInt64>, _ cpu: Int) {
        self.model = model
        self.state = state
        self.cpu = cpu
        lane = model.lane(state, cpu)
    }

    var layout: StateLayout { _read { yield model.layout } }

    var depth: Int { layout.depth.get(lane) }

    var frame: StateLayout.Frame { _read { yield model.layout.frames[depth] } }

    mutating func violate(_ property: UInt8) {
        if violation == 0 { violation = property }
    }

    func evaluate(_ formula: Formula) -> Int {
        Evaluator(model, state, cpu: cpu).evaluate(formula)
    }

    // MARK: Control

    mutating func jump(to pc: Int) {
        frame.pc.set(lane, pc)
        settle()
    }

    /// Does what takes no step, up to the next op that does.
    mutating func settle() {
        for _ in 0..<Self.localOpsMax {
            let pc = frame.pc.get(lane)
            guard violation == 0, model.program.code[pc].isLocal else { return }
            take(pc)
        }
        violate(PokeProperty.progress)
    }

    /// Begins a context: interrupts are off in it.
    mutating func push(pc: Int, site: Int) {
        guard depth + 1 < layout.frames.count else {
            // Only a handler that hits an INT3 itself, again and again, uses its stack up.
            violate(PokeProperty.closure)
            return
        }
        layout.depth.set(lane, depth + 1)
        frame.pc.set(lane, pc)
        frame.savedFlag.set(lane, layout.interruptFlag.get(lane))
        frame.site.set(lane, site)
        layout.interruptFlag.set(lane, 0)
        layout.shadow.set(lane, 0)
    }

    /// IRET: the interrupted context goes on; the instruction serializes, and ends an NMI's mask, whatever it returns from.
    mutating func popContext() {
        layout.interruptFlag.set(lane, frame.savedFlag.get(lane))
        if !model.program.options.contains("nmi_latch") { layout.nmiMasked.set(lane, 0) }
        dropFrame()
        serialize()
    }

    mutating func dropFrame() {
        let frame = frame
        frame.pc.set(lane, 0)
        frame.savedFlag.set(lane, 0)
        frame.site.set(lane, 0)
        frame.outcome.set(lane, 0)
        for field in frame.locals { field.set(lane, 0) }
        layout.depth.set(lane, depth - 1)
    }

    // MARK: What is enabled

    func isEnabled(_ pc: Int) -> Bool {
        switch model.program.code[pc] {
        case .await(let condition): return evaluate(condition) != 0
        case .atomicBegin(let condition): return condition.map { evaluate($0) != 0 } ?? true
        case .acquire(let lock):
            return (0..<model.cpuCount).allSatisfy { layout.locks[lock].get(model.lane(state, $0)) == 0 }
        case .awaitAcknowledgements:
            return (0..<model.cpuCount).allSatisfy { layout.pending.get(model.lane(state, $0)) >> cpu & 1 == 0 }
        case .stopAsk: return layout.stopper.get(state) == 0
        case .stopWait: return (0..<model.cpuCount).allSatisfy { $0 == cpu || isParked($0) }
        case .parked: return layout.stopper.get(state) == 0
        default: return true
        }
    }

    private func isParked(_ other: Int) -> Bool {
        let lane = model.lane(state, other)
        return (0...layout.depth.get(lane)).contains { layout.frames[$0].pc.get(lane) == model.program.parkedOp }
    }

    // MARK: Operations

    /// Carries out the op at `pc` of the innermost context and what follows without a step of its own.
    mutating func take(_ pc: Int) {
        let op = model.program.code[pc]
        if !op.isLocal { layout.shadow.set(lane, 0) }
        frame.pc.set(lane, pc + 1)
        switch op {
        case .assign(let place, let formula, _): store(place, evaluate(formula))
        case .assignBatch(let number, let value): assignBatch(number, value)
        case .readModifyWrite(let operation, let place, let operands, let result):
            readModifyWrite(operation, place, operands, result)
        case .branch(let condition, let otherwise, _):
            if evaluate(condition) == 0 { frame.pc.set(lane, otherwise) }
        case .jump(let target): frame.pc.set(lane, target)
        case .atomicBegin: runAtomic()
        case .acquire(let lock): layout.locks[lock].set(lane, 1)
        case .release(let lock):
            if layout.locks[lock].get(lane) == 0 { violate(PokeProperty.lock) }
            layout.locks[lock].set(lane, 0)
        case .interruptFlag(let isOn): layout.interruptFlag.set(lane, isOn ? 1 : 0)
        case .saveInterruptFlag(let local):
            local_(local).set(lane, layout.interruptFlag.get(lane))
            layout.interruptFlag.set(lane, 0)
        case .restoreInterruptFlag(let local): layout.interruptFlag.set(lane, local_(local).get(lane))
        case .setInterruptFlagWithShadow:
            if layout.interruptFlag.get(lane) == 0 { layout.shadow.set(lane, 1) }
            layout.interruptFlag.set(lane, 1)
        case .assert(let condition, let property, _):
            if evaluate(condition) == 0 { violate(PokeProperty.assertions + UInt8(truncatingIfNeeded: property)) }
        case .clearLocals(let numbers): for number in numbers { local_(number).set(lane, 0) }
        case .await, .atomicEnd: break
        case .enter, .choose, .end: preconditionFailure("their successors are made one by one")
        default: takeMachineOp(op)
        }
        if !op.isLocal { settle() }
    }

    private func local_(_ number: Int) -> Field {
        frame.locals[model.program.locals[number]]
    }

    /// The whole block is one step.
    private mutating func runAtomic() {
        for _ in 0..<Self.localOpsMax {
            let pc = frame.pc.get(lane)
            if case .atomicEnd = model.program.code[pc] { return }
            guard violation == 0 else { return }
            frame.pc.set(lane, pc)
            takeInAtomic(pc)
        }
        violate(PokeProperty.progress)
    }

    private mutating func takeInAtomic(_ pc: Int) {
        let op = model.program.code[pc]
        frame.pc.set(lane, pc + 1)
        switch op {
        case .assign(let place, let formula, _): store(place, evaluate(formula))
        case .assignBatch(let number, let value): assignBatch(number, value)
        case .readModifyWrite(let operation, let place, let operands, let result):
            readModifyWrite(operation, place, operands, result)
        case .branch(let condition, let otherwise, _):
            if evaluate(condition) == 0 { frame.pc.set(lane, otherwise) }
        case .jump(let target): frame.pc.set(lane, target)
        case .clearLocals(let numbers): for number in numbers { local_(number).set(lane, 0) }
        case .assert(let condition, let property, _):
            if evaluate(condition) == 0 { violate(PokeProperty.assertions + UInt8(truncatingIfNeeded: property)) }
        case .poke(let target, let from, let to, let value): poke(target, from, to, value)
        case .serialize: serialize()
        case .interruptFlag(let isOn): layout.interruptFlag.set(lane, isOn ? 1 : 0)
        default: break
        }
    }

    // MARK: Values

    private mutating func store(_ place: Place, _ value: Int) {
        switch place {
        case .local(let number): local_(number).set(lane, value)
        case .variable(let number): storeVariable(number, 0, value)
        case .element(let number, let index):
            let index = evaluate(index)
            guard index >= 0, index < model.program.variables[number].count else {
                violate(PokeProperty.range)
                return
            }
            storeVariable(number, index, value)
        }
    }

    private mutating func storeVariable(_ number: Int, _ index: Int, _ value: Int) {
        var kept = value
        if case .int(let low, let high) = model.program.variables[number].type {
            guard value >= low, value <= high else {
                violate(PokeProperty.range)
                return
            }
            kept = value - low
        }
        let evaluator = Evaluator(model, state, cpu: cpu)
        evaluator.variable(number, index).set(evaluator.place(number), kept)
    }

    private func load(_ place: Place) -> Int {
        let evaluator = Evaluator(model, state, cpu: cpu)
        func number(_ variable: Int, _ index: Int) -> Int {
            let kept = evaluator.variable(variable, index).get(evaluator.place(variable))
            guard case .int(let low, _) = model.program.variables[variable].type else { return kept }
            return kept + low
        }
        switch place {
        case .local(let local): return local_(local).get(lane)
        case .variable(let variable): return number(variable, 0)
        case .element(let variable, let index):
            let index = evaluate(index)
            return index >= 0 && index < model.program.variables[variable].count ? number(variable, index) : 0
        }
    }

    private mutating func readModifyWrite(
        _ operation: ReadModifyWrite, _ place: Place, _ operands: [Formula], _ result: Place?
    ) {
        let before = load(place)
        var answer = before
        switch operation {
        case .exchange: store(place, evaluate(operands[0]))
        case .compareExchange: if before == evaluate(operands[0]) { store(place, evaluate(operands[1])) }
        case .incrementNotZero:
            answer = before == 0 ? 0 : 1
            if before != 0 { store(place, before + 1) }
        case .decrementAndTest:
            answer = before == 1 ? 1 : 0
            store(place, before - 1)
        }
        if let result { store(result, answer) }
    }

    private mutating func assignBatch(_ number: Int, _ value: BatchValue) {
        let batch = layout.batches[number]!
        var entries: [Int]
        switch value {
        case .empty: entries = []
        case .entries(let numbers): entries = numbers.map { $0 + 1 }
        case .copy(let other): entries = contents(other)
        case .appended(let other, let formula): entries = contents(other) + [evaluate(formula)]
        }
        guard entries.count <= batch.entries.count else {
            violate(PokeProperty.overflow)
            return
        }
        batch.length.set(state, entries.count)
        for (index, field) in batch.entries.enumerated() { field.set(state, index < entries.count ? entries[index] : 0) }
    }

    private func contents(_ number: Int) -> [Int] {
        let batch = layout.batches[number]!
        return batch.entries.prefix(batch.length.get(state)).map { $0.get(state) }
    }
}
