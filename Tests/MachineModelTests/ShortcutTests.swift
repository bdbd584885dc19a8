import Testing
import X86

@testable import MachineModel

/// The loop's shortcuts against the long way, which other tests check against the manuals.
@Suite("Shortcuts")
struct ShortcutTests {
    @Test("The link of a branch stands where its displacement would")
    func link() {
        #expect(MemoryLayout<Instruction>.offset(of: \.displacement) == Predecode.linkOffset)
        #expect(Shortcut.allCases.enumerated().allSatisfy { $0.offset == Int($0.element.rawValue) })
    }

    /// Runs `bytes` twice from the same state: by shortcut, and step by step.
    private func compare(_ bytes: [UInt8], _ source: inout SeededSource) {
        let text = BenchText(bytes + [0x90, 0x90])
        var fast = ScratchMachine(mode: .x86_64, text: text.source)
        for (address, permissions) in [(0x20000, PagePermissions.write), (0x22000, []), (0x40000, .write)]
            as [(UInt64, PagePermissions)]
        {
            do { try fast.map(VirtualAddress(address), size: 0x1000, permissions) } catch { Issue.record("mapping") }
        }
        for address in stride(from: UInt64(0x20000), to: 0x21000, by: 8) {
            fast.cpu.storeMapped(address, source.next(), 8)
        }
        for number in 0..<16 {
            let draw = source.next()
            fast.cpu.context.registers[number] = draw & 3 != 0 ? 0x20400 + draw >> 55 : SeededSource.arbitrary(draw)
        }
        fast.cpu.context.rsp = 0x20800 + (source.next() & 0xf8)
        fast.cpu.context.rflags = FlagBit.alwaysSet | source.next() & FlagBit.status
        fast.cpu.context.rip = BenchText.base
        fast.markBaseline()
        var slow = fast
        let outcome = fast.runText(steps: 1)
        guard let instruction = InstructionDecoder(mode: .x86_64).decode(InstructionBytes(bytes.prefix(15))) else {
            return
        }
        let machine = MachineAccess(environment: .empty(.x86_64))
        let trap = slow.cpu.execute(instruction, machine)
        let name = Disassembler(mode: .x86_64).disassemble(bytes, at: VirtualAddress(0), linesMax: 1)[0].text
        #expect(outcome.exception == slow.cpu.exception(trap), "\(name)")
        guard trap == .none else { return }
        for number in 0..<16 {
            #expect(
                fast.cpu.context.registers[number] == slow.cpu.context.registers[number], "\(name) register \(number)")
        }
        #expect(fast.cpu.context.rip == slow.cpu.context.rip, "\(name) RIP")
        #expect(fast.cpu.context.rflags == slow.cpu.context.rflags, "\(name) flags")
        #expect(fast.changes == slow.changes, "\(name) memory")
    }

    /// Encodings of everything that has a shortcut, with operands drawn.
    private static let opcodes: [[UInt8]] =
        [
            [0x89], [0x8b], [0xc7], [0x88], [0xc6], [0x0f, 0xb6], [0x0f, 0xb7], [0x0f, 0xbe], [0x63], [0x8d], [0x01],
            [0x03],
            [0x81], [0x83], [0x29], [0x2b], [0x39], [0x3b], [0x38], [0x80], [0x85], [0x84], [0xf7], [0xf6], [0x21],
            [0x23],
            [0x09], [0x0b], [0x31], [0x33], [0xff], [0xc1], [0xd1], [0xd3], [0x0f, 0xaf], [0x69], [0x6b], [0x0f, 0x45],
            [0x0f, 0x4c], [0x0f, 0x96], [0x98], [0x50], [0x5b], [0x68], [0x6a], [0xe8], [0xe9], [0xeb], [0xc3], [0xc9],
            [0x74], [0x7f], [0x0f, 0x82], [0x0f, 0x1f], [0xb8], [0x66, 0x89],
        ] + (0x70...0x7f).map { [$0] }

    @Test("Shortcuts leave the same registers, flags, memory and faults as the long way")
    func agreement() {
        var source = SeededSource(seed: 42)
        for _ in 0..<12_000 {
            var bytes: [UInt8] = []
            let draw = source.next()
            let opcode = Self.opcodes[source.next(below: Self.opcodes.count)]
            if draw & 1 != 0, opcode != [0x66, 0x89] { bytes.append(0x48 | UInt8(draw >> 1 & 7)) }
            bytes += opcode
            // ModRM and what follows: arbitrary.
            for index in 0..<10 { bytes.append(UInt8(truncatingIfNeeded: source.next() >> UInt64(index))) }
            compare(bytes, &source)
        }
    }

    @Test("A recorded run notes every address, and comes back when asked")
    func recording() throws {
        let text = BenchText([0x48, 0xff, 0xc0, 0xeb, 0xfb])
        var machine = ScratchMachine(mode: .x86_64, text: text.source)
        machine.cpu.context.rip = BenchText.base
        let record = ExecutionRecord()
        let attention = AttentionWord()
        #expect(machine.runText(steps: 4, record: record, attention: attention).steps == 4)
        #expect(record.newest.map { $0.rawValue - BenchText.base } == [0, 3, 0, 3])
        attention.raise()
        #expect(machine.runText(steps: 4, record: record, attention: attention).steps == 0 && record.count == 4)
    }
}
