/// Statements that are steps of their own.
extension Compiler {
    mutating func compileStep(_ statement: Statement) throws(PokeDiagnostic) {
        let range = statement.range
        switch statement.kind {
        case .await(let condition):
            try requireNotAtomic(range, "await")
            emit(.await(formula(try value(condition, as: .bool).terms)))
        case .acquire(let name):
            try requireNotAtomic(range, "acquire")
            let lock = try lock(name)
            if program.locks[lock].kind == .mutex, body != .patch, body != .process, body != .function {
                throw error(range, "a mutex sleeps: only a task may acquire it", suggestion: "declare \(name.text) as spinlock")
            }
            emit(.acquire(lock))
        case .release(let name): emit(.release(try lock(name)))
        case .irq(let change): try compileInterruptFlag(change, range)
        case .poke(let place, let value, let step): try compilePoke(place, value, by: step, range)
        case .serialize: emit(.serialize)
        case .sync:
            try requireNotAtomic(range, "sync")
            try requireTask(range, "sync waits with interrupts on")
            emit(.send)
            emit(.awaitAcknowledgements)
        case .ipi: emit(.send)
        case .acks: emit(.awaitAcknowledgements)
        case .stopMachine(let block):
            try requireNotAtomic(range, "stop_machine")
            try requireTask(range, "stop_machine waits for all CPUs")
            emit(.stopAsk)
            emit(.stopWait)
            scoped(block)
            emit(.stopRelease)
        case .enter(let site, let result): try compileEnter(site, result, range)
        case .patch(let patches): try compilePatch(patches, range)
        default: try compileContextStep(statement)
        }
    }

    private func lock(_ name: Name) throws(PokeDiagnostic) -> Int {
        if let number = lockNumbers[name.text] { return number }
        throw unknown("lock", name, lockNumbers.keys)
    }

    private func requireTask(_ range: Range<Int>, _ why: String) throws(PokeDiagnostic) {
        guard body == .patch || body == .process || body == .function else { throw error(range, "\(why): only a task may") }
    }

    private mutating func compileInterruptFlag(
        _ change: InterruptFlagChange, _ range: Range<Int>
    ) throws(PokeDiagnostic) {
        switch change {
        case .off: emit(.interruptFlag(false))
        case .on: emit(.interruptFlag(true))
        case .save:
            guard savedFlag == nil else { throw error(range, "irq save stands within irq save") }
            let local = try addLocal(nil, .bool)
            savedFlag = local
            emit(.saveInterruptFlag(local))
        case .restore:
            guard let local = savedFlag else { throw error(range, "irq restore without irq save before it") }
            savedFlag = nil
            emit(.restoreInterruptFlag(local))
        }
    }

    // MARK: Text

    /// A site or a site value, and which of its bytes.
    private mutating func textPlace(
        _ expression: Expression
    ) throws(PokeDiagnostic) -> (target: PokeTarget, length: Int, from: Int, to: Int) {
        let base: Expression
        let first: Expression?
        let last: Expression?
        let isRange: Bool
        switch expression.kind {
        case .index(let inner, let index): (base, first, last, isRange) = (inner, index, nil, false)
        case .slice(let inner, let low, let high): (base, first, last, isRange) = (inner, low, high, true)
        default: (base, first, last, isRange) = (expression, nil, nil, true)
        }
        let (target, length) = try pokeTarget(base)
        let from = try first.map { index throws(PokeDiagnostic) in try constant(index, in: 0...length - 1, "a byte of a site") } ?? 0
        var to = isRange ? length : from + 1
        if let last { to = try constant(last, in: from...length - 1, "the last byte of a range") + 1 }
        return (target, length, from, to)
    }

    private mutating func pokeTarget(_ base: Expression) throws(PokeDiagnostic) -> (PokeTarget, Int) {
        if case .name(let text) = base.kind, lookUp(text) == nil, let site = siteNumbers[text] {
            return (.site(site), siteLength(site))
        }
        if case .name(let text) = base.kind, case .entry(let number) = lookUp(text) {
            let site = program.entries[number].site
            return (.site(site), siteLength(site))
        }
        let value = try value(base, as: .site)
        let lengths = Set(program.entries.map { siteLength($0.site) })
        guard let length = lengths.first, lengths.count == 1 else {
            throw error(base.range, "sites of different lengths are patched; name the site")
        }
        return (.entry(formula(value.terms)), length)
    }

    func siteLength(_ site: Int) -> Int {
        program.instructions[program.sites[site].contents[0]].bytes.count
    }

    private mutating func compilePoke(
        _ place: Expression, _ right: Expression, by step: Expression?, _ range: Range<Int>
    ) throws(PokeDiagnostic) {
        let (target, _, from, to) = try textPlace(place)
        let value = try pokeValue(right, count: to - from)
        var size = to - from
        if let step { size = try constant(step, in: 1...8, "bytes of a store") }
        var next = from
        while next < to {
            let end = min(next + size, to)
            noteBytes(target, next..<end, value, from: from)
            if case .instruction(let formula, let offset) = value {
                emit(.poke(target, from: next, to: end, .instruction(formula, offset: offset + next - from)))
            } else {
                emit(.poke(target, from: next, to: end, value))
            }
            next = end
        }
    }

    /// Remembers which bytes the store may bring, so that a state has room for them.
    private mutating func noteBytes(_ target: PokeTarget, _ range: Range<Int>, _ value: PokeValue, from: Int) {
        var targets = Array(program.sites.indices)
        if case .site(let site) = target { targets = [site] }
        for site in targets {
            for offset in range where offset < siteLength(site) {
                switch value {
                case .byte(let byte): program.pokedBytes[site, default: [:]][offset, default: []].insert(byte)
                case .instruction(_, let start):
                    for instruction in program.instructions {
                        let index = start + offset - from
                        guard index < instruction.bytes.count else { continue }
                        program.pokedBytes[site, default: [:]][offset, default: []].insert(instruction.bytes[index])
                    }
                }
            }
        }
    }

