/// A design file that has been read: designs, scenarios, and what they are expected to do together.
public struct PokeFile: Sendable {
    /// The only version of the language there is.
    public static let version = 1

    let source: SourceText
    let syntax: FileSyntax
    /// What is wrong in its spelling; a file with errors is not compiled.
    public let diagnostics: [PokeDiagnostic]

    /// Reads a file's text. Never fails: what is wrong is in `diagnostics`.
    public init(name: String, text: String) {
        source = SourceText(name: name, text)
        do {
            var parser = Parser(source: source, tokens: try Lexer.tokens(of: source))
            var syntax = parser.file()
            var found = parser.diagnostics
            if found.isEmpty, syntax.version != Self.version {
                found.append(
                    PokeDiagnostic(
                        .error, source, syntax.versionRange, "version \(syntax.version) of the language is not known here",
                        suggestion: "this is version \(Self.version)"))
                syntax.items = []
            }
            self.syntax = syntax
            diagnostics = found
        } catch {
            syntax = FileSyntax(version: 0, versionRange: 0..<0, items: [])
            diagnostics = [error]
        }
    }

    public var hasErrors: Bool { diagnostics.contains { $0.severity == .error } }

    var designs: [DesignSyntax] {
        syntax.items.compactMap { if case .design(let design) = $0 { design } else { nil } }
    }

    var scenarios: [ScenarioSyntax] {
        syntax.items.compactMap { if case .scenario(let scenario) = $0 { scenario } else { nil } }
    }

    public var designNames: [String] { designs.map(\.name.text) }

    public var scenarioNames: [String] { scenarios.map(\.name.text) }

    /// Compiles a design and a scenario of this file.
    public func model(
        design: String, scenario: String, _ settings: ScenarioSettings
    ) throws(PokeCompileError) -> PokeModel {
        guard let design = designs.first(where: { $0.name.text == design }) else {
            throw .unknown("design", design, near: NearestWord.of(design, in: designNames))
        }
        guard let scenario = scenarios.first(where: { $0.name.text == scenario }) else {
            throw .unknown("scenario", scenario, near: NearestWord.of(scenario, in: scenarioNames))
        }
        var compiler = Compiler(design, in: source, scenario, in: source, settings)
        compiler.compile()
        guard compiler.diagnostics.isEmpty else { throw .diagnostics(compiler.diagnostics) }
        return PokeModel(compiler.program)
    }
}

/// Why a design and a scenario make no program.
public enum PokeCompileError: Error, Sendable {
    /// There is no design or scenario of that name.
    case unknown(String, String, near: String?)
    case diagnostics([PokeDiagnostic])
}
