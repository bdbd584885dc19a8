@testable import X86

/// Some thousand lines of AT&T text that `as` takes too; `@` is `%r` in 64-bit mode and `%e` in 32-bit mode.
struct AssemblyLines {
    let mode: ProcessorMode
    private(set) var lines: [String] = []

    init(mode: ProcessorMode) {
        self.mode = mode
        addArithmetic()
        addMoves()
        addShifts()
        addBits()
        addConditions()
        addStrings()
        lines += Self.either + (mode == .x86_64 ? Self.only64 : Self.only32)
        let register = mode == .x86_64 ? "%r" : "%e"
        var seen: Set<String> = []
        lines = lines.map { line in line.map { $0 == "@" ? register : String($0) }.joined() }
            .filter { seen.insert($0).inserted }
    }

    private var sizes: [(suffix: String, registers: [String])] {
        var sizes = [
            ("b", ["al", "cl", "bl", "dh"]), ("w", ["ax", "cx", "bx", "si"]), ("l", ["eax", "ecx", "ebx", "edi"]),
        ]
        if mode == .x86_64 {
            sizes[0].1 += ["sil", "r9b"]
            sizes[1].1 += ["r9w"]
            sizes[2].1 += ["r10d"]
            sizes.append(("q", ["rax", "rcx", "rbx", "rdi", "r11", "r12", "r13"]))
        }
        return sizes
    }

    private var memory: [String] {
        let both = [
            "(@ax)", "8(@bx)", "-129(@bp)", "(@bp)", "(@sp)", "16(@sp)", "(@ax,@cx,4)", "0x1234(,@dx,8)", "0x1000",
            "(@si,@bp)",
        ]
        return both
            + (mode == .x86_64
                ? [
                    "8(%r13)", "(%r12)", "0x20(%rip)", "(%r8,%r9,2)", "(%eax)", "%gs:0x28", "%gs:8(%rax)",
                    "-1(%r13,%r15,1)",
                ] : ["%fs:0x10", "%gs:0x14(%eax)", "0xc1000000", "0xc1000000(%eax)"])
    }

    private mutating func addArithmetic() {
        for name in ["add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"] {
            for (suffix, r) in sizes {
                lines += [
                    "\(name) %\(r[0]), %\(r[1])", "\(name)\(suffix) %\(r[r.count - 1]), %\(r[2])",
                    "\(name) $1, %\(r[0])",
                    "\(name) $-1, %\(r[r.count - 1])", "\(name)\(suffix) $0x7f, \(memory[1])",
                ]
                if suffix != "b" {
                    lines += ["\(name) $0x1234, %\(r[0])", "\(name)\(suffix) $0x1234, \(memory[2])"]
                }
                lines += memory.prefix(6).map { "\(name) %\(r[1]), \($0)" }
                lines += memory.dropFirst(4).map { "\(name) \($0), %\(r[2])" }
            }
        }
        for (suffix, r) in sizes {
            for name in ["not", "neg", "inc", "dec", "mul", "imul", "div", "idiv"] {
                lines += ["\(name) %\(r[2])", "\(name)\(suffix) \(memory[0])", "\(name)\(suffix) \(memory[3])"]
            }
        }
        lines += ["add $0xffffffff, %eax", "and $0xfffffff0, %ecx", "cmp $0xff, %al", "cmpb $0xff, (@ax)"]
    }