    private mutating func pokeValue(_ expression: Expression, count: Int) throws(PokeDiagnostic) -> PokeValue {
        switch expression.kind {
        case .instruction(let instruction):
            if case .int3 = instruction.kind, count == 1 { return .byte(0xcc) }
            let number = try self.instruction(instruction)
            return .instruction(formula([.constant(number + 1)]), offset: 0)
        case .number(let number):
            guard count == 1, (0...255).contains(number) else {
                throw error(expression.range, "a number is one byte, 0 to 255, for one byte")
            }
            return .byte(UInt8(number))
        case .index(let base, let index):
            let value = try value(base, as: .instruction)
            let offset = try constant(index, in: 0...14, "a byte of an instruction")
            guard count == 1 else { throw error(expression.range, "this is one byte, for \(count)") }
            return .instruction(formula(value.terms), offset: offset)
        case .slice(let base, let first, let last):
            let value = try value(base, as: .instruction)
            let offset = try constant(first, in: 0...14, "a byte of an instruction")
            if let last {
                let end = try constant(last, in: offset...14, "the last byte of a range")
                guard end + 1 - offset == count else {
                    throw error(expression.range, "these are \(end + 1 - offset) bytes, for \(count)")
                }
            }
            return .instruction(formula(value.terms), offset: offset)
        default: return .instruction(formula(try value(expression, as: .instruction).terms), offset: 0)
        }
    }

    // MARK: Entering and patching

    private mutating func compileEnter(
        _ expression: Expression, _ result: Name?, _ range: Range<Int>
    ) throws(PokeDiagnostic) {
        try requireNotAtomic(range, "enter")
        guard case .name(let text) = expression.kind else { throw error(expression.range, "a site's name stands here") }
        let site = try site(Name(text: text, range: expression.range))
        var local: Int?
        if let result { local = try addLocal(result, .oneOf(["nothing"] + program.targets)) }
        let enter = emit(.enter(site: site, result: local, bodies: [:]))
        var bodies: [Int: Int] = [:]
        var jumps: [Int] = []
        for content in Set(program.sites[site].contents).sorted() {
            guard case .call(let target) = program.instructions[content].effect,
                let function = functions[program.targets[target]]
            else { continue }
            let name = program.targets[target]
            guard !inlined.contains(name) else {
                throw error(range, "func \(name) enters itself by way of site \(text)")
            }
            bodies[target] = here
            inlined.append(name)
            let outer = body
            withSource(scenario: true) { compiler in
                if outer == .patch || outer == .process { compiler.body = .function }
                compiler.scoped(function)
            }
            body = outer
            inlined.removeLast()
            jumps.append(emit(.jump(-1)))
        }
        program.code[enter] = .enter(site: site, result: local, bodies: bodies)
        for jump in jumps { program.code[jump] = .jump(here) }
        program.enterEnds[enter] = here
    }

    private mutating func compilePatch(
        _ patches: [(Name, InstructionSyntax)], _ range: Range<Int>
    ) throws(PokeDiagnostic) {
        guard let patchRoutine else {
            throw error(range, "design \(design.name.text) has no patch routine", suggestion: "patch (batch b) { … }")
        }
        try requireTask(range, "patching sleeps")
        guard !patches.isEmpty else { throw error(range, "a patch names at least one site") }
        var entries: [Int] = []
        for (name, syntax) in patches { entries.append(try entry(name, syntax)) }
        emit(.patchBegin(entries))
        let outer = (body, savedFlag)
        withSource(scenario: false) { compiler in
            compiler.body = .patch
            compiler.scopes.append([patchRoutine.batch.text: .batch(entries)])
            compiler.scoped(patchRoutine.block)
            compiler.scopes.removeLast()
        }
        (body, savedFlag) = outer
        emit(.patchEnd(entries))
    }

    // MARK: Handler and stubs

    private mutating func compileContextStep(_ statement: Statement) throws(PokeDiagnostic) {
        let range = statement.range
        switch statement.kind {
        case .emulate, .emulateCall, .retry, .resume, .decline:
            guard body == .int3 else { throw error(range, "this stands only in on int3") }
        case .push, .jump, .setInterruptFlag, .clearInterruptFlag:
            guard body == .stub else { throw error(range, "this stands only in a stub") }
        default: break
        }
        switch statement.kind {
        case .emulate(let expression):
            emit(.emulate(.instruction(formula(try value(expression, as: .instruction).terms))))
        case .emulateCall(let expression):
            guard case .read = expression.kind else {
                throw error(expression.range, "a call's target is read from the text", suggestion: "emulate call read SITE[1..]")
            }
            emit(.emulate(.callThroughMemory))
        case .retry: emit(.retry)
        case .resume(let name):
            guard let name else {
                emit(.resume(stub: nil))
                return
            }
            guard stubs[name.text] != nil else { throw unknown("stub", name, stubs.keys) }
            let index = emit(.resume(stub: -1))
            stubUses.append((index, name.text))
        case .decline: emit(.decline)
        case .push(let expression): emit(.push(formula(try value(expression, as: .address).terms)))
        case .jump(let expression): emit(.stubJump(formula(try value(expression, as: .instruction).terms)))
        case .setInterruptFlag: emit(.setInterruptFlagWithShadow)
        case .clearInterruptFlag: emit(.interruptFlag(false))
        default: throw error(range, "this statement stands nowhere")
        }
    }
}
