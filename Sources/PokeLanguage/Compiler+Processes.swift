/// Bodies that run from their beginning: processes, events, the handler, stubs.
extension Compiler {
    mutating func compileHandler() {
        guard let handler else { return }
        withBody(.int3) { compiler in
            compiler.program.int3Handler = compiler.here
            compiler.scoped(handler)
            if compiler.endsOpen(handler) {
                compiler.report(
                    PokeDiagnostic(
                        .error, compiler.designSource, handler.range.upperBound - 1..<handler.range.upperBound,
                        "the handler falls off its end", suggestion: "end it with resume or decline"))
            }
        }
        for (index, name) in stubUses {
            if stubs[name]?.start == nil { compileStub(name) }
            let start = stubs[name]?.start ?? 0
            program.code[index] = .resume(stub: start)
        }
    }

    private mutating func compileStub(_ name: String) {
        guard let block = stubs[name]?.syntax else { return }
        withBody(.stub) { compiler in
            let start = compiler.here
            compiler.stubs[name]?.start = start
            compiler.scoped(block)
            if case .jump = block.statements.last?.kind { return }
            compiler.report(
                PokeDiagnostic(
                    .error, compiler.designSource, block.range.upperBound - 1..<block.range.upperBound,
                    "stub \(name) falls off its end", suggestion: "end it with jmp"))
        }
    }

    /// Whether control can reach the end of a block of the handler.
    private func endsOpen(_ block: Block) -> Bool {
        guard let last = block.statements.last else { return true }
        switch last.kind {
        case .resume, .decline: return false
        case .ifElse(_, let then, let otherwise): return otherwise.map { endsOpen(then) || endsOpen($0) } ?? true
        case .choose(let branches): return branches.contains { endsOpen($0) }
        default: return true
        }
    }

    /// A process for every CPU: a CPU without a block does what the next lower one with a block does.
    mutating func compileProcesses() {
        var blocks: [Int: Block] = [:]
        for member in scenario.members {
            guard case .process(let cpu, let block) = member.kind else { continue }
            source = scenarioSource
            attempt { compiler throws(PokeDiagnostic) in
                let number = try compiler.constant(cpu, in: 0...Self.cpusMax - 1, "a CPU")
                guard blocks[number] == nil else {
                    throw compiler.error(cpu.range, "CPU \(number) has two processes")
                }
                blocks[number] = block
            }
        }
        cpuCount = settings.cpus ?? max(cpuCount, (blocks.keys.max() ?? 0) + 1)
        var previous: (Block, PokeProgram.Process)?
        for cpu in 0..<cpuCount {
            if let block = blocks[cpu] { previous = (block, compileProcess(block)) }
            guard let (_, process) = previous else {
                report(
                    PokeDiagnostic(
                        .error, scenarioSource, scenario.name.range,
                        "scenario \(scenario.name.text) gives CPU \(cpu) nothing to do",
                        suggestion: "cpu \(cpu) { … }"))
                return
            }
            program.processes.append(process)
        }
        compileEvents()
    }

    private mutating func compileProcess(_ block: Block) -> PokeProgram.Process {
        let start = here
        withBody(.process) { compiler in
            compiler.source = compiler.scenarioSource
            compiler.isScenarioCode = true
            compiler.scoped(block)
            compiler.emit(.end)
        }
        return .init(start: start)
    }

    private mutating func compileEvents() {
        for member in scenario.members {
            guard case .event(let kind, let cpu, let max, let block) = member.kind else { continue }
            source = scenarioSource
            attempt { compiler throws(PokeDiagnostic) in
                let number = try compiler.constant(cpu, in: 0...compiler.cpuCount - 1, "a CPU")
                let count = try compiler.constant(max, in: 1...3, "how often an event may come")
                let start = compiler.here
                compiler.withBody(.event) { compiler in
                    compiler.source = compiler.scenarioSource
                    compiler.isScenarioCode = true
                    compiler.scoped(block)
                    compiler.emit(.eventEnd)
                }
                compiler.program.events.append(.init(kind: kind, cpu: number, max: count, start: start, end: compiler.here - 1))
            }
        }
    }

    mutating func compileProperties() {
        source = designSource
        isScenarioCode = false
        for (name, condition) in invariants {
            attempt { compiler throws(PokeDiagnostic) in
                let value = try compiler.value(condition, as: .bool)
                _ = compiler.property(named: name.text)
                compiler.program.invariants.append(.init(name: name.text, condition: compiler.formula(value.terms)))
            }
        }
        for (name, condition) in questions {
            attempt { compiler throws(PokeDiagnostic) in
                let value = try compiler.value(condition, as: .bool)
                compiler.program.questions.append(.init(name: name.text, condition: compiler.formula(value.terms)))
            }
        }
    }
}
