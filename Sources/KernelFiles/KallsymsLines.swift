import Ftrace
import KernelImage
import Simulation
import X86

/// /proc/kallsyms (s_show): the kernel's symbols in their order, then ftrace's trampolines as if a module had them.
struct KallsymsLines: LineSource {
    private let symbols: SymbolTable
    private let trampolines: [VirtualAddress]
    private let digits: Int
    private var next = 0

    init(_ state: KernelState) {
        symbols = state.image.symbols
        trampolines = state.ftrace.trampolines
        digits = state.image.mode.wordSize * 2
    }

    mutating func appendNext(to bytes: inout [UInt8]) -> Bool {
        if next < symbols.count {
            let symbol = symbols[next]
            bytes.appendHex(symbol.address.rawValue, digits: digits)
            bytes.append(UInt8(ascii: " "))
            bytes.append(symbol.type)
            bytes.append(UInt8(ascii: " "))
            bytes.append(contentsOf: symbol.name.utf8)
        } else if next < symbols.count + trampolines.count {
            bytes.appendHex(trampolines[next - symbols.count].rawValue, digits: digits)
            bytes.append(contentsOf: " t ftrace_trampoline\t[__builtin__ftrace]".utf8)
        } else {
            return false
        }
        bytes.append(UInt8(ascii: "\n"))
        next += 1
        return true
    }
}

/// The kernel log as dmesg shows it: `[    0.000000] text`.
struct LogLines: LineSource {
    private let lines: [KernelLog.Line]
    private var next = 0

    init(_ lines: [KernelLog.Line]) {
        self.lines = lines
    }

    mutating func appendNext(to bytes: inout [UInt8]) -> Bool {
        guard next < lines.count else { return false }
        let line = lines[next]
        next += 1
        // A record of several lines has the time before each of them.
        for text in line.text.split(separator: "\n", omittingEmptySubsequences: false) {
            let microseconds = line.nanoseconds / 1000
            bytes.append(UInt8(ascii: "["))
            bytes.append(String(microseconds / 1_000_000), width: 5)
            bytes.append(UInt8(ascii: "."))
            bytes.append(String(microseconds % 1_000_000), width: 6, fill: UInt8(ascii: "0"))
            bytes.append(contentsOf: "] ".utf8)
            bytes.append(contentsOf: text.utf8)
            bytes.append(UInt8(ascii: "\n"))
        }
        return true
    }
}
