import Testing

@testable import X86

@Suite("Assembling")
struct AssemblerTests {
    private func hexadecimal(
        _ text: String, _ mode: ProcessorMode = .x86_64, at address: UInt64 = 0x1000,
        symbols: [String: VirtualAddress] = [:], constants: [String: Int64] = [:]
    ) throws -> String {
        let assembled = try Assembler(mode: mode).assemble(
            text, at: VirtualAddress(address), symbols: symbols, constants: constants)
        return InstructionText.hexadecimal(assembled.bytes)
    }

    private func error(_ text: String, _ mode: ProcessorMode = .x86_64) throws -> AssemblerError {
        try #require(throws: AssemblerError.self) { try Assembler(mode: mode).assemble(text) }
    }

    @Test(
        "What the kernel's entry code of 64 bit needs is encoded",
        arguments: [
            ("swapgs", "0f01f8"), ("iretq", "48cf"), ("pushq $-1", "6aff"), ("subq $(6*8), %rsp", "4883ec30"),
            ("testb $3, 0x88(%rsp)", "f684248800000003"), ("mov %cr3, %rax", "0f20d8"), ("mov %rax, %cr3", "0f22d8"),
            ("pushq 40(%rsp)", "ff742428"), ("sysretq", "480f07"), ("lfence", "0fae e8"), ("cld", "fc"),
            ("movq %gs:0x14, %rsp", "65488b242514000000"), ("rep movsq", "f348a5"), ("ud2", "0f0b"), ("int3", "cc"),
            ("endbr64", "f30f1efa"), ("lock cmpxchg16b (%rsi)", "f0480fc70e"), ("verw 0x10(%rip)", "0f002d10000000"),
            ("rep; nop", "f390"), ("notrack jmp *%rax", "3effe0"),
        ])
    func entryCode(text: String, bytes: String) throws {
        #expect(try hexadecimal(text) == bytes.filter { $0 != " " })
    }

    @Test(
        "What the kernel's entry code of 32 bit needs is encoded",
        arguments: [
            ("pushl 4(%esp)", "ff742404"), ("pushl %gs", "0fa8"), ("popl %ds", "1f"), ("movl %edx, %es", "8ec2"),
            ("iret", "cf"), ("popfl", "9d"), ("movl -4(%ebx,%ecx,4), %eax", "8b448bfc"), ("rep movsl", "f3a5"),
            ("ljmp $0x10, $0x1234", "ea341200001000"), ("addl $20, (%esp)", "83042414"), ("pusha", "60"),
        ])
    func entryCode32(text: String, bytes: String) throws {
        #expect(try hexadecimal(text, .i386) == bytes)
    }

