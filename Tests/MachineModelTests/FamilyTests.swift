import MachineModel
import Testing
import X86

private let (ax, cx, dx, bx, sp, bp, si, di) = (0, 1, 2, 3, 4, 5, 6, 7)
private let (c, p, a, z, s, o): (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (1, 4, 0x10, 0x40, 0x80, 0x800)
private let ones = ~UInt64(0)
private let top: UInt64 = 1 << 63

/// Instruction families by cases that were worked out by hand from the SDM, in both widths.
@Suite("Instruction families")
struct FamilyTests {
    @Test(
        "Division: quotient, remainder, and #DE that changes nothing",
        arguments: [
            ScratchCase(
                name: "div", bytes: [0xf7, 0xf3], before: [dx: 1, ax: 0, bx: 2], after: [ax: 0x8000_0000, dx: 0]),
            ScratchCase(
                name: "div overflows", bytes: [0xf7, 0xf3], before: [dx: 2, ax: 5, bx: 2], after: [ax: 5, dx: 2],
                vector: 0),
            ScratchCase(name: "div by zero", bytes: [0x48, 0xf7, 0xf3], before: [ax: 5], after: [ax: 5], vector: 0),
            ScratchCase(
                name: "div 128", bytes: [0x48, 0xf7, 0xf3], before: [dx: 1, ax: 0, bx: 3],
                after: [ax: 0x5555_5555_5555_5555, dx: 1]),
            ScratchCase(
                name: "idiv -7 / 2", bytes: [0x48, 0xf7, 0xfb], before: [dx: ones, ax: ones - 6, bx: 2],
                after: [ax: ones - 2, dx: ones]),
            ScratchCase(
                name: "idiv of the most negative by -1", bytes: [0x48, 0xf7, 0xfb],
                before: [dx: ones, ax: top, bx: ones], vector: 0),
            ScratchCase(
                name: "idiv to the most negative", bytes: [0x48, 0xf7, 0xfb], before: [dx: ones, ax: top, bx: 1],
                after: [ax: top, dx: 0]),
            ScratchCase(
                name: "idiv 8", bytes: [0xf6, 0xfb], before: [ax: 0xff81, bx: 0xff], after: [ax: 0x007f]),
            ScratchCase(name: "idiv 8 overflows", bytes: [0xf6, 0xfb], before: [ax: 0xff80, bx: 0xff], vector: 0),
            ScratchCase(
                name: "div 16", bytes: [0x66, 0xf7, 0xf3], mode: .i386, before: [ax: 0x10007, dx: 0x20001, bx: 0x10],
                after: [ax: 0x11000, dx: 0x20007]),
        ])
    func division(_ test: ScratchCase) throws { try test.check() }

    @Test(
        "Rotates through carry and double shifts",
        arguments: [
            ScratchCase(
                name: "rcl 64 by 1", bytes: [0x48, 0xd1, 0xd0], before: [ax: top], flagsBefore: c | z, after: [ax: 1],
                flags: c | o | z),
            ScratchCase(
                name: "rcr 32 by 1", bytes: [0xd1, 0xd8], mode: .i386, before: [ax: 2], flagsBefore: c,
                after: [ax: 0x8000_0001], flags: o),
            ScratchCase(
                name: "rcr 8 by 9 turns round", bytes: [0xc0, 0xd8, 9], before: [ax: 0x5a], flagsBefore: c,
                after: [ax: 0x5a], flags: c),
            ScratchCase(
                name: "rcl 16 by 4", bytes: [0x66, 0xc1, 0xd0, 4], before: [ax: 0x1234], after: [ax: 0x2340], flags: c),
            ScratchCase(
                name: "shld", bytes: [0x0f, 0xa4, 0xd8, 8], before: [ax: 0x1122_3344, bx: 0xaabb_ccdd],
                after: [ax: 0x2233_44aa], flags: c | p),
            ScratchCase(
                name: "shrd", bytes: [0x0f, 0xac, 0xd8, 8], mode: .i386, before: [ax: 0x1122_3344, bx: 0xaabb_ccdd],
                after: [ax: 0xdd11_2233], flags: s | p),
            ScratchCase(
                name: "shld %cl 64", bytes: [0x48, 0x0f, 0xa5, 0xd8], before: [ax: 1, bx: top, cx: 1],
                after: [ax: 3], flags: p),
        ])
    func carries(_ test: ScratchCase) throws { try test.check() }

    @Test(
        "Bit strings in memory, counts, BMI and CRC32",
        arguments: [
            ScratchCase(
                name: "bts reaches below", bytes: [0x0f, 0xab, 0x07], before: [ax: 0xffff_ffff, di: 0x20804],
                data: [0, 0, 0, 0], dataAfter: [0, 0, 0, 0x80], flags: 0),
            ScratchCase(
                name: "btr reaches above", bytes: [0x48, 0x0f, 0xb3, 0x07], before: [ax: 65],
                data: [0, 0, 0, 0, 0, 0, 0, 0, 0xff], dataAfter: [0, 0, 0, 0, 0, 0, 0, 0, 0xfd], flags: c),
            ScratchCase(
                name: "popcnt", bytes: [0xf3, 0x48, 0x0f, 0xb8, 0xc3], before: [bx: ones], after: [ax: 64], flags: 0),
            ScratchCase(name: "lzcnt", bytes: [0xf3, 0x0f, 0xbd, 0xc3], before: [bx: 1], after: [ax: 31], flags: 0),
            ScratchCase(name: "lzcnt 0", bytes: [0xf3, 0x0f, 0xbd, 0xc3], before: [bx: 0], after: [ax: 32], flags: c),
            ScratchCase(
                name: "andn", bytes: [0xc4, 0xe2, 0x60, 0xf2, 0xc1], before: [bx: 0xf0, cx: 0xff], after: [ax: 0xf],
                flags: 0),
            ScratchCase(
                name: "andn, memory", bytes: [0xc4, 0xe2, 0x60, 0xf2, 0x07], before: [bx: 0xf0], data: [0xff, 0, 0, 0],
                after: [ax: 0xf], flags: 0),
            ScratchCase(
                name: "bextr", bytes: [0xc4, 0xe2, 0x60, 0xf7, 0xc1], before: [cx: 0x1234_5678, bx: 0x804],
                after: [ax: 0x67], flags: 0),
            ScratchCase(
                name: "shlx", bytes: [0xc4, 0xe2, 0x61, 0xf7, 0xc1], before: [cx: 3, bx: 33], flagsBefore: c,
                after: [ax: 6]),
            ScratchCase(
                name: "sarx", bytes: [0xc4, 0xe2, 0x62, 0xf7, 0xc1], before: [cx: 0x8000_0000, bx: 4],
                after: [ax: 0xf800_0000]),
            ScratchCase(
                name: "rorx", bytes: [0xc4, 0xe3, 0x7b, 0xf0, 0xc1, 8], before: [cx: 0x1122_3344],
                after: [ax: 0x4411_2233]),
            ScratchCase(
                name: "mulx", bytes: [0xc4, 0xe2, 0xe3, 0xf6, 0xc1], before: [dx: 2, cx: top], after: [ax: 1, bx: 0]),
            ScratchCase(
                name: "blsr", bytes: [0xc4, 0xe2, 0x78, 0xf3, 0xc9], before: [cx: 0b1100], after: [ax: 0b1000], flags: 0
            ),
            ScratchCase(
                name: "adcx", bytes: [0x66, 0x0f, 0x38, 0xf6, 0xc3], before: [ax: 0xffff_ffff, bx: 0],
                flagsBefore: c | s, after: [ax: 0], flags: c | s),
            ScratchCase(
                name: "pdep", bytes: [0xc4, 0xe2, 0x63, 0xf5, 0xc1], before: [bx: 0b101, cx: 0b11010],
                after: [ax: 0b10010]),
            ScratchCase(
                name: "pext", bytes: [0xc4, 0xe2, 0x62, 0xf5, 0xc1], before: [bx: 0b10010, cx: 0b11010],
                after: [ax: 0b101]),
            ScratchCase(
                name: "crc32 of 'a'", bytes: [0xf2, 0x0f, 0x38, 0xf0, 0xc3], before: [ax: 0xffff_ffff, bx: 0x61],
                after: [ax: 0x3e2f_bccf]),
            ScratchCase(
                name: "movbe", bytes: [0x0f, 0x38, 0xf0, 0x07], data: [0x11, 0x22, 0x33, 0x44], after: [ax: 0x1122_3344]
            ),
        ])
    func bits(_ test: ScratchCase) throws { try test.check() }

    @Test(
        "Decimal adjustment and BOUND of 32-bit mode",
        arguments: [
            ScratchCase(name: "aaa", bytes: [0x37], mode: .i386, before: [ax: 0x10f], after: [ax: 0x205], flags: c | a),
            ScratchCase(name: "aas", bytes: [0x3f], mode: .i386, before: [ax: 0x20f], after: [ax: 0x109], flags: c | a),
            ScratchCase(
                name: "daa", bytes: [0x27], mode: .i386, before: [ax: 0xae], after: [ax: 0x14], flags: c | a | p),
            ScratchCase(
                name: "das", bytes: [0x2f], mode: .i386, before: [ax: 0xee], flagsBefore: c | a, after: [ax: 0x88],
                flags: c | a | s | p),
            ScratchCase(name: "aam", bytes: [0xd4, 10], mode: .i386, before: [ax: 63], after: [ax: 0x603], flags: p),
            ScratchCase(name: "aam 0", bytes: [0xd4, 0], mode: .i386, before: [ax: 63], after: [ax: 63], vector: 0),
            ScratchCase(name: "aad", bytes: [0xd5, 10], mode: .i386, before: [ax: 0x603], after: [ax: 63], flags: p),
            ScratchCase(
                name: "bound holds", bytes: [0x62, 0x07], mode: .i386, before: [ax: 5], data: [1, 0, 0, 0, 5, 0, 0, 0]),
            ScratchCase(
                name: "bound broken", bytes: [0x62, 0x07], mode: .i386, before: [ax: 6],
                data: [1, 0, 0, 0, 5, 0, 0, 0],
                vector: 5),
            ScratchCase(name: "daa is none in 64 bit", bytes: [0x27], vector: 6),
        ])
    func decimal(_ test: ScratchCase) throws { try test.check() }

    @Test(
        "Strings: REP, REPE, REPNE, both directions, address sizes",
        arguments: [
            ScratchCase(
                name: "rep stosb", bytes: [0xf3, 0xaa], before: [ax: 0x77, cx: 3], after: [cx: 0, di: 0x20803],
                dataAfter: [0x77, 0x77, 0x77, 0]),
            ScratchCase(
                name: "rep movsd down", bytes: [0xfd, 0xf3, 0xa5], mode: .i386,
                before: [cx: 2, si: 0x20804, di: 0x2080c], data: [1, 0, 0, 0, 2, 0, 0, 0],
                after: [cx: 0, si: 0x207fc, di: 0x20804], dataAfter: [1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2], steps: 2),
            ScratchCase(
                name: "repe cmpsb stops at the difference", bytes: [0xf3, 0xa6],
                before: [cx: 9, si: 0x20800, di: 0x20804], data: [1, 2, 3, 4, 1, 2, 9, 4],
                after: [cx: 6, si: 0x20803, di: 0x20807], flags: c | a | s | p),
            ScratchCase(
                name: "repne scasb finds", bytes: [0xf2, 0xae], before: [ax: 3, cx: 9], data: [1, 2, 3, 4],
                after: [cx: 6, di: 0x20803], flags: z | p),
            ScratchCase(
                name: "rep with a count of 0", bytes: [0xf3, 0xa6], before: [cx: 0], flagsBefore: z | s, after: [cx: 0]),
            ScratchCase(
                name: "lodsw", bytes: [0x66, 0xad], before: [ax: ones, si: 0x20800], data: [0x34, 0x12],
                after: [ax: 0xffff_ffff_ffff_1234, si: 0x20802]),
            ScratchCase(
                name: "addr32 lodsb wraps in 32 bits", bytes: [0x67, 0xac], before: [si: 0x1_0002_0800], data: [9],
                after: [ax: 9, si: 0x20801]),
            ScratchCase(
                name: "xlat", bytes: [0xd7], before: [ax: 2, bx: 0x20800], data: [0, 0, 0x55], after: [ax: 0x55]),
        ])
    func strings(_ test: ScratchCase) throws { try test.check() }

    @Test(
        "Pairs, flags in AH, frames, loops",
        arguments: [
            ScratchCase(
                name: "cmpxchg16b equal", bytes: [0x48, 0x0f, 0xc7, 0x0f], before: [ax: 1, dx: 2, bx: 3, cx: 4],
                data: [1, 0, 0, 0, 0, 0, 0, 0, 2], flagsBefore: c, dataAfter: [3, 0, 0, 0, 0, 0, 0, 0, 4], flags: c | z),
            ScratchCase(
                name: "cmpxchg16b unequal", bytes: [0x48, 0x0f, 0xc7, 0x0f], before: [ax: 9, dx: 2],
                data: [1, 0, 0, 0, 0, 0, 0, 0, 2], flagsBefore: z, after: [ax: 1, dx: 2], flags: 0),
            ScratchCase(
                name: "cmpxchg16b misaligned", bytes: [0x48, 0x0f, 0xc7, 0x0f], before: [di: 0x20808], vector: 13),
            ScratchCase(
                name: "cmpxchg8b", bytes: [0x0f, 0xc7, 0x0f], mode: .i386, before: [ax: 1, dx: 0, bx: 3, cx: 4],
                data: [1, 0, 0, 0, 0, 0, 0, 0], dataAfter: [3, 0, 0, 0, 4], flags: z),
            ScratchCase(name: "lahf", bytes: [0x9f], flagsBefore: c | z | s, after: [ax: 0xc300]),
            ScratchCase(name: "sahf", bytes: [0x9e], before: [ax: 0x4500], flagsBefore: o, flags: c | p | z | o),
            ScratchCase(name: "loop", bytes: [0xe2, 0xfe], before: [cx: 3], after: [cx: 0], steps: 3),
            ScratchCase(
                name: "loop counts ECX with addr32", bytes: [0x67, 0xe2, 0], before: [cx: 0x1_0000_0001], after: [cx: 0]
            ),
            ScratchCase(
                name: "enter, leave", bytes: [0xc8, 0x10, 0, 0, 0xc9], before: [bp: 0x1234],
                after: [bp: 0x1234, sp: 0x7ff00], steps: 2),
            ScratchCase(
                name: "enter with two levels", bytes: [0xc8, 0, 0, 2], mode: .i386, before: [bp: 0x20804],
                data: [7, 0, 0, 0],
                after: [bp: 0x7fefc, sp: 0x7fef4]),
            ScratchCase(name: "into without overflow", bytes: [0xce], mode: .i386),
            ScratchCase(name: "into", bytes: [0xce], mode: .i386, flagsBefore: o, vector: 4),
            ScratchCase(name: "lock without memory", bytes: [0xf0, 0x01, 0xd8], vector: 6),
            ScratchCase(
                name: "lock add", bytes: [0xf0, 0x01, 0x1f], before: [bx: 5], data: [1, 0, 0, 0], dataAfter: [6],
                flags: p),
        ])
    func others(_ test: ScratchCase) throws { try test.check() }

    @Test("PUSHA and POPA: eight registers, with the ESP from before")
    func pushAll() throws {
        var scratch = try Scratch([0x60, 0x61], .i386)
        for register in 0..<8 where register != sp { scratch[register] = UInt64(0x100 + register) }
        scratch.run()
        #expect(
            (0..<8).map { scratch.word(0x7ff00 - 4 * UInt64($0 + 1), 4) }
                == [0x100, 0x101, 0x102, 0x103, 0x7ff00, 0x105, 0x106, 0x107])
        for register in 0..<8 where register != sp { scratch[register] = 0 }
        scratch.run()
        #expect((0..<8).map { scratch[$0] } == [0x100, 0x101, 0x102, 0x103, 0x7ff00, 0x105, 0x106, 0x107])
    }

    @Test("The stack moves by the operand size in both widths")
    func stackSizes() throws {
        var wide = try Scratch([0x66, 0x50, 0x6a, 0xff, 0x58])
        wide[ax] = 0x1_2345
        wide.run()
        #expect(wide[sp] == 0x7fefe && wide.word(0x7fefe, 2) == 0x2345)
        wide.run(2)
        #expect(wide[ax] == ones && wide[sp] == 0x7fefe)
        var narrow = try Scratch([0x6a, 0xff, 0x66, 0x58], .i386)
        narrow.run(2)
        #expect(narrow[ax] == 0xffff && narrow[sp] == 0x7fefe && narrow.word(0x7fefc, 4) == 0xffff_ffff)
    }

    @Test("32-bit addresses and instruction pointers wrap at 4 GiB")
    func wrapping() throws {
        var scratch = try Scratch([0x8b, 0x83, 0x01, 0x08, 0x02, 0, 0xe9, 0, 0xe0, 0xff, 0xff], .i386)
        scratch[bx] = 0xffff_ffff
        scratch.set(0x20800, 0x77, 4)
        scratch.run(2)
        #expect(scratch[ax] == 0x77 && scratch.machine.cpu.context.rip == 0xffff_f00b)
    }

    @Test("FS and GS have bases; other segment overrides mean nothing in 64-bit mode")
    func segments() throws {
        var scratch = try Scratch([0x65, 0x8b, 0x04, 0x25, 8, 0, 0, 0, 0x2e, 0x8b, 0x1f, 0x64, 0x8b, 0x09])
        scratch.machine.cpu.system.gsBase = 0x20800
        scratch.machine.cpu.system.fsBase = 0x20700
        scratch.set(0x20808, 3, 4)
        (scratch[di], scratch[cx]) = (0x20808, 0x108)
        #expect(scratch.run(3).exception == nil)
        #expect([scratch[ax], scratch[bx], scratch[cx]] == [3, 3, 3])
    }
}
