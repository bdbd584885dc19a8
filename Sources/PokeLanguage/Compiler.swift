/// What a check can set without editing the scenario.
public struct ScenarioSettings: Sendable, Hashable {
    /// CPUs in all; nil for what the scenario says.
    public var cpus: Int?
    public var fetch: FetchRule?
    /// First byte of every `placed *` site in its line; nil for what the scenario says.
    public var placement: Int?
    /// Labels of statements that are left out.
    public var without: Set<String> = []

    public init() {}
}

/// Which version of a chunk of text a fetch may see.
public enum FetchRule: String, Sendable, Hashable, CaseIterable {
    case coherent, line, chunk16, chunk8, byte, unordered

    /// log2 of a chunk's bytes.
    var chunkShift: Int {
        switch self {
        case .coherent, .line: 6
        case .chunk16: 4
        case .chunk8: 3
        case .byte, .unordered: 0
        }
    }
}

/// Turns a design and a scenario into a program. Stops at the first thing that is wrong in a statement and goes on with
/// the next, so that all errors of a file are shown.
struct Compiler {
    /// Code, variables and contexts beyond these sizes are refused.
    static let opsMax = 20_000
    static let cpusMax = 16
    static let sitesMax = 16
    static let arrayMax = 64
    static let batchMax = 16
    static let loopMax = 64

    enum Binding {
        case local(Int, ValueType)
        /// A `for` variable that is unrolled.
        case entry(Int)
        /// The patch routine's parameter.
        case batch([Int])
    }

    /// What kind of code is compiled; some statements belong to one kind only.
    enum Body: Equatable {
        case patch, int3, stub, event, process, function
    }

    let design: DesignSyntax
    let scenario: ScenarioSyntax
    let designSource: SourceText
    let scenarioSource: SourceText
    let settings: ScenarioSettings
    var program = PokeProgram()
    var diagnostics: [PokeDiagnostic] = []

    // The place in the work.
    var source: SourceText
    var isScenarioCode = false
    var body = Body.process
    var scopes: [[String: Binding]] = []
    var localsUsed = 0
    var openAtomics = 0
    var origin: Statement?
    /// Functions being inlined, outermost first.
    var inlined: [String] = []
    var labels: Set<String> = []
    var variableNumbers: [String: Int] = [:]
    var lockNumbers: [String: Int] = [:]
    var siteNumbers: [String: Int] = [:]
    var targetNumbers: [String: Int] = [:]
    var stubs: [String: (syntax: Block, start: Int?)] = [:]
    var functions: [String: Block] = [:]
    var boundSites: [String: String] = [:]
    var patchRoutine: (batch: Name, block: Block)?
    var handler: Block?
    var stubUses: [(op: Int, stub: String)] = []
    var invariants: [(Name, Expression)] = []
    var questions: [(Name, Expression)] = []
    /// Where `irq save` put the flag.
    var savedFlag: Int?
    var cpuCount = 1

    init(
        _ design: DesignSyntax, in designSource: SourceText, _ scenario: ScenarioSyntax, in scenarioSource: SourceText,
        _ settings: ScenarioSettings
    ) {
        self.design = design
        self.designSource = designSource
        self.scenario = scenario
        self.scenarioSource = scenarioSource
        self.settings = settings
        source = designSource
    }

    mutating func compile() {
        program.fetch = settings.fetch ?? .chunk16
        program.parkedOp = emit(.parked)
        source = scenarioSource
        isScenarioCode = true
        for member in scenario.members { attempt { compiler throws(PokeDiagnostic) in try compiler.declare(member) } }
        declareEntries()
        source = designSource
        isScenarioCode = false
        for member in design.members { attempt { compiler throws(PokeDiagnostic) in try compiler.declare(member) } }
        compileHandler()
        compileProcesses()
        compileProperties()
        for label in settings.without.sorted() where !labels.contains(label) {
            let near = NearestWord.of(label, in: labels).map { "did you mean \"\($0)\"?" }
            report(
                PokeDiagnostic(
                    .error, designSource, design.name.range, "no statement of \(design.name.text) is labelled \"\(label)\"",
                    suggestion: near ?? "labels: \(labels.sorted().joined(separator: ", "))"))
        }
    }

