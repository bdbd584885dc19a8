import Glibc
import Testing

@testable import Configuration

/// Seeded fuzzers of everything that reads configuration. Two seconds in a test run; `make fuzz TARGET=Configuration` goes on.
@Suite(.serialized) struct ConfigurationFuzzTests {
    private static let words =
        ConfigurationKey.all.flatMap { [$0.name, $0.lastName] } + ConfigurationKey.steps + [
            "[", "]", "[[", "]]", "{", "}", "=", ".", ",", "#", "\"", "'", "\"\"\"", "'''", "\\", "\\u0000",
            "\\U0010ffff",
            "\n", "\r\n", "\r", "\t", "\0", "\u{feff}", "ä", "0x", "_", "-", "1e999", "9223372036854775808", "inf",
            "nan",
            "1979-05-27T07:32:00Z", "true", "entry", "function", "weight", "served", "[[entry]]", "[limits]", "= 1\n",
            "= \"auto\"\n",
        ]

    private func mutator() throws -> Mutator {
        let seeds = seeds("configuration")
        try #require(seeds.count >= 7, "the seeds are there")
        return Mutator(seeds: seeds, words: Self.words)
    }

    @Test("A tree that is written in any of TOML's ways is read back as it was")
    func written() {
        var run = FuzzRun(iterations: 3000)
        var writer = TOMLWriter(generator: FuzzGenerator(seed: run.seed))
        while run.goesOn() {
            let tree = writer.table(depth: 3)
            let text = writer.text(of: tree)
            let (read, errors) = TOMLParser.parse(Array(text.utf8))
            guard errors.isEmpty, canonical(.table(read)) == canonical(.table(tree)) else {
                Issue.record("seed \(run.seed), iteration \(run.iterations): \(errors) of\n\(text)")
                return
            }
        }
        run.report("configuration, written and read")
    }

    @Test("Whatever a file holds, it is read or refused with places that exist")
    func mutated() throws {
        var run = FuzzRun(iterations: 5000)
        var generator = FuzzGenerator(seed: run.seed)
        let mutator = try mutator()
        while run.goesOn() {
            let text = mutator.mutated(&generator)
            if let finding = Self.finding(text) {
                Issue.record(
                    "seed \(run.seed), iteration \(run.iterations): \(finding) in\n\(String(decoding: text, as: UTF8.self))"
                )
                return
            }
        }
        run.report("configuration, mutated")
    }

    /// What is wrong with how `text` is read, or nil.
    private static func finding(_ text: [UInt8]) -> String? {
        let file = ConfigurationFile("fuzz.toml", text)
        var problems = file.problems
        let values = file.values(&problems)
        let lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for problem in problems {
            guard let position = problem.position, lines.indices.contains(position.line - 1),
                (1...lines[position.line - 1].count + 1).contains(position.column)
            else { return "\(problem) is nowhere" }
            let shown = problem.description
            if shown.contains(where: \.isNewline) || problem.message.isEmpty { return "\(problem) is not a line" }
        }
        if file.problems.count > TOMLParser.errorsMax { return "\(file.problems.count) errors" }
        var settings = ServiceSettings()
        for (name, found) in values {
            guard let key = ConfigurationKey.named(name) else { return "\(name) is no key" }
            key.write(&settings, found.value)
            if key.value(in: settings) != found.value { return "\(name) is not \(found.value)" }
        }
        if let finding = finding(printed: settings) { return finding }
        var workloadProblems: [ConfigurationProblem] = []
        if let workload = WorkloadFile(file, &workloadProblems) {
            let areBounded = workload.entries.allSatisfy {
                !$0.function.isEmpty && (1...WorkloadFile.weightMax).contains($0.weight)
            }
            if !areBounded || workload.entries.isEmpty { return "a workload out of bounds" }
            if workloadProblems.count > 0 { return "a workload with problems" }
        } else if workloadProblems.isEmpty {
            return "a refusal without a reason"
        }
        return nil
    }

