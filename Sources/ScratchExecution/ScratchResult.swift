public import MachineModel
public import X86

/// What a case came to.
public struct ScratchResult: Sendable {
    public let mode: ProcessorMode
    /// The values of `ScratchRegister.shown`, in its order.
    public let registers: [UInt64]
    /// Status flags that the manuals leave undefined here.
    public let undefinedFlags: UInt64
    /// Runs of changed bytes, ascending.
    public let memory: [MemoryChange]
    public let exception: ProcessorException?
    /// Instructions that retired.
    public let steps: Int
    /// Mnemonics whose outputs were arbitrary.
    public let inexact: [String]
    public let isHalted: Bool

    public func value(_ register: ScratchRegister) -> UInt64? {
        ScratchRegister.shown(mode).firstIndex(of: register).map { registers[$0] }
    }

    /// `memory` without the machine's types.
    public var changes: [(address: VirtualAddress, bytes: [UInt8])] {
        memory.map { ($0.address, $0.bytes) }
    }

    /// `exception 14, error code 0x2, address 0x20000`; nil where none ended the run.
    public var exceptionText: String? {
        guard let exception else { return nil }
        var text = "exception \(exception.vector)"
        if let code = exception.errorCode { text += ", error code 0x\(String(code, radix: 16))" }
        if let address = exception.address { text += ", address 0x\(String(address.rawValue, radix: 16))" }
        return text
    }

    /// Appends the answer's line, its end included.
    public func appendJSON(to text: inout [UInt8]) {
        text.append("{\"registers\":{")
        for (index, register) in ScratchRegister.shown(mode).enumerated() {
            if index > 0 { text.append(",") }
            text.append("\"")
            text.append(register.name(mode))
            text.append("\":")
            text.appendQuotedHex(registers[index])
        }
        text.append("},\"undefinedFlags\":")
        text.appendQuotedHex(undefinedFlags)
        text.append(",\"memory\":[")
        for (index, change) in memory.enumerated() {
            text.append(index > 0 ? ",{\"address\":" : "{\"address\":")
            text.appendQuotedHex(change.address.rawValue)
            text.append(",\"bytes\":\"")
            for byte in change.bytes { text.appendHex(byte) }
            text.append("\"}")
        }
        text.append("],\"exception\":")
        appendException(to: &text)
        text.append(",\"steps\":\(steps),\"exact\":\(inexact.isEmpty)")
        if !inexact.isEmpty {
            text.append(",\"inexact\":[\"" + inexact.joined(separator: "\",\"") + "\"]")
        }
        if isHalted { text.append(",\"halted\":true") }
        text.append("}\n")
    }

    private func appendException(to text: inout [UInt8]) {
        guard let exception else {
            text.append("null")
            return
        }
        text.append("{\"vector\":\(exception.vector)")
        if let code = exception.errorCode {
            text.append(",\"errorCode\":")
            text.appendQuotedHex(UInt64(code))
        }
        if let address = exception.address {
            text.append(",\"address\":")
            text.appendQuotedHex(address.rawValue)
        }
        text.append("}")
    }
}

extension [UInt8] {
    mutating func append(_ text: String) {
        append(contentsOf: text.utf8)
    }

    mutating func appendHex(_ byte: UInt8) {
        append(Self.digit(byte >> 4))
        append(Self.digit(byte & 0xf))
    }

    /// `"0x1f"`, quotes included.
    mutating func appendQuotedHex(_ value: UInt64) {
        append(contentsOf: [0x22, 0x30, 0x78])
        var shift = value == 0 ? 0 : (63 - value.leadingZeroBitCount) / 4 * 4
        while shift >= 0 {
            append(Self.digit(UInt8(value >> UInt64(shift) & 0xf)))
            shift -= 4
        }
        append(0x22)
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? 0x30 + value : 0x57 + value
    }

    /// A JSON string, quotes included.
    mutating func appendQuoted(_ text: String) {
        append(0x22)
        for byte in text.utf8 {
            switch byte {
            case 0x22, 0x5c: append(contentsOf: [0x5c, byte])
            case 0..<0x20:
                append("\\u00")
                appendHex(byte)
            default: append(byte)
            }
        }
        append(0x22)
    }
}