    // MARK: Errors

    func error(_ range: Range<Int>, _ message: String, suggestion: String? = nil) -> PokeDiagnostic {
        PokeDiagnostic(.error, source, range, message, suggestion: suggestion)
    }

    func unknown(_ what: String, _ name: Name, _ known: some Sequence<String>) -> PokeDiagnostic {
        let near = NearestWord.of(name.text, in: known).map { "did you mean \"\($0)\"?" }
        let all = known.sorted().joined(separator: ", ")
        return error(
            name.range, "there is no \(what) \"\(name.text)\"",
            suggestion: near ?? (all.isEmpty ? nil : "known: \(all)"))
    }

    mutating func report(_ diagnostic: PokeDiagnostic) {
        if diagnostics.count < Parser.errorsMax, !diagnostics.contains(diagnostic) { diagnostics.append(diagnostic) }
    }

    mutating func attempt(_ work: (inout Compiler) throws(PokeDiagnostic) -> Void) {
        do { try work(&self) } catch { report(error) }
    }

    // MARK: Code

    @discardableResult
    mutating func emit(_ op: Op) -> Int {
        program.code.append(op)
        program.origins.append(
            .init(
                range: origin?.range ?? 0..<0, file: isScenarioCode ? 1 : 0, reference: origin?.reference))
        return program.code.count - 1
    }

    var here: Int { program.code.count }

    mutating func formula(_ terms: [Term]) -> Formula {
        let start = program.terms.count
        program.terms += terms
        return Formula(start: start, end: program.terms.count)
    }

    /// A local variable of the body in hand.
    mutating func addLocal(_ name: Name?, _ type: ValueType) throws(PokeDiagnostic) -> Int {
        if let name, scopes.last?[name.text] != nil {
            throw error(name.range, "\"\(name.text)\" is declared twice")
        }
        let slot = localsUsed
        localsUsed += 1
        if program.localSlots.count == slot { program.localSlots.append(1) }
        program.localSlots[slot] = max(program.localSlots[slot], StateLayout.bits(type, program))
        program.locals.append(slot)
        let number = program.locals.count - 1
        if let name { scopes[scopes.count - 1][name.text] = .local(number, type) }
        return number
    }

    func lookUp(_ name: String) -> Binding? {
        for scope in scopes.reversed() {
            if let found = scope[name] { return found }
        }
        return nil
    }

    /// Compiles statements in a scope of their own, whose variables are forgotten at its end.
    mutating func scoped(_ block: Block) {
        scopes.append([:])
        let before = localsUsed
        for statement in block.statements {
            attempt { compiler throws(PokeDiagnostic) in try compiler.compile(statement) }
        }
        let used = scopes.removeLast().values.compactMap { binding -> Int? in
            if case .local(let number, _) = binding { number } else { nil }
        }
        if !used.isEmpty { emit(.clearLocals(used.sorted())) }
        localsUsed = before
    }

    /// Starts a body: nothing of the one before is visible.
    mutating func withBody(_ body: Body, _ work: (inout Compiler) -> Void) {
        let saved = (self.body, scopes, localsUsed, source, isScenarioCode, origin)
        self.body = body
        scopes = [[:]]
        localsUsed = 0
        work(&self)
        (self.body, scopes, localsUsed, source, isScenarioCode, origin) = saved
    }

    mutating func withSource(scenario: Bool, _ work: (inout Compiler) -> Void) {
        let saved = (source, isScenarioCode, origin)
        source = scenario ? scenarioSource : designSource
        isScenarioCode = scenario
        work(&self)
        (source, isScenarioCode, origin) = saved
    }
}
