internal import MachineModel
internal import ArgumentParser
internal import Glibc
internal import ScratchExecution
internal import X86

struct ExecCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exec", abstract: "Execute code on a scratch CPU, in this process.",
        discussion: """
            Needs no daemon. With --stdin one case a line is read as JSON and answered by a line; patchsimctl(1) has the
            format. With --kernel, an image whose functions can be called.
            """)
    @OptionGroup(title: "Global options") var options: GlobalOptions

    @Option(help: "x86_64 or i386. Default: the kernel image's, or x86_64.")
    var mode: String?

    @Option(help: ArgumentHelp("Code as hex digits.", valueName: "hex"))
    var bytes: String?

    @Option(help: ArgumentHelp("Code as AT&T text; statements end at a line's end or a semicolon.", valueName: "text"))
    var asm: String?

    @Option(help: ArgumentHelp("A function of the image that --kernel names; it is called.", valueName: "name"))
    var function: String?

    @Option(name: .customLong("reg"), help: ArgumentHelp("A register's value, like rax=0x1.", valueName: "r=v"))
    var registers: [String] = []

    @Option(help: ArgumentHelp("Bytes somewhere in memory, like 0x10000=00ff.", valueName: "addr=hex"))
    var memory: [String] = []

    @Option(help: "Instructions to execute at most. Default: as many as the code has; 1000000 with --function.")
    var steps: Int?

    @Option(help: "Privilege level, 0 or 3.")
    var cpl = 0

    @Flag(help: "CR4.SMAP is set.")
    var smap = false

    @Flag(help: "CR4.SMEP is set.")
    var smep = false

    @Flag(help: "Show each instruction with the registers that it changed.")
    var trace = false

    @Flag(help: "Read cases from standard input.")
    var stdin = false

    private static let functionSteps = 1_000_000

    func validate() throws {
        let given = [bytes, asm, function].compactMap { $0 }.count
        if stdin {
            guard given == 0, registers.isEmpty, memory.isEmpty, steps == nil, !trace, mode == nil else {
                throw ValidationError("With --stdin the cases say what is executed; only --kernel may stand beside it.")
            }
        } else if given != 1 {
            throw ValidationError("Exactly one of --bytes, --asm, --function and --stdin is needed.")
        }
        if function != nil, options.kernel == nil { throw ValidationError("--function needs --kernel IMAGE.") }
        if trace, options.json { throw ValidationError("--trace is text; it goes without --json.") }
        if let mode, ProcessorMode(rawValue: mode) == nil {
            throw ValidationError("--mode is x86_64 or i386, not '\(mode)'.")
        }
    }

    func run() throws {
        do {
            let image = try options.kernel.map { path in try ScratchImage(path: path) }
            let runner = ScratchRunner(image: image)
            if stdin {
                CaseLines.run(runner, from: STDIN_FILENO)
                return
            }
            let scratchCase = try scratchCase(image)
            if trace { try runner.trace(scratchCase) { Output.write(Self.traceLine($0, scratchCase.mode, image)) } }
            let result = try runner.run(scratchCase)
            if options.json {
                var line: [UInt8] = []
                result.appendJSON(to: &line)
                Output.write(line)
            } else {
                Output.write(Self.text(result))
            }
        } catch let error as ScratchCaseError {
            Output.complain("patchsimctl: exec: \(error)")
            throw ExitCode(ExitStatus.refused)
        }
    }

    private func scratchCase(_ image: ScratchImage?) throws -> ScratchCase {
        let mode = mode.flatMap(ProcessorMode.init) ?? image?.mode ?? .x86_64
        let code: ScratchCase.Code
        if let function {
            code = .function(function)
        } else if let asm {
            code = .assembly(asm)
        } else {
            code = .bytes(try hexadecimal(bytes ?? "", "--bytes"))
        }
        var scratchCase = ScratchCase(mode: mode, code: code)
        for setting in registers {
            let (name, value) = try pair(setting, "--reg")
            guard let value = ScratchCase.number(value) else {
                throw ValidationError("--reg \(setting): the value should look like 0x1f.")
            }
            scratchCase.registers[try ScratchRegister.named(name, mode)] = value
        }
        for setting in memory {
            let (place, bytes) = try pair(setting, "--memory")
            guard let address = ScratchCase.number(place) else {
                throw ValidationError("--memory \(setting): the address should look like 0x10000.")
            }
            scratchCase.memory.append(
                ScratchCase.Memory(address: VirtualAddress(address), bytes: try hexadecimal(bytes, "--memory")))
        }
        scratchCase.privilegeLevel = cpl
        scratchCase.preventsSupervisorAccess = smap
        scratchCase.preventsSupervisorExecution = smep
        scratchCase.steps =
            try steps ?? (function != nil ? Self.functionSteps : ScratchRunner.instructionCount(scratchCase))
        return scratchCase
    }

    private func pair(_ text: String, _ option: String) throws -> (String, String) {
        guard let equals = text.firstIndex(of: "=") else {
            throw ValidationError("\(option) \(text): there is no '='.")
        }
        return (String(text[..<equals]), String(text[text.index(after: equals)...]))
    }

    private func hexadecimal(_ text: String, _ option: String) throws -> [UInt8] {
        guard let bytes = ScratchCase.bytes(text) else {
            throw ValidationError("\(option): '\(text)' is not hex digits, two a byte.")
        }
        return bytes
    }

    // MARK: Text

    private static func hex(_ value: UInt64, _ digits: Int) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }

    private static func traceLine(_ line: ScratchTraceLine, _ mode: ProcessorMode, _ image: ScratchImage?) -> String {
        let address = hex(line.address.rawValue, mode == .x86_64 ? 16 : 8)
        let bytes = line.bytes.map { hex(UInt64($0), 2) }.joined(separator: " ")
        let changes = line.changes.map { "\($0.register.name(mode))=0x\(String($0.value, radix: 16))" }
        return "\(address)  \(padded(bytes, 30))  \(padded(line.text, 36))  \(changes.joined(separator: " "))"
            .trimmedAtEnd + "\n"
    }

    /// Status, control and system flags with their bits, as the manual abbreviates them.
    private static let flagNames: [(name: String, bit: UInt64)] = [
        ("CF", 0), ("PF", 2), ("AF", 4), ("ZF", 6), ("SF", 7), ("TF", 8), ("IF", 9), ("DF", 10), ("OF", 11), ("NT", 14),
        ("RF", 16), ("AC", 18), ("ID", 21),
    ]

    private static func names(_ flags: UInt64) -> String {
        flagNames.filter { flags >> $0.bit & 1 != 0 }.map(\.name).joined(separator: " ")
    }

    private static func text(_ result: ScratchResult) -> String {
        var text = ""
        let digits = result.mode == .x86_64 ? 16 : 8
        for (index, register) in ScratchRegister.shown(result.mode).enumerated() {
            let isSelector = register.isSelector
            text += "\(padded(register.name(result.mode), -6)) \(hex(result.registers[index], isSelector ? 4 : digits))"
            if register == .rflags {
                text += "  \(names(result.registers[index]))"
                if result.undefinedFlags != 0 { text += " (undefined: \(names(result.undefinedFlags)))" }
            }
            text += "\n"
        }
        for change in result.changes {
            text += "memory \(hex(change.address.rawValue, digits)):"
            text += change.bytes.prefix(64).map { " " + hex(UInt64($0), 2) }.joined()
            text += change.bytes.count > 64 ? " ... (\(change.bytes.count) bytes)\n" : "\n"
        }
        if let exception = result.exceptionText { text += exception + "\n" }
        text += "\(result.steps) instructions\(result.isHalted ? ", halted" : "")\n"
        if !result.inexact.isEmpty { text += "not exact: \(result.inexact.joined(separator: " "))\n" }
        return text
    }
}

extension String {
    /// Without blanks at the end.
    fileprivate var trimmedAtEnd: String {
        var text = self
        while text.last == " " { text.removeLast() }
        return text
    }
}
