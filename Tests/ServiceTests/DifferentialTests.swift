import Glibc
import Testing

@testable import PatchsimService

/// The built patchsimctl beside Unicorn, an emulator that nobody of this project wrote. `make differential` is the same
/// with ten million executions.
@Suite("Execution beside Unicorn")
struct DifferentialTests {
    private static let root = #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }

    private func differential(_ arguments: [String]) throws -> Finished {
        let words = [Self.root + "/.build-venv/bin/python", Self.root + "/Tests/differential/differential.py"]
        return try run(words + arguments)
    }

    @Test("A hundred thousand executions, in every cell and in straight-line blocks, differ nowhere")
    func everyCell() throws {
        let finished = try differential([
            "--program", builtProgram("patchsimctl"), "--per-cell", "18", "--blocks", "200", "--per-block", "40",
        ])
        #expect(finished.status == 0, "\(finished.output.suffix(4000)) \(finished.errors.suffix(2000))")
        #expect(finished.output.contains("0 unexplained differences"))
    }

    @Test("A flag that is wrong in one answer of a hundred is found and comes with the line that replays it")
    func plantedDifference() throws {
        // ADD answers as if CF had been complemented, in cases of one width whose answer has RAX 0.
        let program = "/bin/sh \(Self.root)/Tests/differential/planted.sh \(builtProgram("patchsimctl"))"
        let finished = try differential(["--program", program, "--per-cell", "4", "--blocks", "0"])
        #expect(finished.status == 1)
        #expect(finished.output.contains("replay: echo '{\"mode\":\"x86_64\""))
    }
}
