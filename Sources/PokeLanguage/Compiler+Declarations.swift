extension Compiler {
    /// Options of a scenario.
    static let options = ["nmi_in_sti_shadow", "nmi_latch"]

    // MARK: Scenario

    mutating func declare(_ member: ScenarioMember) throws(PokeDiagnostic) {
        switch member.kind {
        case .site(let name, let contents, let placement): try declareSite(name, contents, placement)
        case .foreignInt3(let name, _):
            let site = try site(name)
            program.sites[site].hasForeignInt3 = true
        case .function(let name, let block):
            guard functions[name.text] == nil else { throw error(name.range, "func \(name.text) is declared twice") }
            functions[name.text] = block
        case .cpus(let count): cpuCount = try constant(count, in: 1...Self.cpusMax, "the number of CPUs")
        case .bind(let name, let site): boundSites[name.text] = site.text
        case .option(let name):
            guard Self.options.contains(name.text) else { throw unknown("option", name, Self.options) }
            program.options.insert(name.text)
        case .fetch(let name):
            guard let rule = FetchRule(rawValue: name.text) else {
                throw unknown("fetch model", name, FetchRule.allCases.map(\.rawValue))
            }
            program.fetch = settings.fetch ?? rule
        case .process, .event: break
        }
    }

    private mutating func declareSite(
        _ name: Name, _ contents: [InstructionSyntax], _ placement: Placement?
    ) throws(PokeDiagnostic) {
        guard siteNumbers[name.text] == nil else { throw error(name.range, "site \(name.text) is declared twice") }
        guard program.sites.count < Self.sitesMax else { throw error(name.range, "more than \(Self.sitesMax) sites") }
        var numbers: [Int] = []
        for syntax in contents { numbers.append(try instruction(syntax)) }
        let place: Int
        switch placement {
        case .at(let expression): place = try constant(expression, in: 0...63, "a placement")
        case .every, nil: place = settings.placement ?? 0
        }
        if case .every = placement { program.sweptSites.append(program.sites.count) }
        siteNumbers[name.text] = program.sites.count
        program.sites.append(.init(name: name.text, contents: numbers, placement: place))
    }

    func site(_ name: Name) throws(PokeDiagnostic) -> Int {
        if let number = siteNumbers[name.text] { return number }
        throw unknown("site", name, siteNumbers.keys)
    }

    /// A number that is known before anything runs.
    func constant(_ expression: Expression, in range: ClosedRange<Int>, _ what: String) throws(PokeDiagnostic) -> Int {
        guard case .number(let number) = expression.kind, range.contains(number) else {
            throw error(
                expression.range, "\(what) is a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// Finds everything that the scenario's processes patch, before code that handles it is compiled.
    mutating func declareEntries() {
        for member in scenario.members {
            switch member.kind {
            case .process(_, let block), .event(_, _, _, let block), .function(_, let block): declareEntries(block)
            default: break
            }
        }
    }

    private mutating func declareEntries(_ block: Block) {
        for statement in block.statements {
            switch statement.kind {
            case .patch(let patches):
                for (name, syntax) in patches {
                    attempt { compiler throws(PokeDiagnostic) in _ = try compiler.entry(name, syntax) }
                }
            case .loop(_, let inner), .whileLoop(_, let inner), .forLoop(_, _, let inner), .atomic(_, let inner),
                .stopMachine(let inner):
                declareEntries(inner)
            case .ifElse(_, let then, let otherwise):
                declareEntries(then)
                if let otherwise { declareEntries(otherwise) }
            case .choose(let branches): branches.forEach { declareEntries($0) }
            default: break
            }
        }
    }

    mutating func entry(_ name: Name, _ syntax: InstructionSyntax) throws(PokeDiagnostic) -> Int {
        let site = try site(name)
        let new = try instruction(syntax)
        if !program.sites[site].contents.contains(new) { program.sites[site].contents.append(new) }
        let lengths = Set(program.sites[site].contents.map { program.instructions[$0].bytes.count })
        guard lengths.count == 1 else {
            throw error(syntax.range, "site \(name.text) would hold instructions of different lengths")
        }
        let entry = PokeProgram.Entry(site: site, new: new)
        if let number = program.entries.firstIndex(of: entry) { return number }
        program.entries.append(entry)
        return program.entries.count - 1
    }

    // MARK: Instructions

    static let instructionsMax = 32

    mutating func instruction(_ syntax: InstructionSyntax) throws(PokeDiagnostic) -> Int {
        let made: PokeProgram.SiteInstruction
        switch syntax.kind {
        case .call(let name):
            let target = target(name)
            made = .init(effect: .call(target: target), bytes: [0xe8] + displacement(target))
        case .jump(let name):
            let target = target(name)
            made = .init(effect: .jump(target: target), bytes: [0xe9] + displacement(target))
        case .nop5: made = .init(effect: .nop, bytes: [0x0f, 0x1f, 0x44, 0x00, 0x00])
        case .nop2: made = .init(effect: .nop, bytes: [0x66, 0x90])
        // What is shorter than the site is padded with INT3, as text_poke_loc_init() has it.
        case .ret: made = .init(effect: .ret, bytes: [0xc3, 0xcc, 0xcc, 0xcc, 0xcc])
        case .int3: made = .init(effect: .int3, bytes: [0xcc, 0xcc, 0xcc, 0xcc, 0xcc])
        }
        if let number = program.instructions.firstIndex(of: made) { return number }
        guard program.instructions.count < Self.instructionsMax else {
            throw error(syntax.range, "more than \(Self.instructionsMax) different instructions")
        }
        program.instructions.append(made)
        return program.instructions.count - 1
    }

    private mutating func target(_ name: Name) -> Int {
        if let number = targetNumbers[name.text] { return number }
        targetNumbers[name.text] = program.targets.count
        program.targets.append(name.text)
        return program.targets.count - 1
    }

    /// Displacements of two targets differ in every byte, so that any mixture of the two is told from both.
    private func displacement(_ target: Int) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: (target * 0x11 + 0x10 + $0 * 0x22) % 0xbb + 1) }
    }

    // MARK: Design

    mutating func declare(_ member: DesignMember) throws(PokeDiagnostic) {
        switch member.kind {
        case .note: break
        case .variable(let variable): try declare(variable)
        case .lock(let kind, let name):
            try requireNew(name)
            lockNumbers[name.text] = program.locks.count
            program.locks.append(.init(name: name.text, kind: kind))
        case .needsSite(let name):
            guard let bound = boundSites[name.text] else {
                throw error(
                    name.range, "scenario \(scenario.name.text) binds no site to \"\(name.text)\"",
                    suggestion: "bind \(name.text) = SITE, in the scenario")
            }
            guard let number = siteNumbers[bound] else {
                throw error(name.range, "scenario \(scenario.name.text) binds \"\(bound)\", which is no site of it")
            }
            siteNumbers[name.text] = number
        case .patch(let batch, let block):
            guard patchRoutine == nil else { throw error(member.range, "a design has one patch routine") }
            patchRoutine = (batch, block)
        case .hook(_, let block):
            guard handler == nil else { throw error(member.range, "a design has one handler on int3") }
            handler = block
        case .stub(let name, let block):
            guard stubs[name.text] == nil else { throw error(name.range, "stub \(name.text) is declared twice") }
            stubs[name.text] = (block, nil)
        case .invariant(let name, let condition): invariants.append((name, condition))
        case .reach(let name, let condition): questions.append((name, condition))
        }
    }

    private func requireNew(_ name: Name) throws(PokeDiagnostic) {
        guard variableNumbers[name.text] == nil, lockNumbers[name.text] == nil else {
            throw error(name.range, "\"\(name.text)\" is declared twice")
        }
    }

    private mutating func declare(_ variable: VariableSyntax) throws(PokeDiagnostic) {
        try requireNew(variable.name)
        let type = try type(variable.type)
        var count = 1
        if let length = variable.count { count = try constant(length, in: 2...Self.arrayMax, "an array's length") }
        let initial: Int
        switch (type, variable.initial.kind) {
        case (.batch, .none), (.site, .none), (.instruction, .none): initial = 0
        case (.bool, .bool(let value)): initial = value ? 1 : 0
        case (.int(let low, let high), .number(let number)):
            guard (low...high).contains(number) else {
                throw error(variable.initial.range, "\(number) is not in \(low)..\(high)")
            }
            initial = number - low
        case (.oneOf(let names), .name(let name)):
            guard let number = names.firstIndex(of: name) else {
                throw unknown("value", Name(text: name, range: variable.initial.range), names)
            }
            initial = number
        default: throw error(variable.initial.range, "this is no initial value of the type \(type.name)")
        }
        if case .batch = type, count > 1 || variable.storage == .percpu {
            throw error(variable.name.range, "a batch is shared, and one")
        }
        variableNumbers[variable.name.text] = program.variables.count
        program.variables.append(
            .init(
                name: variable.name.text, isPerCPU: variable.storage == .percpu, type: type, count: count,
                initial: initial))
    }

    private func type(_ syntax: TypeSyntax) throws(PokeDiagnostic) -> ValueType {
        switch syntax.kind {
        case .bool: return .bool
        case .int(let low, let high):
            let first = try bound(low)
            let last = try bound(high)
            guard first < last, last - first < 1 << 16 else {
                throw error(syntax.range, "int LOW..HIGH has 2 to 65536 values")
            }
            return .int(first, last)
        case .site: return .site
        case .batch(let size):
            guard case .number(let number) = size.kind, number >= 1 else {
                throw error(size.range, "a batch's size is a number from 1 on")
            }
            // More entries than there are things to patch, twice over, make no difference.
            return .batch(min(number, Self.batchMax, max(program.entries.count, 1) * 2))
        case .insn: return .instruction
        case .oneOf(let names): return .oneOf(names.map(\.text))
        }
    }

    private func bound(_ expression: Expression) throws(PokeDiagnostic) -> Int {
        switch expression.kind {
        case .number(let number): return number
        case .unary(.negate, let inner): return -(try bound(inner))
        default: throw error(expression.range, "a bound is a number")
        }
    }
}
