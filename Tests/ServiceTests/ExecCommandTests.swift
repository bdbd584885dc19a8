import Glibc
import Testing

@testable import PatchsimService

/// The built patchsimctl executes code itself.
@Suite("patchsimctl exec")
struct ExecCommandTests {
    private static let page =
        #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }
        + "/docs/man/patchsimctl.1"

    /// The examples of SCRATCH EXECUTION: lines that begin with `$ `, each followed by what it prints.
    private func examples() throws -> [(command: String, output: String)] {
        let file = try #require(fopen(Self.page, "r"))
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = fread(&bytes, 1, bytes.count, file)
        let lines = String(decoding: bytes[..<count], as: UTF8.self).split(
            separator: "\n", omittingEmptySubsequences: false)
        var examples: [(command: String, output: String)] = []
        var isInside = false
        for line in lines {
            if line.hasPrefix(".Bd") || line.hasPrefix(".Ed") {
                isInside = false
            } else if line.hasPrefix("$ ") {
                examples.append((String(line.dropFirst(2)).replacing("\\e", with: "\\"), ""))
                isInside = true
            } else if isInside, !examples.isEmpty {
                examples[examples.count - 1].output += line.replacing("\\e", with: "\\") + "\n"
            }
        }
        return examples
    }

    @Test("The examples of the manual page print what they say")
    func manualExamples() throws {
        let examples = try examples()
        #expect(examples.count >= 3)
        let folder = builtProgram("patchsimctl").split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 }
        for (command, output) in examples {
            let finished = try run(["/bin/sh", "-c", "PATH=\(folder):$PATH; \(command)"])
            #expect(finished.output == output, "\(command)")
            #expect(finished.errors.isEmpty && finished.status == 0)
        }
    }

    @Test("Lines are answered one by one, also bad and overlong ones")
    func lines() throws {
        let program = builtProgram("patchsimctl")
        let script = """
            { echo '{"mode":"x86_64","bytes":"90"}'; echo nonsense; head -c 3000000 /dev/zero | tr '\\0' 'x'; echo
            printf '{"mode":"i386","bytes":"90"}'; } | \(program) exec --stdin
            """
        let finished = try run(["/bin/sh", "-c", script])
        let lines = finished.output.split(separator: "\n")
        #expect(lines.count == 4)
        #expect(lines[0].contains("\"rip\":\"0x1001\"") && lines[1].hasSuffix("\"line\":2}"))
        #expect(lines[2].contains("at most") && lines[3].contains("\"eip\":\"0x1001\""))
    }

    @Test("What it can't execute it refuses with status 1, and wrong usage with 64")
    func refusals() throws {
        let refused = try run(["patchsimctl", "exec", "--asm", "movv %rax, %rbx"])
        #expect(refused.status == 1)
        #expect(
            refused.errors == "patchsimctl: exec: asm: line 1, column 1: no mnemonic \"movv\"; the nearest is \"mov\"\n"
        )
        #expect(try run(["patchsimctl", "exec"]).status == 64)
        #expect(try run(["patchsimctl", "exec", "--bytes", "9"]).status == 64)
        #expect(try run(["patchsimctl", "exec", "--kernel", "/nowhere", "--function", "strlen"]).status == 1)
    }
}
