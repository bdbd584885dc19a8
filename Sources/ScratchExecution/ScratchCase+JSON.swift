internal import X86

extension ScratchCase {
    /// Reads one line of the format in patchsimctl(1).
    public init(json line: UnsafeRawBufferPointer) throws(ScratchCaseError) {
        guard line.count <= Self.lineMax else {
            throw ScratchCaseError("a line has at most \(Self.lineMax) bytes, not \(line.count)")
        }
        guard case .object(let members) = try JSONValue(line) else { throw ScratchCaseError("a case is an object") }
        var seen: Set<String> = []
        for (name, _) in members where !seen.insert(name).inserted {
            throw ScratchCaseError("\(name): named twice")
        }
        guard let mode = members.first(where: { $0.name == "mode" })?.value else {
            throw ScratchCaseError("mode: missing; x86_64 or i386")
        }
        guard case .string(let text) = mode, let mode = ProcessorMode(rawValue: text) else {
            throw ScratchCaseError("mode: x86_64 or i386")
        }
        self.init(mode: mode, code: .bytes([]))
        var codes = 0
        for (name, value) in members {
            switch name {
            case "mode": break
            case "bytes":
                codes += 1
                code = .bytes(try Self.bytes(value, name))
            case "asm":
                codes += 1
                code = .assembly(try Self.string(value, name))
            case "function":
                codes += 1
                code = .function(try Self.string(value, name))
            case "registers": try takeRegisters(value)
            case "memory": try takeMemory(value)
            case "steps": steps = try Self.integer(value, name)
            case "cpl": privilegeLevel = try Self.integer(value, name)
            case "smap": preventsSupervisorAccess = try Self.bool(value, name)
            case "smep": preventsSupervisorExecution = try Self.bool(value, name)
            default: throw ScratchCaseError("\(name): no such member; there are \(Self.members)")
            }
        }
        guard codes == 1 else { throw ScratchCaseError("exactly one of bytes, asm and function is needed") }
        try check()
    }

    private static let members = "mode, bytes, asm, function, registers, memory, steps, cpl, smap, smep"

    private mutating func takeRegisters(_ value: JSONValue) throws(ScratchCaseError) {
        guard case .object(let members) = value else {
            throw ScratchCaseError("registers: an object, not \(value.kind)")
        }
        for (name, value) in members {
            registers[try ScratchRegister.named(name, mode)] = try Self.number(value, name)
        }
    }

    private mutating func takeMemory(_ value: JSONValue) throws(ScratchCaseError) {
        guard case .array(let elements) = value else { throw ScratchCaseError("memory: an array, not \(value.kind)") }
        for element in elements {
            guard case .object(let members) = element else {
                throw ScratchCaseError("memory: objects, not \(element.kind)")
            }
            var address: UInt64?
            var piece = Memory(address: VirtualAddress(0), bytes: [])
            for (name, value) in members {
                switch name {
                case "address": address = try Self.number(value, name)
                case "bytes": piece.bytes = try Self.bytes(value, name)
                case "write": piece.isWritable = try Self.bool(value, name)
                case "execute": piece.isExecutable = try Self.bool(value, name)
                case "user": piece.isUser = try Self.bool(value, name)
                default:
                    throw ScratchCaseError(
                        "memory: \(name): no such member; there are address, bytes, write, execute, user")
                }
            }
            guard let address else { throw ScratchCaseError("memory: an address is missing") }
            piece.address = VirtualAddress(address)
            memory.append(piece)
        }
    }

    // MARK: Values

    private static func string(_ value: JSONValue, _ name: String) throws(ScratchCaseError) -> String {
        guard case .string(let text) = value else { throw ScratchCaseError("\(name): a string, not \(value.kind)") }
        return text
    }

    private static func integer(_ value: JSONValue, _ name: String) throws(ScratchCaseError) -> Int {
        guard case .number(let number) = value else { throw ScratchCaseError("\(name): a number, not \(value.kind)") }
        return Int(number)
    }

    private static func bool(_ value: JSONValue, _ name: String) throws(ScratchCaseError) -> Bool {
        guard case .bool(let flag) = value else {
            throw ScratchCaseError("\(name): true or false, not \(value.kind)")
        }
        return flag
    }

    private static func number(_ value: JSONValue, _ name: String) throws(ScratchCaseError) -> UInt64 {
        guard case .string(let text) = value, let number = number(text) else {
            throw ScratchCaseError("\(name): a hex string like \"0x1\"")
        }
        return number
    }

    /// `0x1f`, up to 64 bits.
    public static func number(_ text: String) -> UInt64? {
        guard text.hasPrefix("0x"), text.utf8.count > 2, text.utf8.count <= 18 else { return nil }
        var number: UInt64 = 0
        for byte in text.utf8.dropFirst(2) {
            guard let digit = digit(byte) else { return nil }
            number = number << 4 | UInt64(digit)
        }
        return number
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    private static func bytes(_ value: JSONValue, _ name: String) throws(ScratchCaseError) -> [UInt8] {
        guard case .string(let text) = value, let bytes = bytes(text) else {
            throw ScratchCaseError("\(name): a string of hex digits, two a byte")
        }
        return bytes
    }

    /// `4801d8`; blanks between bytes are allowed.
    public static func bytes(_ text: String) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count / 2)
        var high: UInt8?
        for byte in text.utf8 {
            if byte == 0x20, high == nil { continue }
            guard let digit = digit(byte) else { return nil }
            if let first = high {
                bytes.append(first << 4 | digit)
                high = nil
            } else {
                high = digit
            }
        }
        return high == nil ? bytes : nil
    }
}