    /// What is printed must be read as the same settings.
    private static func finding(printed settings: ServiceSettings) -> String? {
        let loaded = LoadedConfiguration(settings: settings, origins: [:], files: [])
        let file = ConfigurationFile("printed.toml", Array(loaded.toml.utf8))
        var problems = file.problems
        let values = file.values(&problems)
        if let problem = problems.first { return "the print is refused: \(problem)" }
        for key in ConfigurationKey.all where values[key.name]?.value != key.value(in: settings) {
            return "\(key.name) is printed as something else"
        }
        return nil
    }

    @Test("Whatever a variable or an option holds, it is a value that is read back, or refused in a line")
    func texts() throws {
        var run = FuzzRun(iterations: 5000)
        var generator = FuzzGenerator(seed: run.seed)
        let mutator = Mutator(
            seeds: ["4", "auto", "builtin", "/boot/vmlinuz", "sync1,gap", "patchsim", "9223372036854775807", ""].map {
                Array($0.utf8)
            }, words: Self.words)
        while run.goesOn() {
            let text = String(decoding: mutator.mutated(&generator), as: UTF8.self)
            let key = ConfigurationKey.all[generator.below(ConfigurationKey.all.count)]
            do throws(AllowedValues.Refusal) {
                let value = try key.allowed.value(text: text, isRelative: false)
                var settings = ServiceSettings()
                key.write(&settings, value)
                if key.value(in: settings) != value { Issue.record("\(key.name) is not \(value)") }
                if let finding = Self.finding(printed: settings) {
                    Issue.record("seed \(run.seed), iteration \(run.iterations): \(finding): \(text)")
                    return
                }
            } catch {
                let problem = ConfigurationProblem(.option, "--set", key: key.name, error.message)
                if problem.description.contains(where: \.isNewline) { Issue.record("\(problem) is not a line") }
            }
        }
        run.report("configuration, variables and options")
    }

    /// Texts of one run of the peer.
    private static let batch = 1500

    @Test("Python's tomllib accepts the same files, and reads the same from them")
    func peer() throws {
        var run = FuzzRun(iterations: 2 * Self.batch)
        var generator = FuzzGenerator(seed: run.seed)
        var writer = TOMLWriter(generator: FuzzGenerator(seed: run.seed))
        let mutator = try mutator()
        var texts = mutator.seeds
        var goesOn = true
        while goesOn {
            while texts.count < Self.batch, goesOn {
                goesOn = run.goesOn()
                texts.append(
                    generator.chance(oneIn: 3)
                        ? Array(writer.text(of: writer.table(depth: 3)).utf8) : mutator.mutated(&generator))
            }
            let judgements = try Self.peer(texts)
            try #require(judgements.count == texts.count)
            for (text, judgement) in zip(texts, judgements) where !Self.isOwnBound(text) {
                let (table, errors) = TOMLParser.parse(text)
                let own = errors.isEmpty ? canonical(.table(table)) : "!"
                guard own == judgement else {
                    Issue.record(
                        "seed \(run.seed): \(errors), but tomllib says \(judgement) of\n\(String(decoding: text, as: UTF8.self))"
                    )
                    return
                }
            }
            texts = []
        }
        run.report("configuration, beside tomllib")
    }

    /// Where the parser is stricter on purpose: numbers beyond 64 bits, NULs, deep nesting; and what is no UTF-8 never gets
    /// to it.
    private static func isOwnBound(_ text: [UInt8]) -> Bool {
        guard String(validating: text, as: UTF8.self) != nil else { return true }
        let errors = TOMLParser.parse(text).errors
        return errors.contains {
            $0.message.contains("64 bits") || $0.message.contains("NUL") || $0.message.contains("nested deeper")
                || $0.message.contains("parts")
        }
    }

    private static func peer(_ texts: [[UInt8]]) throws -> [String] {
        let directory = TestDirectory()
        var bytes: [UInt8] = []
        for text in texts { bytes += Array("\(text.count)\n".utf8) + text }
        let path = directory.write("texts", bytes: bytes)
        let script = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(2).joined(
            separator: "/")
        let pipe = try #require(popen("python3 '\(script)/peers/toml.py' '\(path)'", "r"))
        var output: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while case let count = fread(&chunk, 1, chunk.count, pipe), count > 0 { output += chunk[..<count] }
        try #require(pclose(pipe) == 0, "Tests/peers/toml.py fails")
        return String(decoding: output, as: UTF8.self).split(separator: "\n").map(String.init)
    }
}
