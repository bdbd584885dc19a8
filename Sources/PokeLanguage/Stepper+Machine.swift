/// Text, interrupts and handlers.
extension Stepper {
    mutating func takeMachineOp(_ op: Op) {
        switch op {
        case .poke(let target, let from, let to, let value): poke(target, from, to, value)
        case .serialize: serialize()
        case .send:
            for other in 0..<model.cpuCount where other != cpu {
                let lane = model.lane(state, other)
                layout.pending.set(lane, layout.pending.get(lane) | 1 << cpu)
            }
            serialize()
        case .awaitAcknowledgements: break
        case .stopAsk: layout.stopper.set(state, cpu + 1)
        case .stopWait: layout.interruptFlag.set(lane, 0)
        case .stopRelease:
            layout.stopper.set(state, 0)
            layout.interruptFlag.set(lane, 1)
            serialize()
        case .parked, .eventEnd: popContext()
        case .patchBegin(let entries):
            for entry in entries.map({ model.program.entries[$0] }) {
                layout.sites[entry.site].update.set(state, entry.new + 1)
            }
        case .patchEnd(let entries):
            for entry in entries.map({ model.program.entries[$0] }) {
                layout.sites[entry.site].current.set(state, entry.new)
                layout.sites[entry.site].update.set(state, 0)
            }
        case .emulate(let effect): frame.outcome.set(lane, outcome(effect))
        case .setInterruptedFlag(let value): frame.savedFlag.set(lane, evaluate(value))
        case .retry: frame.outcome.set(lane, Self.retried)
        case .resume(nil): resume()
        case .resume(let stub?): resume(at: stub)
        case .decline: decline()
        case .push(let address):
            if frame.outcome.get(lane) != 0 { violate(PokeProperty.trueEmulation) }
            frame.outcome.set(lane, evaluate(address))
        case .stubJump(let instruction): leaveStub(evaluate(instruction))
        default: preconditionFailure("every other op has been dealt with")
        }
    }

    // MARK: Text

    /// Everything that was stored is seen from now on.
    mutating func serialize() {
        for index in layout.chunks.indices {
            let chunk = layout.chunks[index]
            let last = chunk.count.get(state) - 1
            if chunk.floor.get(lane) != last {
                chunk.floor.set(lane, last)
                forget(index)
            }
        }
    }

    /// Drops versions that no CPU can see any more, so that equal situations are equal states.
    private func forget(_ index: Int) {
        let chunk = layout.chunks[index]
        var lowest = chunk.count.get(state) - 1
        for other in 0..<model.cpuCount { lowest = min(lowest, chunk.floor.get(model.lane(state, other))) }
        guard lowest > 0 else { return }
        let count = chunk.count.get(state)
        for version in 0..<count {
            let from = version + lowest
            chunk.versions[version].set(state, from < count ? chunk.versions[from].get(state) : 0)
        }
        chunk.count.set(state, count - lowest)
        for other in 0..<model.cpuCount {
            let lane = model.lane(state, other)
            chunk.floor.set(lane, chunk.floor.get(lane) - lowest)
        }
    }

    mutating func poke(_ target: PokeTarget, _ from: Int, _ to: Int, _ value: PokeValue) {
        var site = -1
        switch target {
        case .site(let number): site = number
        case .entry(let formula):
            let entry = evaluate(formula)
            guard entry > 0 else {
                violate(PokeProperty.range)
                return
            }
            site = model.program.entries[entry - 1].site
        }
        for index in layout.sites[site].chunks {
            let chunk = layout.chunks[index]
            let first = max(from, chunk.from)
            let last = min(to, chunk.to)
            guard first < last else { continue }
            let before = chunk.versions[chunk.count.get(state) - 1].get(state)
            var code = before
            for offset in first..<last {
                guard let byte = byte(value, offset - from) else {
                    violate(PokeProperty.range)
                    return
                }
                code = chunk.replacing(offset - chunk.from, of: code, with: byte)
            }
            if code != before { add(code, index) }
        }
    }

    private func byte(_ value: PokeValue, _ index: Int) -> UInt8? {
        switch value {
        case .byte(let byte): return byte
        case .instruction(let formula, let offset):
            let number = evaluate(formula)
            guard number > 0 else { return nil }
            let bytes = model.program.instructions[number - 1].bytes
            return offset + index < bytes.count ? bytes[offset + index] : nil
        }
    }

    private mutating func add(_ code: Int, _ index: Int) {
        let chunk = layout.chunks[index]
        let count = chunk.count.get(state)
        if model.program.fetch == .coherent {
            chunk.versions[0].set(state, code)
            return
        }
        guard count < chunk.versions.count else {
            violate(PokeProperty.history)
            return
        }
        chunk.versions[count].set(state, code)
        chunk.count.set(state, count + 1)
    }

    /// The newest bytes of a site.
    func bytes(of site: Int) -> [UInt8] {
        layout.sites[site].chunks.flatMap { index -> [UInt8] in
            let chunk = layout.chunks[index]
            let code = chunk.versions[chunk.count.get(state) - 1].get(state)
            return (0..<chunk.to - chunk.from).map { chunk.byte($0, of: code) }
        }
    }

