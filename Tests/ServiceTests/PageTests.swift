import Glibc
import PatchsimInterface
import Testing
import Varlink

@testable import PatchsimService

/// io.patchsim(7) against the code, the interfaces and a running daemon.
@Suite("The page io.patchsim(7)") struct PageTests {
    private let lines = text(of: "\(packagePath)/docs/man/io.patchsim.7").split(separator: "\n").map(String.init)

    /// The lines behind the comment that starts with `start`, before the one that starts with `end`.
    private func part(_ start: String, _ end: String) throws -> ArraySlice<String> {
        let first = try #require(lines.firstIndex { $0.hasPrefix(".\\\" " + start) })
        let last = try #require(lines[first...].firstIndex { $0.hasPrefix(".\\\" " + end) })
        return lines[(first + 1)..<last]
    }

    @Test("It has each kind of entry with its id and the fields that every entry of it has") func kinds() throws {
        var rows: [String: (id: String, fields: [String])] = [:]
        var name = ""
        for line in try part("kinds:", "end of kinds") {
            let words = line.split(separator: " ").map(String.init)
            if words.first == ".It" {
                name = words[1]
                #expect(rows[name] == nil, "\(name) stands there twice")
                rows[name] = (words.last!, [])
            } else {
                rows[name]!.fields += words.filter { $0.hasPrefix("PATCHSIM_") }
            }
        }
        #expect(Set(rows.keys) == Set(MessageID.allCases.map(\.name)))
        for kind in MessageID.allCases {
            #expect(rows[kind.name]?.id == kind.rawValue, "\(kind.name)")
            #expect(rows[kind.name]?.fields == kind.fields.map(\.rawValue), "\(kind.name)")
        }
    }

    @Test("It has each field once, in order") func fields() throws {
        let rows = try part("fields:", "end of fields").filter { $0.hasPrefix(".It ") }.map { String($0.dropFirst(4)) }
        #expect(rows == LogField.allCases.map(\.rawValue).sorted())
    }

    @Test("It has each method of each interface under the interface's name, and each error") func interfaces() {
        for (interface, description) in EmbeddedTexts.interfaces {
            guard let start = lines.firstIndex(of: ".Ss \(interface)") else {
                Issue.record("\(interface) is missing")
                continue
            }
            let section = lines[(start + 1)...].prefix { !$0.hasPrefix(".Ss") && !$0.hasPrefix(".Sh") }
            for line in description.split(separator: "\n") {
                let words = line.split { $0 == " " || $0 == "(" }
                if words.first == "method" {
                    #expect(
                        section.contains { $0 == ".It \(words[1])" || $0.hasPrefix(".It \(words[1]) ") },
                        "\(interface).\(words[1])")
                } else if words.first == "error" {
                    let name =
                        interface == "io.patchsim.Service" ? String(words[1]) : "\(interface.dropFirst(12)).\(words[1])"
                    #expect(lines.contains(".It \(name)"), "\(interface).\(words[1])")
                }
            }
        }
    }

    @Test("Its examples run", arguments: ["python3", "sh"]) func examples(interpreter: String) throws {
        let path = "/tmp/patchsim-page-\(getpid())-\(UInt64.random(in: 0 ... .max))"
        let daemon = try StartedProgram(["patchsimd", "--socket", path, "--cpus", "2"])
        try #require(eventually { (try? VarlinkClient(path: path)) != nil })
        let start = try #require(lines.firstIndex(of: ".\\\" run: \(interpreter)"))
        let script = lines[(start + 2)...].prefix { $0 != ".Ed" }.map { unescaped($0) }.joined(separator: "\n")
        defer { kill(daemon.pid, SIGTERM) }
        let place = builtProgram("patchsimctl").dropLast("/patchsimctl".count)
        let name = interpreter == "sh" ? ["sh"] : []
        let finished = try run(
            ["/usr/bin/env", interpreter, "-c", script] + name + [path], environment: ["PATH": "\(place):/usr/bin:/bin"]
        )
        #expect(finished.status == 0, "\(finished.errors)")
        // What both show after their own fashion: a number of sites, and a function's name.
        #expect(finished.output.contains("vfs_read") && finished.output.contains { $0.isNumber })
    }

    /// A line of a literal display as a reader sees it.
    private func unescaped(_ line: String) -> String {
        var text = ""
        var rest = line[...]
        while let letter = rest.popFirst() {
            guard letter == "\\" else {
                text.append(letter)
                continue
            }
            switch rest.popFirst() {
            case "e": text.append("\\")
            case "&": break
            case let other: Issue.record("an escape that nobody expects: \(other.map { "\($0)" } ?? "")")
            }
        }
        return text
    }
}
