import PatchsimInterface
import Testing

@testable import Configuration

/// Config/patchsimd.toml.
@Suite struct ShippedFileTests {
    private let text = String(decoding: packageFile("Config/patchsimd.toml"), as: UTF8.self)

    /// The file with its keys no longer commented out: those are the comments without a blank behind the `#`.
    private var uncommented: String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            line.hasPrefix("#") && !line.hasPrefix("# ") && line.count > 1 ? String(line.dropFirst()) : String(line)
        }.joined(separator: "\n")
    }

    private func values(_ text: String) -> [String: FoundValue] {
        let file = ConfigurationFile("patchsimd.toml", Array(text.utf8))
        var problems = file.problems
        let values = file.values(&problems)
        #expect(problems.isEmpty, "\(problems.map(\.description))")
        return values
    }

    @Test("The shipped file is read, and sets nothing")
    func setsNothing() {
        #expect(!text.isEmpty)
        #expect(values(text).isEmpty)
    }

    @Test("Every key of the code stands in the shipped file with its default, in the same order")
    func everyKey() {
        let values = values(uncommented)
        #expect(values.count == ConfigurationKey.all.count)
        for key in ConfigurationKey.all {
            #expect(values[key.name]?.value == key.value(in: ServiceSettings()), "\(key.name)")
        }
        let lines = values.sorted { line($0.value) < line($1.value) }.map(\.key)
        #expect(lines == ConfigurationKey.all.map(\.name))
    }

    private func line(_ found: FoundValue) -> Int {
        if case .file(_, let line) = found.origin { return line }
        return 0
    }

    @Test("The shipped file says of a key that it waits for a restart exactly where it does")
    func restarts() {
        // The comment above a group of keys speaks for all of them.
        var (comment, restart, seen) = ("", false, 0)
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("# ") {
                comment += line
            } else if line.hasPrefix("#"), let name = line.dropFirst().split(separator: " ").first {
                restart = comment.hasSuffix("Restart.")
                let key = ConfigurationKey.all.first { $0.lastName == name }
                #expect(key?.effect == (restart ? .restart : .reload), "\(name)")
                seen += 1
            } else {
                comment = ""
            }
        }
        #expect(seen == ConfigurationKey.all.count)
    }
}

@Suite struct KeyTests {
    @Test("No two keys share a name, a variable or an option")
    func distinct() {
        let all = ConfigurationKey.all
        #expect(Set(all.map(\.name)).count == all.count)
        #expect(Set(all.map(\.variable)).count == all.count)
        #expect(!all.map(\.variable).contains(ConfigurationSources.fileVariable))
        let options = all.compactMap(\.option)
        #expect(Set(options).count == options.count)
    }

    @Test("Every key reads back what was written to it, and its default is allowed")
    func readsBack() throws {
        for key in ConfigurationKey.all {
            let value = key.value(in: ServiceSettings())
            let toml = TOMLParser.parse(Array("key = \(value.toml)".utf8)).table
            #expect(try key.allowed.value(try #require(toml["key"]).value) == value, "\(key.name)")
            for text in [
                "1", "7", "/a", "line", "deterministic", "sync1", "debug", "stderr", "65536", "shipped", "none",
            ] {
                guard let other = try? key.allowed.value(text: text, isRelative: false) else { continue }
                var settings = ServiceSettings()
                key.write(&settings, other)
                #expect(key.value(in: settings) == other, "\(key.name) = \(text)")
            }
        }
    }
}
