import Glibc
import Testing

@testable import X86

/// GNU `as` is the other opinion on every encoding.
@Suite("Assembling beside GNU as")
struct AssemblerPeerTests {
    /// Bytes between the lines in the peer's output.
    private static let stride = 16

    @Test("Every line comes to the bytes that GNU as makes of it", arguments: [ProcessorMode.x86_64, .i386])
    func peer(mode: ProcessorMode) throws {
        let lines = AssemblyLines(mode: mode).lines
        #expect(lines.count > 1400)
        let peer = try bytesOfPeer(lines, mode)
        let assembler = Assembler(mode: mode)
        var differences: [String] = []
        for (index, line) in lines.enumerated() {
            let start = index * Self.stride
            let theirs = Array(peer[start..<min(start + Self.stride, peer.count)])
            do {
                let ours = try assembler.assemble(line, at: VirtualAddress(UInt64(start))).bytes
                // What follows an instruction is padding of zeroes: one byte more or less shows.
                if Array(theirs.prefix(ours.count)) != ours || theirs.dropFirst(ours.count).contains(where: { $0 != 0 })
                {
                    differences.append(
                        "\(line): \(InstructionText.hexadecimal(ours)), as: \(InstructionText.hexadecimal(theirs))")
                }
            } catch { differences.append("\(line): \(error)") }
        }
        #expect(differences.isEmpty, "\(differences.prefix(20))")
    }

    private func bytesOfPeer(_ lines: [String], _ mode: ProcessorMode) throws -> [UInt8] {
        var folder = Array("/tmp/patchsim-as-XXXXXX".utf8CString)
        try #require(mkdtemp(&folder) != nil)
        let path = String(decoding: folder.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let names = ["source.s", "object.o", "text.bin"].map { path + "/" + $0 }
        defer {
            for name in names { unlink(name) }
            rmdir(path)
        }
        let source = lines.enumerated().map { ".org \($0.offset * Self.stride)\n\($0.element)\n" }.joined()
        let file = try #require(fopen(names[0], "w"))
        fputs(source, file)
        fclose(file)
        try run(["as", mode == .x86_64 ? "--64" : "--32", "--no-warn", "-o", names[1], names[0]])
        try run(["objcopy", "-O", "binary", "-j", ".text", names[1], names[2]])
        let output = try #require(fopen(names[2], "r"))
        defer { fclose(output) }
        var bytes = [UInt8](repeating: 0, count: (lines.count + 1) * Self.stride)
        let count = fread(&bytes, 1, bytes.count, output)
        try #require(count > (lines.count - 1) * Self.stride)
        return bytes
    }

    private func run(_ words: [String]) throws {
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var child = pid_t()
        try #require(posix_spawnp(&child, words[0], nil, nil, &arguments, environ) == 0, "\(words[0]) is installed")
        var status: Int32 = 0
        try #require(waitpid(child, &status, 0) == child)
        #expect(status == 0, "\(words) ends well")
    }
}

/// The disassembler's text, assembled again, means the same.
@Suite("Assembling what was disassembled")
struct AssemblerRoundTripTests {
    /// What the text doesn't tell from another instruction (x87's operand sizes, `iret`), or writes as only the
    /// disassembler does (far pointers, masks of vector registers, hints).
    private static func isLossy(_ text: String) -> Bool {
        let names: Set<Substring> = [
            "iret", "popf", "pushf", "enter", "ljmp", "lcall", "boundq", "boundd", "xbegin", "xacquire", "xrelease",
            "int",
            "bndstx", "bndldx", "loop", "loope", "loopne", "jecxz", "jcxz", "lesl", "ldsl", "les", "lds",
        ]
        let words = text.split(separator: " ")
        return words.contains { names.contains($0) || $0.first == "f" } || text.contains("{")
            || words.contains { $0.first == "v" } || text.contains("mov %") && text.contains("s, %r")
            || text.contains("0x0(") || text == "xchg %eax, %eax" || text.contains("nop")
    }

    @Test("Instructions of random bytes come back as the same text", arguments: [ProcessorMode.x86_64, .i386])
    func roundTrip(mode: ProcessorMode) throws {
        let assembler = Assembler(mode: mode)
        let disassembler = Disassembler(mode: mode)
        let address = VirtualAddress(0x40_0000)
        var random = SeededNumbers(seed: 7)
        var same = 0
        var failures: [String] = []
        for _ in 0..<15_000 {
            var bytes = (0..<15).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            switch random.next(below: 4) {
            case 0: bytes[0] = 0x0f
            case 1 where mode == .x86_64: bytes[0] = 0x48 | bytes[0] & 7
            default: break
            }
            let text = disassembler.disassemble(bytes, at: address, linesMax: 1)[0].text
            if text == "(bad)" || Self.isLossy(text) { continue }
            do {
                let again = try assembler.assemble(text, at: address).bytes
                let line = disassembler.disassemble(again, at: address, linesMax: 1)[0]
                if line.text == text, line.bytes == again {
                    same += 1
                } else {
                    failures.append("\(text): \(line.text)")
                }
            } catch { failures.append("\(text): \(error)") }
        }
        #expect(same > 6_000)
        // Of random bytes a few name an address or a target that no other instruction of the text could reach.
        #expect(failures.allSatisfy { $0.contains("out of reach") || $0.contains("takes") }, "\(failures.prefix(10))")
        #expect(failures.count < same / 500, "\(failures.count) of \(same): \(failures.prefix(20))")
    }
}
