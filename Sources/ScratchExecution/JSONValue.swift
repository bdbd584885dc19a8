/// A JSON text, read by hand: a case line is short and there are many of them, so no general decoder is asked.
enum JSONValue: Sendable {
    case null
    case bool(Bool)
    /// An integer; the format has no use for fractions.
    case number(Int64)
    case string(String)
    case array([JSONValue])
    case object([(name: String, value: JSONValue)])

    /// Arrays and objects inside each other.
    static let depthMax = 8

    init(_ text: UnsafeRawBufferPointer) throws(ScratchCaseError) {
        var scanner = JSONScanner(text)
        self = try scanner.value(depth: 0)
        try scanner.requireEnd()
    }

    /// What it is, for an error.
    var kind: String {
        switch self {
        case .null: "null"
        case .bool: "true or false"
        case .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

private struct JSONScanner {
    private let text: UnsafeRawBufferPointer
    private var position = 0

    init(_ text: UnsafeRawBufferPointer) {
        self.text = text
    }

    private func error(_ what: String) -> ScratchCaseError {
        ScratchCaseError("column \(position + 1): \(what)")
    }

    private mutating func skipBlanks() {
        while position < text.count, [0x20, 0x09, 0x0a, 0x0d].contains(text[position]) { position += 1 }
    }

    private mutating func takes(_ byte: Character) -> Bool {
        skipBlanks()
        guard position < text.count, text[position] == byte.asciiValue else { return false }
        position += 1
        return true
    }

    mutating func requireEnd() throws(ScratchCaseError) {
        skipBlanks()
        if position < text.count { throw error("something stands behind the object") }
    }

    mutating func value(depth: Int) throws(ScratchCaseError) -> JSONValue {
        guard depth < JSONValue.depthMax else { throw error("more than \(JSONValue.depthMax) levels") }
        skipBlanks()
        guard position < text.count else { throw error("a value expected at the end") }
        switch text[position] {
        case UInt8(ascii: "{"): return try object(depth)
        case UInt8(ascii: "["): return try array(depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        default:
            for (word, value) in [("null", JSONValue.null), ("true", .bool(true)), ("false", .bool(false))]
            where text[position...].starts(with: word.utf8) {
                position += word.utf8.count
                return value
            }
            throw error("a value expected")
        }
    }

    private mutating func object(_ depth: Int) throws(ScratchCaseError) -> JSONValue {
        position += 1
        var members: [(name: String, value: JSONValue)] = []
        if takes("}") { return .object(members) }
        repeat {
            skipBlanks()
            guard position < text.count, text[position] == UInt8(ascii: "\"") else { throw error("a name expected") }
            let name = try string()
            guard takes(":") else { throw error("\":\" expected") }
            members.append((name, try value(depth: depth + 1)))
        } while takes(",")
        guard takes("}") else { throw error("\"}\" expected") }
        return .object(members)
    }

    private mutating func array(_ depth: Int) throws(ScratchCaseError) -> JSONValue {
        position += 1
        var elements: [JSONValue] = []
        if takes("]") { return .array(elements) }
        repeat { elements.append(try value(depth: depth + 1)) } while takes(",")
        guard takes("]") else { throw error("\"]\" expected") }
        return .array(elements)
    }

    private mutating func number() throws(ScratchCaseError) -> JSONValue {
        let start = position
        position += 1
        while position < text.count, "0123456789.eE+-".utf8.contains(text[position]) { position += 1 }
        guard let value = Int64(String(decoding: text[start..<position], as: UTF8.self)) else {
            position = start
            throw error("no integer of 64 bits")
        }
        return .number(value)
    }

    private mutating func string() throws(ScratchCaseError) -> String {
        position += 1
        let start = position
        while position < text.count, text[position] != UInt8(ascii: "\""), text[position] != UInt8(ascii: "\\") {
            position += 1
        }
        if position < text.count, text[position] == UInt8(ascii: "\"") {
            defer { position += 1 }
            return String(decoding: text[start..<position], as: UTF8.self)
        }
        return try escapedString(from: start)
    }

    /// The slow way, for the texts of `asm`, which may hold line ends.
    private mutating func escapedString(from start: Int) throws(ScratchCaseError) -> String {
        var bytes = Array(text[start..<position])
        while position < text.count {
            let byte = text[position]
            position += 1
            if byte == UInt8(ascii: "\"") { return String(decoding: bytes, as: UTF8.self) }
            guard byte == UInt8(ascii: "\\") else {
                bytes.append(byte)
                continue
            }
            guard position < text.count else { break }
            let escaped = text[position]
            position += 1
            switch escaped {
            case UInt8(ascii: "n"): bytes.append(10)
            case UInt8(ascii: "t"): bytes.append(9)
            case UInt8(ascii: "r"): bytes.append(13)
            case UInt8(ascii: "b"): bytes.append(8)
            case UInt8(ascii: "f"): bytes.append(12)
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): bytes.append(escaped)
            case UInt8(ascii: "u"): bytes += try codeUnit().utf8
            default: throw error("no such escape")
            }
        }
        throw error("the string doesn't end")
    }

    private mutating func codeUnit() throws(ScratchCaseError) -> String {
        let end = min(position + 4, text.count)
        let digits = String(decoding: text[position..<end], as: UTF8.self)
        guard digits.utf8.count == 4, let value = UInt32(digits, radix: 16), let scalar = UnicodeScalar(value) else {
            throw error("\\u wants four hex digits of a character")
        }
        position = end
        return String(scalar)
    }
}
