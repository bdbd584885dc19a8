import Glibc
import Testing
import X86

@testable import KernelImage

/// The built-in kernel's call graph and code, as tables and as bytes.
@Suite struct BuiltinProgramTests {
    let image = KernelImage.builtin()

    /// What a function can call, and whether that takes another stack frame.
    private func calls(of function: BuiltinFunction) -> [(name: String, isTail: Bool)] {
        let tables = Dictionary(
            uniqueKeysWithValues: BuiltinProgram.operationTables.map { ($0.name, $0.functions) })
        let keys = Dictionary(uniqueKeysWithValues: BuiltinProgram.staticCallKeys.map { ($0.name, $0.functions[0]) })
        return function.statements.flatMap { statement -> [(name: String, isTail: Bool)] in
            switch statement {
            case .tail(let name): [(name, true)]
            case .operation(let table, let index): [(tables[table]![index], false)]
            case .dispatch(let table): tables[table]!.map { ($0, false) }
            case .staticCall(let key): keys[key] == "NULL" ? [] : [(keys[key]!, false)]
            case .staticTail(let key): keys[key] == "NULL" ? [] : [(keys[key]!, true)]
            default: statement.callees.map { ($0, false) }
            }
        }
    }

    /// The longest chain of stack frames below each function; a cycle is reported as an issue.
    private func depths() -> [String: Int] {
        let functions = Dictionary(uniqueKeysWithValues: BuiltinProgram.all.functions.map { ($0.name, $0) })
        var depths: [String: Int] = [:]
        var open: Set<String> = []
        func depth(_ name: String) -> Int {
            if let known = depths[name] { return known }
            guard open.insert(name).inserted else {
                Issue.record("\(name) calls itself in the end")
                return 0
            }
            let deepest = calls(of: functions[name]!).map { depth($0.name) + ($0.isTail ? 0 : 1) }.max() ?? 1
            depths[name] = max(deepest, 1)
            return depths[name]!
        }
        for name in functions.keys.sorted() { _ = depth(name) }
        return depths
    }

    @Test func callChainsEndWithinEightFrames() {
        let deep = depths().filter { $0.value > 8 }
        #expect(deep.isEmpty, "\(deep)")
    }

    @Test func mostFunctionsAreReachedFromAnEntry() {
        let called = Set(BuiltinProgram.all.functions.flatMap { calls(of: $0).map(\.name) })
        #expect(called.count > 150)
    }

    /// An instruction as objdump prints it: its address, its bytes' count, its text.
    private struct Line {
        let address: VirtualAddress
        let text: String
    }

    /// binutils' view of the text, or nil where it isn't installed.
    private func disassembly() -> [Line]? {
        let path = "/tmp/patchsim-builtin-\(getpid()).bin"
        guard let file = fopen(path, "w") else { return nil }
        fwrite(image.text.bytes!.pointer, 1, image.text.size, file)
        fclose(file)
        defer { unlink(path) }
        let base = "0x" + image.text.address.description
        let command =
            "objdump -D -z -w -b binary -m i386:x86-64 --adjust-vma=\(base) --no-show-raw-insn \(path) 2>/dev/null"
        guard let pipe = popen(command, "r") else { return nil }
        defer { pclose(pipe) }
        var lines: [Line] = []
        var buffer = [CChar](repeating: 0, count: 512)
        while fgets(&buffer, Int32(buffer.count), pipe) != nil {
            let line = String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            let halves = line.split(separator: ":", maxSplits: 1)
            guard halves.count == 2, let address = UInt64(halves[0].drop { $0 == " " }, radix: 16) else { continue }
            lines.append(Line(address: VirtualAddress(address), text: String(halves[1].dropFirst().dropLast())))
        }
        return lines.isEmpty ? nil : lines
    }

    @Test func binutilsDecodesEveryFunction() throws {
        // Where binutils is missing there is nobody to ask.
        guard let lines = disassembly() else { return }
        #expect(lines.allSatisfy { !$0.text.contains("(bad)") })
        let starts = Set(lines.map(\.address))
        let text = image.text.address..<(image.text.address + image.text.size)
        for index in 0..<image.symbols.count where text.contains(image.symbols.address(at: index)) {
            let isStart = starts.contains(image.symbols.address(at: index))
            #expect(isStart, "\(image.symbols.name(at: index))")
        }
        let jumps = image.jumpEntries.flatMap { [$0.code, $0.target] }
        let sites = image.mcountSites + image.staticCallSites.map(\.address) + jumps
        let allAreStarts = sites.allSatisfy(starts.contains)
        #expect(allAreStarts)
        for line in lines where line.text.hasPrefix("call") || line.text.hasPrefix("j") {
            guard !line.text.contains("*"), let target = line.text.split(separator: " ").last else { continue }
            let address = VirtualAddress(try #require(UInt64(target.dropFirst(2), radix: 16)))
            let isStart = starts.contains(address)
            #expect(isStart, "\(line.address) \(line.text)")
        }
    }

    @Test func ftraceCallersReturnOnlyAtTheirEnd() {
        guard let lines = disassembly() else { return }
        for caller in ["ftrace_caller", "ftrace_regs_caller"] {
            let start = image.symbols.address(of: caller)!
            let end = image.symbols.address(of: "\(caller)_end")!
            let body = lines.filter { start <= $0.address && $0.address < end }
            #expect(!body.isEmpty && !body.contains { $0.text.hasPrefix("ret") })
            #expect(body.filter { $0.text.contains("(%rip)") }.count == 1, "only the ops load is relative")
            #expect(lines.first { $0.address == end }!.text.hasPrefix("ret"))
        }
    }
}