    /// The innermost context has fetched these versions of the first chunks of a site, and executes what they hold.
    mutating func fetched(_ site: Int, _ views: [(chunk: Int, version: Int)]) {
        layout.shadow.set(lane, 0)
        var bytes: [UInt8] = []
        for (index, version) in views {
            let chunk = layout.chunks[index]
            let code = chunk.versions[version].get(state)
            bytes += (0..<chunk.to - chunk.from).map { chunk.byte($0, of: code) }
            if model.program.fetch != .unordered, chunk.floor.get(lane) != version { chunk.floor.set(lane, version) }
        }
        // What is fetched is remembered before versions are renumbered.
        if model.program.fetch != .unordered { for (index, _) in views { forget(index) } }
        if bytes[0] == 0xcc {
            trap(site)
            return
        }
        let contents = model.program.sites[site].contents
        let found = contents.first { content in
            let whole = model.program.instructions[content].bytes
            return whole.prefix(bytes.count).elementsEqual(bytes) && (bytes.count == whole.count || bytes[0] == 0xc3)
        }
        guard let found else {
            violate(PokeProperty.tornInstruction)
            return
        }
        let state_ = layout.sites[site]
        let update = state_.update.get(state)
        guard found == state_.current.get(state) || update == found + 1 else {
            violate(PokeProperty.completion)
            return
        }
        complete(site, model.effectNumbers[found])
    }

    // MARK: #BP

    private mutating func trap(_ site: Int) {
        let isForeign = model.program.sites[site].hasForeignInt3
        if layout.sites[site].update.get(state) == 0, !isForeign {
            violate(PokeProperty.completion)
            return
        }
        guard let handler = model.program.int3Handler else {
            if isForeign {
                serialize()
                complete(site, model.effectNumbers[layout.sites[site].current.get(state)])
            } else {
                violate(PokeProperty.unexplainedBreakpoint)
            }
            return
        }
        push(pc: handler, site: site + 1)
        if violation == 0 { settle() }
    }

    /// 0: nothing was emulated. Then this, or an effect's number plus 2.
    private static let retried = 1

    private func outcome(_ effect: EmulatedEffect) -> Int {
        switch effect {
        case .instruction(let formula):
            let number = evaluate(formula)
            return (number > 0 ? model.effectNumbers[number - 1] : Effect.wildNumber) + 2
        case .callThroughMemory:
            let bytes = bytes(of: frame.site.get(lane) - 1)
            let match = model.program.instructions.first { instruction in
                if case .call = instruction.effect { instruction.bytes.dropFirst().elementsEqual(bytes.dropFirst()) } else { false }
            }
            return (match.flatMap { model.effects.firstIndex(of: $0.effect) } ?? Effect.wildNumber) + 2
        }
    }

    private mutating func resume() {
        let site = frame.site.get(lane) - 1
        let outcome = frame.outcome.get(lane)
        popContext()
        switch outcome {
        // Execution goes on behind the INT3, inside of the instruction.
        case 0: violate(PokeProperty.tornInstruction)
        case Self.retried: break
        default: complete(site, outcome - 2)
        }
    }

    /// IRET to a stub, which runs where the site would: with the interrupted context's flags.
    private mutating func resume(at stub: Int) {
        let frame = frame
        layout.interruptFlag.set(lane, frame.savedFlag.get(lane))
        if !model.program.options.contains("nmi_latch") { layout.nmiMasked.set(lane, 0) }
        serialize()
        frame.outcome.set(lane, 0)
        for field in frame.locals { field.set(lane, 0) }
        jump(to: stub)
    }

    private mutating func leaveStub(_ instruction: Int) {
        let site = frame.site.get(lane) - 1
        let pushed = frame.outcome.get(lane)
        let effect = instruction > 0 ? model.effectNumbers[instruction - 1] : Effect.wildNumber
        if case .call = model.effects[effect] {
            if pushed != (site + 1) * 32 + model.siteLengths[site] { violate(PokeProperty.trueEmulation) }
        } else if pushed != 0 {
            violate(PokeProperty.trueEmulation)
        }
        dropFrame()
        complete(site, effect)
    }

    /// The next handler of the chain; none left is die("int3").
    private mutating func decline() {
        let site = frame.site.get(lane) - 1
        guard model.program.sites[site].hasForeignInt3 else {
            violate(PokeProperty.unexplainedBreakpoint)
            return
        }
        popContext()
        complete(site, model.effectNumbers[layout.sites[site].current.get(state)])
    }

    // MARK: Effects

    /// The site has been entered, and this is what it did.
    private mutating func complete(_ site: Int, _ effect: Int) {
        guard violation == 0 else { return }
        check(site, effect)
        guard case .enter(_, let result, let bodies) = model.program.code[frame.pc.get(lane)] else {
            preconditionFailure("a context that trapped stands where it entered a site")
        }
        var target: Int?
        switch model.effects[effect] {
        case .call(let number), .jump(let number): target = number
        default: break
        }
        if let result { frame.locals[model.program.locals[result]].set(lane, target.map { $0 + 1 } ?? 0) }
        if case .call(let number) = model.effects[effect], let body = bodies[number] {
            jump(to: body)
        } else {
            jump(to: afterEnter(bodies))
        }
    }

    /// Behind the bodies of the functions that the site may lead to.
    private func afterEnter(_ bodies: [Int: Int]) -> Int {
        let pc = frame.pc.get(lane)
        return model.program.enterEnds[pc] ?? pc + 1
    }

    private mutating func check(_ site: Int, _ effect: Int) {
        let current = layout.sites[site].current.get(state)
        let update = layout.sites[site].update.get(state)
        let old = model.effectNumbers[current]
        let new = update == 0 ? old : model.effectNumbers[update - 1]
        guard effect != old, effect != new else { return }
        if case .call = model.effects[old], case .call = model.effects[new] {
            violate(PokeProperty.lostCall)
        } else if effect == Effect.wildNumber {
            violate(PokeProperty.lostCall)
        } else {
            violate(PokeProperty.trueEmulation)
        }
    }
}
