import MachineModel
import Testing
import X86

@testable import ScratchExecution

/// Answers to lines, as `patchsimctl exec --stdin` gives them.
private func answers(_ text: String) -> [String] {
    var lines = ScratchLines(ScratchRunner())
    var bytes: [UInt8] = []
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
        Array(line.utf8).withUnsafeBytes { lines.answer($0, to: &bytes) }
    }
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
}

private func answer(_ line: String) -> String {
    answers(line).first ?? ""
}

@Suite("Scratch execution by lines")
struct ScratchLinesTests {
    @Test("The answer of the format's example is exactly this line")
    func example() {
        let line = """
            {"mode":"x86_64","bytes":"4801d8","registers":{"rax":"0x1","rflags":"0x202"},\
            "memory":[{"address":"0x10000","bytes":"00ff"}],"steps":1}
            """
        #expect(
            answer(line) == """
                {"registers":{"rax":"0x1","rcx":"0x0","rdx":"0x0","rbx":"0x0","rsp":"0x80000","rbp":"0x0","rsi":"0x0",\
                "rdi":"0x0","r8":"0x0","r9":"0x0","r10":"0x0","r11":"0x0","r12":"0x0","r13":"0x0","r14":"0x0",\
                "r15":"0x0","rip":"0x1003","rflags":"0x202","es":"0x0","cs":"0x10","ss":"0x18","ds":"0x0","fs":"0x0",\
                "gs":"0x0","fsbase":"0x0","gsbase":"0x0"},"undefinedFlags":"0x0","memory":[],"exception":null,\
                "steps":1,"exact":true}
                """)
    }

    @Test("i386 has eight registers, its own names and 32 bits")
    func i386() {
        let text = answer(#"{"mode":"i386","asm":"mov $-1, %eax; add $1, %eax; push %eax; dec %ecx","steps":4}"#)
        #expect(text.contains(#""eax":"0x0","ecx":"0xffffffff","#))
        #expect(text.contains(#""eip":"0x100a""#) && text.contains(#""esp":"0x7fffc""#))
        #expect(!text.contains("r8"))
    }

    @Test("Changed bytes come in ascending runs, and bytes that became what they were are no change")
    func memory() {
        let text = answer(
            #"{"mode":"x86_64","asm":"movb $1, 0x10000; movb $2, 0x10002; movb $0xff, 0x10003; movb $0, 0x10005","#
                + #""memory":[{"address":"0x10000","bytes":"000000ff"}],"steps":4}"#)
        #expect(
            text.contains(
                #""memory":[{"address":"0x10000","bytes":"01"},{"address":"0x10002","bytes":"02"}],"exception":null"#))
    }

    @Test(
        "An exception stops the case at its instruction and has its code and address",
        arguments: [
            (#""asm":"mov 0x20000, %eax""#, #"{"vector":14,"errorCode":"0x0","address":"0x20000"}"#, 0),
            (#""asm":"nop; movb $1, 0x20000""#, #"{"vector":14,"errorCode":"0x2","address":"0x20000"}"#, 1),
            (#""asm":"movb $1, 0x1000""#, #"{"vector":14,"errorCode":"0x3","address":"0x1000"}"#, 0),
            (#""asm":"jmp .+0x4000""#, #"{"vector":14,"errorCode":"0x10","address":"0x5000"}"#, 1),
            (#""asm":"ud2""#, #"{"vector":6}"#, 0), (#""asm":"int3""#, #"{"vector":3}"#, 0),
            (#""asm":"div %ecx""#, #"{"vector":0}"#, 0),
            (#""asm":"cli","cpl":3"#, #"{"vector":13,"errorCode":"0x0"}"#, 0),
        ])
    func exceptions(members: String, exception: String, steps: Int) {
        let text = answer("{\"mode\":\"x86_64\",\(members),\"steps\":9}")
        #expect(text.contains("\"exception\":\(exception),\"steps\":\(steps)"), "\(text)")
    }

    @Test("User memory faults under SMAP, and works with AC set")
    func smap() {
        let line = { (flags: String) in
            #"{"mode":"x86_64","asm":"mov 0x10000, %eax","smap":true,"registers":{"rflags":""# + flags
                + #""},"memory":[{"address":"0x10000","bytes":"2a000000","user":true}]}"#
        }
        #expect(answer(line("0x2")).contains(#""exception":{"vector":14,"errorCode":"0x1","address":"0x10000"}"#))
        #expect(answer(line("0x40002")).contains(#""rax":"0x2a""#))
    }

    @Test("Undefined flags are named and inexact instructions too")
    func exactness() {
        #expect(answer(#"{"mode":"x86_64","asm":"and %eax, %ecx"}"#).contains(#""undefinedFlags":"0x10""#))
        #expect(answer(#"{"mode":"x86_64","asm":"rdtsc"}"#).contains(#""exact":false,"inexact":["rdtsc"]"#))
        #expect(answer(#"{"mode":"x86_64","asm":"hlt"}"#).contains(#""halted":true"#))
    }

    @Test(
        "A bad line is answered by what is wrong with it",
        arguments: [
            ("[]", "a case is an object"), ("{", "a name expected"), (#"{"mode":"arm"}"#, "mode: x86_64 or i386"),
            (#"{"bytes":"90"}"#, "mode: missing"), (#"{"mode":"i386"}"#, "exactly one of bytes, asm and function"),
            (#"{"mode":"i386","bytes":"9"}"#, "two a byte"),
            (#"{"mode":"i386","bytes":"90","x":1}"#, "x: no such member"),
            (#"{"mode":"i386","bytes":"90","registers":{"r8":"0x1"}}"#, "no register"),
            (#"{"mode":"i386","bytes":"90","registers":{"eax":"0x100000000"}}"#, "more than 32 bits"),
            (#"{"mode":"i386","bytes":"90","registers":{"eax":1}}"#, "a hex string"),
            (#"{"mode":"i386","bytes":"90","steps":100000001}"#, "steps: at most"),
            (#"{"mode":"i386","bytes":"90","steps":-1}"#, "steps: at most"),
            (#"{"mode":"i386","bytes":"90","steps":1.5}"#, "no integer"),
            (#"{"mode":"i386","bytes":"90","memory":[{"bytes":"00"}]}"#, "an address is missing"),
            (#"{"mode":"i386","bytes":"90","memory":[{"address":"0xffffffff","bytes":"0000"}]}"#, "are no addresses"),
            (#"{"mode":"x86_64","bytes":"90","registers":{"rip":"0xffffffffffffffff"},"steps":2}"#, ""),
            (#"{"mode":"i386","bytes":"90","mode":"i386"}"#, "named twice"), (#"{"mode":"i386","asm":"movv"}"#, "movv"),
            (#"{"mode":"i386","function":"strlen"}"#, "no kernel image"), ("[[[[[[[[[[", "levels"),
            (#"{"mode":"i386","bytes":"90"} x"#, "behind the object"),
            (#"{"mode":"i386","cpl":1,"bytes":"90"}"#, "cpl"),
        ])
    func badLines(line: String, reason: String) {
        let text = answer(line)
        if reason.isEmpty {
            #expect(text.contains("exception"))
        } else {
            #expect(
                text.hasPrefix("{\"error\":\"") && text.hasSuffix(",\"line\":1}") && text.contains(reason), "\(text)")
        }
    }

    @Test("After a bad line the next one is answered, and an empty line isn't")
    func goesOn() {
        let lines = answers("nonsense\n\n{\"mode\":\"x86_64\",\"bytes\":\"90\"}\nnonsense")
        #expect(lines.count == 3)
        #expect(lines[0].hasSuffix("\"line\":1}") && lines[1].contains("0x1001") && lines[2].hasSuffix("\"line\":4}"))
    }

    @Test("No line crashes it: a good line with bytes changed, cut and repeated, and cases of random code")
    func arbitraryLines() {
        let good = Array(
            (#"{"mode":"x86_64","bytes":"4801d8f3a4","registers":{"rcx":"0x20","rsi":"0x10000","rip":"0x2000"},"#
                + #""memory":[{"address":"0x10000","bytes":"00ff"}],"steps":30,"cpl":3,"smap":true}"#).utf8)
        var state: UInt64 = 0x1234_5678_9abc_def1
        func next(_ limit: Int) -> Int {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return Int(state >> 33) % limit
        }
        var lines = ScratchLines(ScratchRunner())
        var results = 0
        for _ in 0..<20_000 {
            var line = good
            for _ in 0..<(1 + next(4)) {
                switch next(4) {
                case 0: line[next(line.count)] = UInt8(next(256))
                case 1: line[next(line.count)] = Array("{}[]\",:0123456789abcdefx\\".utf8)[next(26 - 1)]
                case 2: line.removeLast(min(line.count - 1, next(8)))
                default: line.insert(contentsOf: good[..<next(good.count)], at: next(line.count))
                }
            }
            var answer: [UInt8] = []
            line.withUnsafeBytes { lines.answer($0, to: &answer) }
            #expect(answer.last == UInt8(ascii: "\n") && answer.filter { $0 == UInt8(ascii: "\n") }.count == 1)
            if answer.starts(with: Array("{\"registers\"".utf8)) { results += 1 }
        }
        #expect(results > 200)
        for _ in 0..<20_000 {
            let code = (0..<16).map { _ in "0123456789abcdef".utf8.map { $0 }[next(16)] }
            let mode = next(2) == 0 ? "x86_64" : "i386"
            let line = Array(
                "{\"mode\":\"\(mode)\",\"bytes\":\"\(String(decoding: code, as: UTF8.self))\",\"steps\":50}".utf8)
            var answer: [UInt8] = []
            line.withUnsafeBytes { lines.answer($0, to: &answer) }
            #expect(answer.starts(with: Array("{\"registers\"".utf8)))
        }
    }
}

@Suite("Tracing a scratch execution")
struct ScratchTraceTests {
    @Test("Each retired instruction is shown with its bytes, its text and the registers that it changed")
    func trace() throws {
        var scratchCase = ScratchCase(mode: .x86_64, code: .assembly("mov $5, %eax; push %rax; ud2"))
        scratchCase.steps = 9
        var shown: [String] = []
        try ScratchRunner().trace(scratchCase) { line in
            let changes = line.changes.map { "\($0.register.name(.x86_64))=\($0.value)" }.joined(separator: " ")
            shown.append("\(line.address.rawValue) \(line.bytes.count) \(line.text): \(changes)")
        }
        #expect(shown == ["4096 5 mov $0x05, %eax: rax=5", "4101 1 push %rax: rsp=524280"])
    }
}