    private mutating func addMoves() {
        for (suffix, r) in sizes {
            lines += memory.map { "mov \($0), %\(r[1])" } + memory.map { "mov %\(r[2]), \($0)" }
            lines += [
                "mov\(suffix) $5, \(memory[1])", "mov %\(r[0]), %\(r[2])", "test %\(r[0]), %\(r[1])",
                "test $1, %\(r[0])",
                "test\(suffix) $1, \(memory[0])", "test %\(r[1]), \(memory[1])", "test \(memory[1]), %\(r[1])",
                "xchg %\(r[1]), \(memory[0])", "xchg \(memory[0]), %\(r[1])", "lock xadd %\(r[1]), \(memory[1])",
                "lock cmpxchg %\(r[1]), \(memory[1])", "cmpxchg %\(r[1]), %\(r[2])", "xadd %\(r[1]), %\(r[2])",
            ]
            guard suffix != "b" else { continue }
            lines += memory.map { "mov \($0), %\(r[0])" }
            lines += memory.filter { !$0.contains(":") }.map { "lea \($0), %\(r[1])" }
            lines += [
                "imul %\(r[1]), %\(r[2])", "imul $3, %\(r[2])", "imul $0x123, %\(r[1]), %\(r[2])",
                "imul $4, \(memory[0]), %\(r[2])", "imul \(memory[1]), %\(r[2])", "movbe \(memory[0]), %\(r[1])",
            ]
            guard suffix != "w" else { continue }
            lines += [
                "bswap %\(r[2])", "movzb\(suffix) %al, %\(r[1])", "movsb\(suffix) \(memory[0]), %\(r[1])",
                "movzb %al, %\(r[2])", "movzw \(memory[1]), %\(r[2])", "movsb %al, %\(r[2])", "movsw (@si), %\(r[2])",
                "movzbl %al, %ecx", "movsbl %dh, %eax", "movswl %ax, %ecx",
            ]
        }
    }

    private mutating func addShifts() {
        for (suffix, r) in sizes {
            for name in ["shl", "shr", "sar", "rol", "ror", "rcl", "rcr", "sal"] {
                lines += [
                    "\(name) %\(r[1])", "\(name) $1, %\(r[0])", "\(name) $5, %\(r[2])", "\(name) %cl, %\(r[2])",
                    "\(name)\(suffix) %cl, \(memory[1])", "\(name)\(suffix) $3, \(memory[4])",
                    "\(name)\(suffix) \(memory[0])",
                ]
            }
            guard suffix != "b" else { continue }
            for name in ["shld", "shrd"] {
                lines += [
                    "\(name) $3, %\(r[1]), %\(r[2])", "\(name) %cl, %\(r[1]), %\(r[2])",
                    "\(name) $3, %\(r[1]), \(memory[1])", "\(name)\(suffix) %cl, %\(r[1]), \(memory[1])",
                ]
            }
        }
    }

    private mutating func addBits() {
        for (suffix, r) in sizes where suffix != "b" {
            for name in ["bt", "bts", "btr", "btc"] {
                lines += [
                    "\(name) %\(r[1]), %\(r[2])", "\(name) %\(r[1]), \(memory[1])", "\(name)\(suffix) $3, \(memory[0])",
                    "\(name) $3, %\(r[2])", "\(name)\(suffix) %\(r[1]), \(memory[1])",
                ]
            }
            for name in ["bsf", "bsr", "popcnt", "tzcnt", "lzcnt"] {
                lines += ["\(name) %\(r[1]), %\(r[2])", "\(name) \(memory[1]), %\(r[2])"]
            }
        }
    }

    private mutating func addConditions() {
        let names = ["o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g"]
        for name in names + ["c", "nc", "z", "nz", "na", "nb", "nge", "nl", "ng", "nle", "pe", "po"] {
            lines += ["set\(name) %al", "set\(name) \(memory[1])", "j\(name) .+2", "j\(name) .+0x1000"]
            lines += sizes.dropFirst().map { "cmov\(name) %\($0.registers[1]), %\($0.registers[2])" }
        }
    }

    private mutating func addStrings() {
        for (suffix, _) in sizes {
            for name in ["movs", "stos", "lods"] { lines += [name + suffix, "rep \(name)\(suffix)"] }
            for name in ["scas", "cmps"] {
                lines += [name + suffix, "repe \(name)\(suffix)", "repne \(name)\(suffix)"]
            }
        }
        lines += [
            "insb", "insl", "rep insw", "outsb", "rep outsl", "movsb (@si), %es:(@di)", "stosb %al, %es:(@di)",
            "lodsb %fs:(@si)",
        ]
    }
}
