internal import CZydis

/// One line of a disassembly.
public struct DisassembledLine: Sendable, Hashable {
    public let address: VirtualAddress
    public let bytes: [UInt8]
    /// AT&T syntax, as objdump prints it; `(bad)` where no instruction decodes.
    public let text: String
    /// Target of a direct branch or call.
    public let target: VirtualAddress?
}

/// AT&T text of instructions, through Zydis' formatter.
public struct Disassembler: Sendable {
    private let mode: ProcessorMode
    private let decoder: ZydisDecoder
    private let formatter: ZydisFormatter

    public init(mode: ProcessorMode) {
        self.mode = mode
        var decoder = ZydisDecoder()
        if mode == .x86_64 {
            _ = ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)
        } else {
            _ = ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32)
        }
        var formatter = ZydisFormatter()
        _ = ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_ATT)
        _ = ZydisFormatterSetProperty(&formatter, ZYDIS_FORMATTER_PROP_HEX_UPPERCASE, 0)
        self.decoder = decoder
        self.formatter = formatter
    }

    /// Longest text of one instruction, in bytes.
    private static let textMax = 160

    /// Lines from the start of `bytes`, which stand at `address`; at most `linesMax`.
    public func disassemble(_ bytes: [UInt8], at address: VirtualAddress, linesMax: Int) -> [DisassembledLine] {
        var lines: [DisassembledLine] = []
        var offset = 0
        while offset < bytes.count, lines.count < linesMax {
            let line = line(bytes[offset...], at: address + offset)
            lines.append(line)
            offset += line.bytes.count
        }
        return lines
    }

    private func line(_ bytes: ArraySlice<UInt8>, at address: VirtualAddress) -> DisassembledLine {
        var raw = ZydisDecodedInstruction()
        return withUnsafeTemporaryAllocation(of: ZydisDecodedOperand.self, capacity: Int(ZYDIS_MAX_OPERAND_COUNT)) {
            operands -> DisassembledLine in
            let status = bytes.withUnsafeBytes { source in
                withUnsafePointer(to: decoder) {
                    ZydisDecoderDecodeFull($0, source.baseAddress, source.count, &raw, operands.baseAddress)
                }
            }
            guard status & 0x8000_0000 == 0 else {
                return DisassembledLine(address: address, bytes: Array(bytes.prefix(1)), text: "(bad)", target: nil)
            }
            var buffer = [CChar](repeating: 0, count: Self.textMax)
            _ = withUnsafePointer(to: formatter) {
                ZydisFormatterFormatInstruction(
                    $0, &raw, operands.baseAddress, raw.operand_count_visible, &buffer, buffer.count,
                    address.rawValue, nil)
            }
            var text = Self.text(buffer)
            if raw.mnemonic == ZYDIS_MNEMONIC_NOP, raw.operand_count_visible > 0 {
                text = longNop(raw, operands.baseAddress!, address)
            }
            if raw.operand_count_visible == 1, operands[0].type == ZYDIS_OPERAND_TYPE_MEMORY {
                text = Self.suffixed(text, raw.mnemonic, size: Int(operands[0].size) / 8)
            }
            var target: VirtualAddress?
            if raw.operand_count_visible > 0, operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE,
                operands[0].imm.is_relative != 0
            {
                target = address + Int(raw.length) + Int(operands[0].imm.value.s)
            }
            return DisassembledLine(
                address: address, bytes: Array(bytes.prefix(Int(raw.length))), text: text, target: target)
        }
    }

    /// `incl (%rax)`: where no register tells the operand's size the suffix must, and Zydis leaves it out of these.
    private static func suffixed(_ text: String, _ mnemonic: ZydisMnemonic, size: Int) -> String {
        let bare = [
            ZYDIS_MNEMONIC_INC, ZYDIS_MNEMONIC_DEC, ZYDIS_MNEMONIC_NOT, ZYDIS_MNEMONIC_NEG, ZYDIS_MNEMONIC_MUL,
            ZYDIS_MNEMONIC_IMUL, ZYDIS_MNEMONIC_DIV, ZYDIS_MNEMONIC_IDIV,
        ]
        guard bare.contains(mnemonic), let name = ZydisMnemonicGetString(mnemonic).map({ String(cString: $0) }),
            let suffix = InstructionNames.suffixes.first(where: { $0.size == size })
        else { return text }
        var words = text.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        guard let index = words.firstIndex(of: name) else { return text }
        words[index].append(suffix.letter)
        return words.joined(separator: " ")
    }

    private static func text(_ buffer: [CChar]) -> String {
        String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// `nopl 0x0(%rax,%rax,1)`: Zydis shows the register that 0F 1F's ModRM byte also encodes, nobody else does.
    private func longNop(
        _ raw: ZydisDecodedInstruction, _ operands: UnsafePointer<ZydisDecodedOperand>, _ address: VirtualAddress
    ) -> String {
        let index = (0..<Int(raw.operand_count_visible)).first { operands[$0].type == ZYDIS_OPERAND_TYPE_MEMORY }
        guard let index else { return "nop" }
        var instruction = raw
        var buffer = [CChar](repeating: 0, count: Self.textMax)
        _ = withUnsafePointer(to: formatter) {
            ZydisFormatterFormatOperand(
                $0, &instruction, operands + index, &buffer, buffer.count, address.rawValue, nil)
        }
        let suffix = raw.operand_width == 16 ? "w" : raw.operand_width == 64 ? "q" : "l"
        let operand = Self.text(buffer)
        // A displacement of zero that is encoded is what tells one NOP's length from another's.
        let isZero = raw.raw.disp.size > 0 && raw.raw.disp.value == 0
        return "nop\(suffix) \(isZero && operand.first == "(" ? "0x0" : "")\(operand)"
    }
}