    @Test("Names from outside are addresses or numbers")
    func outside() throws {
        #expect(
            try hexadecimal("call vfs_read; jmp vfs_read", symbols: ["vfs_read": VirtualAddress(0x2000)])
                == "e8fb0f0000" + "e9f60f0000")
        #expect(try hexadecimal("movl PT_OldSS(%esp), %eax", .i386, constants: ["PT_OldSS": 0x40]) == "8b442440")
        #expect(
            try hexadecimal("lea table(%rip), %rsi", symbols: ["table": VirtualAddress(0x1107)]) == "488d3500010000")
        #expect(try hexadecimal(".set size, 3*8 # three words\n sub $size + 0x10, %rsp") == "4883ec28")
    }

    @Test("A branch is short where it reaches and near where it doesn't")
    func branches() throws {
        #expect(try hexadecimal("start: nop; jmp start") == "90ebfd")
        #expect(try hexadecimal("je end; .skip 127, 0x90; end:").hasPrefix("747f90"))
        #expect(try hexadecimal("je end; .skip 128, 0x90; end:").hasPrefix("0f8480000000"))
        // The second branch grows, and so the first one doesn't reach any more.
        let both = try Assembler(mode: .x86_64).assemble("jmp b; .skip 123; jmp a; b: .skip 127; nop; a: ret")
        #expect(both.bytes.count == 5 + 123 + 5 + 127 + 1 + 1)
        #expect(both.labels == ["a": VirtualAddress(261), "b": VirtualAddress(133)])
    }

    @Test("Numeric labels name the nearest one before or behind")
    func numericLabels() throws {
        #expect(
            try hexadecimal("1: nop\n1: jmp 1b\n jmp 1f\n nop\n1: jmp 1b") == "90" + "ebfe" + "eb01" + "90" + "ebfe")
    }

    @Test("Data, strings, alignment and constant expressions")
    func data() throws {
        #expect(
            try hexadecimal(".byte 1, -1, 'a', 0b101; .word 0x1234; .long end - .; end:") == "01ff61053412" + "04000000"
        )
        #expect(try hexadecimal(".quad .; .asciz \"a\\n\\x41\\\\\"") == "0010000000000000" + "610a415c00")
        #expect(try hexadecimal("nop; .balign 4; ret; .align 4, 0xcc; .zero 2") == "90909090c3cccccc0000")
        #expect(
            try hexadecimal(".long 2+3*4, (2+3)*4, 1<<4|1, -(1), ~0 & 0xff, 7/2, 7 % 4").hasPrefix("0e00000014000000"))
    }

    @Test("Comments and separators are where as takes them")
    func comments() throws {
        #expect(try hexadecimal("nop # one\n// two\n/* three\n four */ ret; /* five */ int3") == "90c3cc")
    }

    @Test("Every line's address is told")
    func lines() throws {
        let text = try Assembler(mode: .x86_64).assemble("nop\n\nlabel:\n jmp label; ret", at: VirtualAddress(0x1000))
        #expect(text.lines.map(\.line) == [1, 4, 4])
        #expect(text.lines.map(\.address.rawValue) == [0x1000, 0x1001, 0x1003])
        #expect(text.lines.map(\.count) == [1, 2, 1])
    }

    @Test(
        "An error names the place, the word and the nearest name",
        arguments: [
            ("nop\n  movv %rax, %rbx", "line 2, column 3: no mnemonic \"movv\"; the nearest is \"mov\""),
            ("mov %raz, %rbx", "line 1, column 5: no register \"%raz\" in this mode; the nearest is \"%ra"),
            (".bite 1", "line 1, column 1: no directive \".bite\"; the nearest is \".byte\""),
            ("start: jmp strat", "line 1, column 12: no symbol \"strat\"; the nearest is \"start\""),
            ("mov $1, (%rax)", "line 1, column 1: the size of \"mov\" is ambiguous: write movb, movw, movl, movq"),
            ("add %rax, %ebx", "line 1, column 1: no encoding of \"add\" takes %rax, %ebx"),
            ("addb $256, %al", "line 1, column 6: \"addb\" is out of range: the immediate needs more than 1 bytes"),
            ("a: nop\na: nop", "line 2, column 1: \"a\" is already defined in line 1"),
            ("loop .+1000", "line 1, column 1: \"loop\" is out of range: the target is out of reach"),
            ("mov 8(%rax", "line 1, column 11: \")\" expected at the end"),
            (".long 1/0", "line 1, column 8: \"/\" is out of range: division by zero"),
            (".set a, b; .set b, a; .long a", "it depends on itself"),
            ("lock nop", "no encoding of \"nop\""), (".ascii \"a", "the string doesn't end"),
            ("jmp 1f", "no symbol \"1f\""), (".skip -1", "a number from 0"), ("nop 1 2", "expected"),
        ])
    func errors(text: String, description: String) throws {
        #expect(try "\(error(text))".contains(description))
    }

    @Test("A register or instruction of 64 bit doesn't exist in 32 bit")
    func modes() throws {
        #expect(try error("mov %rax, %rbx", .i386).problem == .noSuchRegister)
        #expect(try error("mov %r8d, %ebx", .i386).problem == .noSuchRegister)
        #expect(throws: AssemblerError.self) { try Assembler(mode: .i386).assemble("swapgs") }
        #expect(throws: AssemblerError.self) { try Assembler(mode: .x86_64).assemble("pusha") }
    }

    @Test("Every limit is held")
    func limits() throws {
        let deep = ".long " + String(repeating: "(", count: 1000) + "1" + String(repeating: ")", count: 1000)
        #expect(try "\(error(deep))".contains("levels"))
        #expect(try "\(error(".long 1" + String(repeating: "+1", count: 1000)))".contains("operators"))
        #expect(try "\(error(String(repeating: "nop\n", count: Assembler.textMax)))".contains("at most"))
        #expect(try "\(error(".skip 4000000; .skip 4000000"))".contains("comes to at most"))
        let chain = (0..<40).map { ".set a\($0), a\($0 + 1) + a\($0 + 1)\n" }.joined() + ".set a40, 1\n.long a0"
        #expect(try "\(error(chain))".contains("chain"))
    }

    @Test("No text crashes the assembler", arguments: [ProcessorMode.x86_64, .i386])
    func arbitraryText(mode: ProcessorMode) {
        let pieces = [
            "mov", "movl", "add", "jmp", "call", "rep", "lock", " ", " ", ",", "$", "%rax", "%eax", "%xmm0", "%ds",
            "%dx",
            "(", ")", "1", "0x7fffffffffffffff", "-", "1f", "1b", "1:", "a", "a:", "\n", ";", "*", ".byte", ".skip",
            ".align", ".set", "\"x\"", "'", "/", "//", "/*", "*/", "#", "é", "\u{0}", "%", "<<", "=", ".", "enter",
            "ljmp",
            "in", "out", "push", "nop", "movabs", "xchg", "shl", "%cl", "movsb", "0b", "09", "int", "bound", "%riz",
            "%st",
        ]
        let assembler = Assembler(mode: mode)
        var random = SeededNumbers(seed: 4)
        var assembled = 0
        for _ in 0..<5_000 {
            var text = ""
            for _ in 0..<(1 + random.next(below: 12)) {
                text += pieces[random.next(below: pieces.count)]
                if random.next(below: 2) == 0 { text += " " }
            }
            if (try? assembler.assemble(text)) != nil { assembled += 1 }
        }
        // Some of them are programs, so the inside is reached too.
        #expect(assembled > 50)
    }
}

/// Seeded numbers (xorshift64*), so that a failing case comes back.
struct SeededNumbers {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed &* 0x9e37_79b9_7f4a_7c15 | 1
    }

    mutating func next() -> UInt64 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return state &* 0x2545_f491_4f6c_dd1d
    }

    mutating func next(below limit: Int) -> Int {
        Int(next() >> 33) % limit
    }
}

enum InstructionText {
    static func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
