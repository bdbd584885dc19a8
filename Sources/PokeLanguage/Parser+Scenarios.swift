extension Parser {
    static let scenarioWords = [
        "site", "int3", "func", "cpus", "cpu", "irq", "nmi", "mc", "db", "bind", "option", "fetch",
    ]
    static let fileWords = ["include", "design", "scenario", "expect"]

    /// The whole file; what is wrong in it has been reported.
    mutating func file() -> FileSyntax {
        var file = FileSyntax(version: 0, versionRange: 0..<0, items: [])
        do {
            try expectWord("version", "at the beginning of the file")
            file.versionRange = token.range
            file.version = try number("the version of the language")
        } catch {
            report(error)
            return file
        }
        while !isAtEnd {
            let start = position
            do {
                file.items.append(try item())
            } catch {
                report(error)
                skipItem(from: start)
            }
        }
        return file
    }

    private mutating func item() throws(PokeDiagnostic) -> FileSyntax.Item {
        let start = token.range.lowerBound
        if takeWord("include") {
            let path = try string("the path of a design file")
            return .include(path, range(from: start))
        }
        if takeWord("design") { return .design(try design()) }
        if takeWord("scenario") { return .scenario(try scenario()) }
        if takeWord("expect") { return .expect(try expectation(from: start)) }
        throw unknown("part of a design file", Self.fileWords)
    }

    /// To the next word that begins a part, outside of all braces.
    private mutating func skipItem(from start: Int) {
        if position == start { advance() }
        var depth = 0
        while !isAtEnd {
            if isSign(.leftBrace) { depth += 1 }
            if isSign(.rightBrace) { depth = max(0, depth - 1) }
            if depth == 0, case .word(let word) = token.kind, Self.fileWords.contains(word) { return }
            advance()
        }
    }

    private mutating func scenario() throws(PokeDiagnostic) -> ScenarioSyntax {
        var scenario = ScenarioSyntax(name: try name("the scenario's name"))
        try members(of: "scenario \(scenario.name.text)") { parser throws(PokeDiagnostic) in
            scenario.members.append(try parser.scenarioMember())
        }
        return scenario
    }

    private mutating func scenarioMember() throws(PokeDiagnostic) -> ScenarioMember {
        let start = token.range.lowerBound
        guard case .word(let word) = token.kind, Self.scenarioWords.contains(word) else {
            throw unknown("member of a scenario", Self.scenarioWords)
        }
        advance()
        let kind: ScenarioMember.Kind
        switch word {
        case "site": kind = try siteMember()
        case "int3":
            let site = try name("the site's name")
            try expectWord("owned", "behind the site")
            try expectWord("by", "behind owned")
            kind = .foreignInt3(site, owner: try name("the owner of the INT3"))
        case "func":
            let name = try name("the function's name")
            kind = .function(name, try block("func \(name.text)"))
        case "cpus": kind = .cpus(try expression())
        case "cpu":
            let cpu = try expression()
            kind = .process(cpu: cpu, try block("cpu"))
        case "bind":
            let name = try name("the name that the design needs")
            try expect(.assign, "behind the name")
            kind = .bind(name, to: try self.name("a site of the scenario"))
        case "option": kind = .option(try name("an option"))
        case "fetch": kind = .fetch(try name("a fetch model"))
        default: kind = try event(EventKind(rawValue: word)!)
        }
        return ScenarioMember(kind: kind, range: range(from: start))
    }

    private mutating func event(_ kind: EventKind) throws(PokeDiagnostic) -> ScenarioMember.Kind {
        try expectWord("on", "behind \(kind.rawValue)")
        let cpu = try expression()
        try expectWord("max", "behind the CPU: how many there may be")
        let max = try expression()
        return .event(kind, cpu: cpu, max: max, try block(kind.rawValue))
    }

    private mutating func siteMember() throws(PokeDiagnostic) -> ScenarioMember.Kind {
        let name = try name("the site's name")
        try expect(.colon, "behind the site's name")
        var instructions = [try instruction()]
        while take(.arrow) { instructions.append(try instruction()) }
        guard takeWord("placed") else { return .site(name, instructions, nil) }
        let start = token.range
        if take(.times) { return .site(name, instructions, .every(start)) }
        return .site(name, instructions, .at(try expression()))
    }

    // MARK: Expectations

    private mutating func expectation(from start: Int) throws(PokeDiagnostic) -> ExpectSyntax {
        let design = try name("the design's name")
        var without: [Name] = []
        if takeWord("without") {
            repeat { without.append(try name("the label of a statement")) } while take(.comma)
        }
        try expectWord("in", "before the scenario")
        let scenario = try name("the scenario's name")
        var settings: [ExpectSyntax.Setting] = []
        if takeWord("with") {
            repeat { settings.append(try setting()) } while take(.comma)
        }
        try expect(.colon, "before the verdict")
        return ExpectSyntax(
            design: design, without: without, scenario: scenario, settings: settings, verdict: try verdict(),
            range: range(from: start))
    }

    private mutating func setting() throws(PokeDiagnostic) -> ExpectSyntax.Setting {
        let key = try name("a setting")
        let start = token.range
        switch token.kind {
        case .number(let number):
            advance()
            return .init(key: key, value: .number(number, start))
        case .sign(.times):
            advance()
            return .init(key: key, value: .every(start))
        default: return .init(key: key, value: .name(try name("a value")))
        }
    }

    private mutating func verdict() throws(PokeDiagnostic) -> ExpectSyntax.Verdict {
        let start = token.range
        if takeWord("safe") { return .safe(start) }
        if takeWord("violates") { return .violates(try name("what is violated")) }
        if takeWord("reaches") { return .reaches(try name("the question")) }
        throw unknown("verdict", ["safe", "violates", "reaches"])
    }
}
