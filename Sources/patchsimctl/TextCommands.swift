internal import ArgumentParser
internal import PatchsimInterface

struct FunctionsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "functions", abstract: "List functions of the kernel's text.")
    @OptionGroup(title: "Global options") var options: GlobalOptions

    @Argument(help: "Only functions that match.")
    var glob: String?

    func run() throws {
        try Session.run("functions", options) { session in
            try session.stream(ListFunctions.self, .init(glob: glob)) { reply, isFirst in
                if isFirst, !reply.functions.isEmpty { Output.line("ADDRESS               SIZE  FTRACE    FUNCTION") }
                Output.write(reply.functions.map(functionLine).joined())
            }
        }
    }

    /// Columns of fixed width: the list is shown while it comes.
    private func functionLine(_ function: FunctionRecord) -> String {
        let state = function.traceable ? (function.enabled ? "enabled" : "disabled") : "-"
        return "\(padded(function.address, 18))  \(padded("\(function.size)", -6))  \(padded(state, 8))  "
            + visible(function.name) + "\n"
    }
}

struct SymbolCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "symbol", abstract: "Look up a symbol by name or address.")
    @OptionGroup(title: "Global options") var options: GlobalOptions

    @Argument(help: ArgumentHelp("A name, or an address that starts with 0x.", valueName: "name|addr"))
    var symbol: String

    func run() throws {
        try Session.run("symbol", options) { session in
            let isAddress = Wire.address(symbol) != nil
            let parameters = LookupSymbol.Parameters(name: isAddress ? nil : symbol, address: isAddress ? symbol : nil)
            try session.call(LookupSymbol.self, parameters) { reply in
                var table = TextTable([
                    ("ADDRESS", .left), ("TYPE", .left), ("SIZE", .right), ("OFFSET", .right), ("SYMBOL", .left),
                ])
                for symbol in reply.symbols {
                    table.add([symbol.address, symbol.type, "\(symbol.size)", "\(symbol.offset)", symbol.name])
                }
                Output.write(table.text)
            }
        }
    }
}

struct ReadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "read", abstract: "Show bytes of the kernel's text.")
    @OptionGroup(title: "Global options") var options: GlobalOptions

    @Argument(help: ArgumentHelp("An address that starts with 0x.", valueName: "addr"))
    var address: String

    @Argument(help: ArgumentHelp("Number of bytes, decimal or 0x.", valueName: "len"), transform: number)
    var length: Int

    private static let bytesInLine = 16

    func validate() throws {
        guard Wire.address(address) != nil else {
            throw ValidationError("'\(address)' is no address; it should look like 0xffffffff81000000.")
        }
        guard length > 0 else { throw ValidationError("LEN must be 1 or more.") }
    }

    func run() throws {
        try Session.run("read", options) { session in
            try session.call(ReadText.self, .init(address: address, length: length)) { reply in
                let bytes = Wire.bytes(reply.bytes) ?? []
                let start = Wire.address(reply.address) ?? 0
                var text = ""
                for offset in stride(from: 0, to: bytes.count, by: Self.bytesInLine) {
                    let line = bytes[offset..<min(offset + Self.bytesInLine, bytes.count)]
                    text +=
                        Wire.address(start &+ UInt64(offset)) + " " + line.map { " " + Wire.bytes([$0]) }.joined()
                        + "\n"
                }
                Output.write(text)
            }
        }
    }
}

struct DisasmCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "disasm", abstract: "Disassemble a function, or from an address on.")
    @OptionGroup(title: "Global options") var options: GlobalOptions

    @Argument(help: ArgumentHelp("A name, or an address that starts with 0x.", valueName: "symbol|addr"))
    var symbol: String

    @Option(help: "Number of instructions. Default: to the function's end.")
    var count: Int?

    func run() throws {
        try Session.run("disasm", options) { session in
            let isAddress = Wire.address(symbol) != nil
            let parameters = Disassemble.Parameters(
                symbol: isAddress ? nil : symbol, address: isAddress ? symbol : nil, count: count)
            try session.call(Disassemble.self, parameters) { reply in
                Output.line("\(visible(reply.symbol)):")
                var table = TextTable([("", .left), ("", .left), ("", .left), ("", .left)])
                for line in reply.lines {
                    let bytes = (Wire.bytes(line.bytes) ?? []).map { Wire.bytes([$0]) }.joined(separator: " ")
                    table.add([line.address, bytes, line.text, line.site.map { "# \($0) site" } ?? ""])
                }
                Output.write(table.text)
            }
        }
    }
}

/// Padded to a width; right-aligned if that is negative.
func padded(_ text: String, _ width: Int) -> String {
    let spaces = String(repeating: " ", count: max(0, abs(width) - text.count))
    return width < 0 ? spaces + text : text + spaces
}

private func number(_ text: String) throws -> Int {
    let value = text.hasPrefix("0x") ? Int(text.dropFirst(2), radix: 16) : Int(text)
    guard let value else { throw ValidationError("'\(text)' is no number.") }
    return value
}
