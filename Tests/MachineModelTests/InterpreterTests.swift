import MachineModel
import Testing
import X86

private let (ax, cx, dx, bx, sp, bp, si, di) = (0, 1, 2, 3, 4, 5, 6, 7)
private let (c, p, a, z, s, o): (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (1, 4, 0x10, 0x40, 0x80, 0x800)
private let ones = ~UInt64(0)
private let top: UInt64 = 1 << 63

/// Every value was worked out by hand from the SDM's descriptions.
@Suite("Instructions")
struct InterpreterTests {
    private func check(_ test: InstructionCase) {
        var bench = Bench(test.bytes)
        for (register, value) in test.before { bench[register] = value }
        bench.cpu.context.rflags = 2 | 0x200 | test.flagsBefore
        #expect(bench.run(test.steps) == .none)
        for (register, value) in test.after {
            #expect(bench[register] == value, "register \(register): \(VirtualAddress(bench[register]))")
        }
        let status = bench.cpu.context.rflags & FlagBit.status
        #expect(status == test.flags ?? test.flagsBefore & FlagBit.status, "flags \(status)")
        #expect(bench.cpu.counts.instructions == UInt64(test.steps))
        #expect(bench.cpu.counts.exactInputs == UInt64(test.steps))
    }

    @Test(
        "Moves: sizes, zero extension, high bytes",
        arguments: [
            InstructionCase("mov %rbx,%rax", [0x48, 0x89, 0xd8], [bx: ones], to: [ax: ones]),
            InstructionCase(
                "mov %ebx,%eax", [0x89, 0xd8], [ax: ones, bx: 0xffff_ffff_8000_0001], to: [ax: 0x8000_0001]),
            InstructionCase(
                "mov %bx,%ax", [0x66, 0x89, 0xd8], [ax: ones, bx: 0x1234], to: [ax: 0xffff_ffff_ffff_1234]),
            InstructionCase("mov %bl,%al", [0x88, 0xd8], [ax: ones, bx: 0x12], to: [ax: 0xffff_ffff_ffff_ff12]),
            InstructionCase("mov %ch,%al", [0x88, 0xe8], [ax: 0, cx: 0xab00], to: [ax: 0xab]),
            InstructionCase("mov $0x7f,%ah", [0xb4, 0x7f], [ax: 0x11], to: [ax: 0x7f11]),
            InstructionCase("mov %sil,%al", [0x40, 0x88, 0xf0], [ax: 0, si: 0x155], to: [ax: 0x55]),
            InstructionCase("mov $-1,%rax", [0x48, 0xc7, 0xc0, 0xff, 0xff, 0xff, 0xff], to: [ax: ones]),
            InstructionCase("movzbq", [0x48, 0x0f, 0xb6, 0xc3], [bx: 0x180], to: [ax: 0x80]),
            InstructionCase("movsbq", [0x48, 0x0f, 0xbe, 0xc3], [bx: 0x80], to: [ax: 0xffff_ffff_ffff_ff80]),
            InstructionCase("movsbl", [0x0f, 0xbe, 0xc3], [ax: ones, bx: 0x80], to: [ax: 0xffff_ff80]),
            InstructionCase("movslq", [0x48, 0x63, 0xc3], [bx: 0x8000_0000], to: [ax: 0xffff_ffff_8000_0000]),
            InstructionCase("lea 64", [0x48, 0x8d, 0x44, 0x8b, 0x10], [bx: 0x1000, cx: 3], to: [ax: 0x101c]),
            InstructionCase("lea 32", [0x8d, 0x44, 0x8b, 0x10], [bx: 0xffff_ffff_0000_0000, cx: 3], to: [ax: 0x1c]),
            InstructionCase("lea %rip", [0x48, 0x8d, 0x05, 0x10, 0, 0, 0], to: [ax: BenchText.base + 0x17]),
            InstructionCase("xchg", [0x48, 0x87, 0xd8], [ax: 1, bx: 2], to: [ax: 2, bx: 1]),
            InstructionCase("bswap", [0x48, 0x0f, 0xc8], [ax: 0x1122_3344_5566_7788], to: [ax: 0x8877_6655_4433_2211]),
            InstructionCase("bswap 32", [0x0f, 0xc8], [ax: 0xffff_ffff_1122_3344], to: [ax: 0x4433_2211]),
            InstructionCase("cbw", [0x66, 0x98], [ax: 0x1180], to: [ax: 0xff80]),
            InstructionCase("cwde", [0x98], [ax: 0x8000], to: [ax: 0xffff_8000]),
            InstructionCase("cdqe", [0x48, 0x98], [ax: 0x8000_0000], to: [ax: 0xffff_ffff_8000_0000]),
            InstructionCase("cqo", [0x48, 0x99], [ax: top], to: [dx: ones]),
            InstructionCase("cltd", [0x99], [ax: 1, dx: ones], to: [dx: 0]),
            InstructionCase("sete taken", [0x0f, 0x94, 0xc0], [ax: 0xff00], flagsBefore: z, to: [ax: 0xff01]),
            InstructionCase("sete not", [0x0f, 0x94, 0xc0], [ax: 0xffff], to: [ax: 0xff00]),
            InstructionCase("cmovz taken", [0x48, 0x0f, 0x44, 0xc3], [bx: 9], flagsBefore: z, to: [ax: 9]),
            InstructionCase("cmovz not, 32", [0x0f, 0x44, 0xc3], [ax: ones, bx: 9], to: [ax: 0xffff_ffff]),
        ])
    func moves(_ test: InstructionCase) { check(test) }

    @Test(
        "Arithmetic and logic with all status flags",
        arguments: [
            InstructionCase("add8 wraps", [0x00, 0xd8], [ax: 0xff, bx: 1], to: [ax: 0], flags: c | z | p | a),
            InstructionCase("add8 overflows", [0x00, 0xd8], [ax: 0x7f, bx: 1], to: [ax: 0x80], flags: s | o | a),
            InstructionCase("add %bh,%ah", [0x00, 0xfc], [ax: 0x0100, bx: 0x0200], to: [ax: 0x0300], flags: p),
            InstructionCase("add32", [0x01, 0xd8], [ax: ones, bx: 1], to: [ax: 0], flags: c | z | p | a),
            InstructionCase("add64", [0x48, 0x01, 0xd8], [ax: top - 1, bx: 1], to: [ax: top], flags: s | o | p | a),
            InstructionCase(
                "adc", [0x48, 0x11, 0xd8], [ax: ones, bx: 0], flagsBefore: c, to: [ax: 0], flags: c | z | p | a),
            InstructionCase("sub", [0x48, 0x29, 0xd8], [ax: 0, bx: 1], to: [ax: ones], flags: c | s | p | a),
            InstructionCase("sub8 overflows", [0x28, 0xd8], [ax: 0x80, bx: 1], to: [ax: 0x7f], flags: o | a),
            InstructionCase(
                "sbb", [0x48, 0x19, 0xd8], [ax: 0, bx: 0], flagsBefore: c, to: [ax: ones], flags: c | s | p | a),
            InstructionCase("cmp", [0x48, 0x39, 0xd8], [ax: 5, bx: 5], to: [ax: 5], flags: z | p),
            InstructionCase(
                "and", [0x48, 0x21, 0xd8], [ax: 0xf0, bx: 0x0f], flagsBefore: c | o, to: [ax: 0], flags: z | p),
            InstructionCase("or", [0x48, 0x09, 0xd8], [ax: 0xf0, bx: 0x0f], to: [ax: 0xff], flags: p),
            InstructionCase("xor", [0x48, 0x31, 0xc0], [ax: 77], to: [ax: 0], flags: z | p),
            InstructionCase("test", [0x48, 0x85, 0xc0], [ax: top], to: [ax: top], flags: s | p),
            InstructionCase(
                "inc keeps CF", [0x48, 0xff, 0xc0], [ax: ones], flagsBefore: c, to: [ax: 0], flags: c | z | p | a),
            InstructionCase("dec keeps CF", [0x48, 0xff, 0xc8], [ax: 0], to: [ax: ones], flags: s | p | a),
            InstructionCase("neg", [0x48, 0xf7, 0xd8], [ax: 1], to: [ax: ones], flags: c | s | p | a),
            InstructionCase("neg 0", [0x48, 0xf7, 0xd8], [ax: 0], flagsBefore: c, to: [ax: 0], flags: z | p),
            InstructionCase("not", [0x48, 0xf7, 0xd0], [ax: 0], flagsBefore: c | z, to: [ax: ones]),
            InstructionCase("xadd", [0x48, 0x0f, 0xc1, 0xd8], [ax: 5, bx: 7], to: [ax: 12, bx: 5], flags: p),
            InstructionCase(
                "cmpxchg equal", [0x48, 0x0f, 0xb1, 0xd9], [ax: 5, cx: 5, bx: 9], to: [ax: 5, cx: 9], flags: z | p),
            InstructionCase(
                "cmpxchg unequal", [0x48, 0x0f, 0xb1, 0xd9], [ax: 4, cx: 5, bx: 9], to: [ax: 5, cx: 5],
                flags: c | p | a | s),
            InstructionCase("imul", [0x48, 0x0f, 0xaf, 0xc3], [ax: 6, bx: 7], to: [ax: 42]),
            InstructionCase(
                "imul overflows", [0x48, 0x0f, 0xaf, 0xc3], [ax: 1 << 62, bx: 4], to: [ax: 0], flags: c | o | z | p),
            InstructionCase("imul $-5", [0x48, 0x6b, 0xc3, 0xfb], [bx: 3], to: [ax: ones - 14], flags: s),
            InstructionCase(
                "mul", [0x48, 0xf7, 0xe3], [ax: ones, bx: 2], to: [ax: ones - 1, dx: 1], flags: c | o | s),
            InstructionCase(
                "imul one", [0x48, 0xf7, 0xeb], [ax: ones, bx: 2], to: [ax: ones - 1, dx: ones], flags: s),
            InstructionCase("mul8", [0xf6, 0xe3], [ax: 0x10, bx: 0x10], to: [ax: 0x100], flags: c | o | z | p),
            InstructionCase("clc", [0xf8], flagsBefore: c | z, flags: z),
            InstructionCase("stc", [0xf9], flags: c),
            InstructionCase("cmc", [0xf5], flagsBefore: c, flags: 0),
        ])
    func arithmetic(_ test: InstructionCase) {
        // SF, ZF, AF and PF of multiplications are undefined; the model's are pinned all the same.
        check(test)
    }

    @Test(
        "Shifts, rotates, bit tests and scans",
        arguments: [
            InstructionCase(
                "shl $4", [0x48, 0xc1, 0xe0, 4], [ax: 0x1000_0000_0000_0001], to: [ax: 0x10], flags: c | o),
            InstructionCase("shr 32", [0xd1, 0xe8], [ax: 0xffff_ffff_0000_0003], to: [ax: 1], flags: c),
            InstructionCase("sar", [0x48, 0xd1, 0xf8], [ax: ones - 1], to: [ax: ones], flags: s | p),
            InstructionCase("shl by 64 is by 0", [0x48, 0xc1, 0xe0, 64], [ax: 3], flagsBefore: c | o, to: [ax: 3]),
            InstructionCase("shl 32 by 32 zero-extends", [0xc1, 0xe0, 32], [ax: 0xffff_ffff_0000_0001], to: [ax: 1]),
            InstructionCase("shl %cl", [0x48, 0xd3, 0xe0], [ax: 1, cx: 8], to: [ax: 0x100], flags: p),
            InstructionCase(
                "rol $8", [0x48, 0xc1, 0xc0, 8], [ax: 0x1122_3344_5566_7788], flagsBefore: z,
                to: [ax: 0x2233_4455_6677_8811],
                flags: z | c | o),
            InstructionCase(
                "ror $8", [0x48, 0xc1, 0xc8, 8], [ax: 0x1122_3344_5566_7788], to: [ax: 0x8811_2233_4455_6677],
                flags: c | o),
            InstructionCase("bt", [0x48, 0x0f, 0xa3, 0xd8], [ax: 8, bx: 67], to: [ax: 8], flags: c),
            InstructionCase("bts", [0x48, 0x0f, 0xab, 0xd8], [ax: 0, bx: 3], to: [ax: 8], flags: 0),
            InstructionCase("btr", [0x48, 0x0f, 0xb3, 0xd8], [ax: 8, bx: 3], to: [ax: 0], flags: c),
            InstructionCase("btc $3", [0x48, 0x0f, 0xba, 0xf8, 3], [ax: 8], flagsBefore: z, to: [ax: 0], flags: z | c),
            InstructionCase("bsf", [0x48, 0x0f, 0xbc, 0xc3], [bx: 0x50], to: [ax: 4], flags: 0),
            InstructionCase("bsf 0", [0x48, 0x0f, 0xbc, 0xc3], [ax: 77, bx: 0], to: [ax: 77], flags: z),
            InstructionCase("bsr", [0x48, 0x0f, 0xbd, 0xc3], [bx: 0x50], to: [ax: 6], flags: 0),
            InstructionCase("tzcnt 0", [0xf3, 0x48, 0x0f, 0xbc, 0xc3], [bx: 0], to: [ax: 64], flags: c),
        ])
    func bits(_ test: InstructionCase) { check(test) }

    @Test(
        "Stack instructions",
        arguments: [
            InstructionCase("push, pop", [0x53, 0x58], [bx: 5], to: [ax: 5], steps: 2),
            InstructionCase("push $-1, pop", [0x6a, 0xff, 0x58], to: [ax: ones], steps: 2),
            InstructionCase("pushfq, pop", [0x9c, 0x58], flagsBefore: c | o, to: [ax: 0x200 | 2 | c | o], steps: 2),
            InstructionCase("push, popfq", [0x53, 0x9d], [bx: z | 0x200], to: [bx: z | 0x200], flags: z, steps: 2),
            InstructionCase(
                "frame: push %rbp, mov, sub, leave", [0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xec, 0x40, 0xc9], [bp: 0x77],
                to: [bp: 0x77], flags: nil, steps: 4),
            InstructionCase("call, pop", [0xe8, 0, 0, 0, 0, 0x58], to: [ax: BenchText.base + 5], steps: 2),
            InstructionCase(
                "push, ret, mov", [0x53, 0xc3, 0x90, 0xb0, 9], [bx: BenchText.base + 3], to: [ax: 9], steps: 3),
        ])
    func stack(_ test: InstructionCase) {
        var bench = Bench(test.bytes)
        let start = bench.cpu.context.rsp
        for (register, value) in test.before { bench[register] = value }
        bench.cpu.context.rflags = 2 | 0x200 | test.flagsBefore
        #expect(bench.run(test.steps) == .none)
        for (register, value) in test.after { #expect(bench[register] == value) }
        #expect(bench.cpu.context.rsp == start, "balanced")
        if let flags = test.flags { #expect(bench.cpu.context.rflags & FlagBit.status == flags) }
    }

    @Test("String instructions go one iteration a step, up and down")
    func strings() {
        var bench = Bench([0xf3, 0x48, 0xab])
        let buffer = bench.cpu.context.rsp + 64
        (bench[di], bench[cx], bench[ax]) = (buffer, 3, 0x1122)
        #expect(bench.run(3) == .none)
        #expect(bench[cx] == 0 && bench[di] == buffer + 24 && bench.cpu.context.rip == BenchText.base + 3)
        #expect(bench.cpu.readWord(buffer + 16, bench.machine) == 0x1122)

        var copy = Bench([0xf3, 0xa4])
        _ = copy.cpu.writeWord(buffer, 0x0807_0605_0403_0201, copy.machine)
        _ = copy.cpu.writeWord(buffer + 64, 0, copy.machine)
        (copy[si], copy[di], copy[cx]) = (buffer, buffer + 64, 5)
        #expect(copy.run(5) == .none)
        #expect(copy.cpu.readWord(buffer + 64, copy.machine) == 0x05_0403_0201)

        var down = Bench([0xfd, 0xaa])
        (down[di], down[ax]) = (buffer, 1)
        #expect(down.run(2) == .none && down[di] == buffer - 1)
    }

    @Test("Every condition code follows SDM appendix B")
    func conditions() {
        // Flags of comparisons whose outcome is known: 1 ? 2, 2 ? 1, equal, -1 ? 1, 1 ? -1, INT_MIN ? 1.
        let pairs: [(UInt64, UInt64)] = [(1, 2), (2, 1), (3, 3), (ones, 1), (1, ones), (top, 1)]
        for (left, right) in pairs {
            var bench = Bench([0x48, 0x39, 0xd8])
            (bench[ax], bench[bx]) = (left, right)
            _ = bench.run()
            let flags = bench.cpu.context.rflags
            let (x, y) = (Int64(bitPattern: left), Int64(bitPattern: right))
            let expected: [Bool] = [
                x.subtractingReportingOverflow(y).overflow, left < right, left == right, left <= right,
                Int64(bitPattern: left &- right) < 0, UInt8(truncatingIfNeeded: left &- right).nonzeroBitCount % 2 == 0,
                x < y, x <= y,
            ]
            for (index, holds) in expected.enumerated() {
                #expect(ConditionCode.holds(UInt8(index * 2), flags: flags) == holds)
                #expect(ConditionCode.holds(UInt8(index * 2 + 1), flags: flags) == !holds)
            }
        }
    }
}
