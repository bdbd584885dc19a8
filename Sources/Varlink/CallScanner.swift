internal import Glibc

/// What surrounds the parameters of a call.
struct CallHead: Sendable, Hashable {
    var method = ""
    var more = false
    var oneway = false
    var upgrade = false
    /// Names of the parameters that were given, in their order.
    var parameterNames: [String] = []
    /// Where the object of the parameters stands in the frame; nil where there is none.
    var parameters: Range<Int>?
}

/// Why a frame is no call.
struct MalformedCall: Error, Hashable {
    let message: String
}

/// Reads the envelope of a call: checks that the frame is JSON throughout (RFC 8259, in UTF-8), and takes the few members
/// that make it a call. The parameters are checked and left where they are: only their names are read.
///
/// The envelope is read for every call, and a Codable decoder takes longer for it than everything else together;
/// docs/decisions/0020 has the figures. The tests hold it against the JSON library on mutated inputs.
struct CallScanner {
    /// Containers in one another, the envelope counted.
    static let depthMax = 512

    private let bytes: UnsafeRawBufferPointer
    private var position = 0

    static func scan(_ frame: UnsafeRawBufferPointer) throws(MalformedCall) -> CallHead {
        guard isText(frame) else { throw MalformedCall(message: "is not UTF-8 text") }
        var scanner = CallScanner(bytes: frame)
        return try scanner.call()
    }

    init(bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    private static func isText(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var index = 0
        var high: UInt64 = 0
        while index + 8 <= bytes.count {
            high |= bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            index += 8
        }
        while index < bytes.count {
            high |= UInt64(bytes[index])
            index += 1
        }
        return high & 0x8080_8080_8080_8080 == 0 || String(validating: bytes, as: UTF8.self) != nil
    }

    // MARK: The envelope

    private enum Member: Int {
        case method, parameters, more, oneway, upgrade
    }

    private mutating func call() throws(MalformedCall) -> CallHead {
        var head = CallHead()
        var seen = 0
        skipBlank()
        guard next == UInt8(ascii: "{") else {
            try value(depth: 1)
            try end()
            throw MalformedCall(message: "is not of the type object")
        }
        // What is no JSON is told before what is no call, as a parser would that reads all of it first.
        var wrong: MalformedCall?
        try members(depth: 1) { scanner, name throws(MalformedCall) in
            guard let member = scanner.member(name) else { return try scanner.value(depth: 2) }
            if seen & 1 << member.rawValue != 0 { wrong = wrong ?? MalformedCall(message: "\(member): is given twice") }
            seen |= 1 << member.rawValue
            if let problem = try scanner.take(member, into: &head) {
                wrong = wrong ?? MalformedCall(message: "\(member): \(problem)")
            }
        }
        try end()
        if let wrong { throw wrong }
        guard seen & 1 << Member.method.rawValue != 0 else { throw MalformedCall(message: "method: is missing") }
        return head
    }

    private func member(_ name: Range<Int>) -> Member? {
        if isEqual(name, "method") { return .method }
        if isEqual(name, "parameters") { return .parameters }
        if isEqual(name, "more") { return .more }
        if isEqual(name, "oneway") { return .oneway }
        if isEqual(name, "upgrade") { return .upgrade }
        return nil
    }

    /// Reads a member's value; what is wrong with it, or nil.
    private mutating func take(_ member: Member, into head: inout CallHead) throws(MalformedCall) -> String? {
        let start = position
        let first = next
        var names: [String] = []
        if member == .parameters, first == UInt8(ascii: "{") {
            try members(depth: 2) { scanner, name throws(MalformedCall) in
                names.append(try scanner.text(name))
                try scanner.value(depth: 3)
            }
        } else {
            try value(depth: 2)
        }
        let isNull = first == UInt8(ascii: "n")
        switch member {
        case .method:
            guard first == UInt8(ascii: "\"") else {
                return isNull ? "is null, not of the type string" : "is not of the type string"
            }
            head.method = try text(start + 1..<position - 1)
        case .parameters:
            guard !isNull else { return nil }
            guard first == UInt8(ascii: "{") else { return "is not of the type object" }
            head.parameterNames = names
            head.parameters = start..<position
        case .more, .oneway, .upgrade:
            let isTrue = first == UInt8(ascii: "t")
            guard isTrue || isNull || first == UInt8(ascii: "f") else { return "is not of the type bool" }
            if member == .more { head.more = isTrue }
            if member == .oneway { head.oneway = isTrue }
            if member == .upgrade { head.upgrade = isTrue }
        }
        return nil
    }

    // MARK: JSON

    /// The byte at the position, or 0 at the end: no byte of a frame is 0.
    @inline(__always)
    private var next: UInt8 {
        position < bytes.count ? bytes[position] : 0
    }

    private func malformed(_ expected: String) -> MalformedCall {
        let found: String
        if position >= bytes.count {
            found = "the end"
        } else if next >= 0x20, next < 0x7f {
            found = "\"\(Character(UnicodeScalar(next)))\""
        } else {
            found = "byte 0x\(String(next, radix: 16))"
        }
        return MalformedCall(message: "is not valid JSON: \(expected), not \(found), at byte \(position)")
    }

    @inline(__always)
    private mutating func skipBlank() {
        while next == 0x20 || next == 0x0a || next == 0x0d || next == 0x09 { position += 1 }
    }

    private mutating func end() throws(MalformedCall) {
        skipBlank()
        guard position == bytes.count else { throw malformed("expected the end") }
    }

    /// An object; `each` is called with each member's name, without its quotes, and reads the value.
    mutating func members(
        depth: Int, _ each: (inout CallScanner, Range<Int>) throws(MalformedCall) -> Void
    ) throws(MalformedCall) {
        try check(depth)
        position += 1
        skipBlank()
        if next == UInt8(ascii: "}") {
            position += 1
            return
        }
        while true {
            guard next == UInt8(ascii: "\"") else { throw malformed("expected a member's name") }
            let start = position + 1
            try string()
            let name = start..<position - 1
            skipBlank()
            guard next == UInt8(ascii: ":") else { throw malformed("expected \":\"") }
            position += 1
            skipBlank()
            try each(&self, name)
            skipBlank()
            if next == UInt8(ascii: "}") {
                position += 1
                return
            }
            guard next == UInt8(ascii: ",") else { throw malformed("expected \",\" or \"}\"") }
            position += 1
            skipBlank()
        }
    }

    private func check(_ depth: Int) throws(MalformedCall) {
        guard depth <= Self.depthMax else {
            throw MalformedCall(message: "has more than \(Self.depthMax) arrays and objects in one another")
        }
    }

    /// Skips a value. `depth` counts the containers that it would be in, if it is one.
    mutating func value(depth: Int) throws(MalformedCall) {
        switch next {
        case UInt8(ascii: "\""): try string()
        case UInt8(ascii: "{"):
            try members(depth: depth) { scanner, _ throws(MalformedCall) in try scanner.value(depth: depth + 1) }
        case UInt8(ascii: "["):
            try elements(depth: depth) { scanner throws(MalformedCall) in try scanner.value(depth: depth + 1) }
        case UInt8(ascii: "t"): try literal("true")
        case UInt8(ascii: "f"): try literal("false")
        case UInt8(ascii: "n"): try literal("null")
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): try number()
        default: throw malformed("expected a value")
        }
    }

    /// An array; `each` reads an element.
    mutating func elements(
        depth: Int, _ each: (inout CallScanner) throws(MalformedCall) -> Void
    ) throws(MalformedCall) {
        try check(depth)
        position += 1
        skipBlank()
        if next == UInt8(ascii: "]") {
            position += 1
            return
        }
        while true {
            try each(&self)
            skipBlank()
            if next == UInt8(ascii: "]") {
                position += 1
                return
            }
            guard next == UInt8(ascii: ",") else { throw malformed("expected \",\" or \"]\"") }
            position += 1
            skipBlank()
        }
    }

    private mutating func literal(_ word: StaticString) throws(MalformedCall) {
        for index in 0..<word.utf8CodeUnitCount {
            guard next == word.utf8Start[index] else { throw malformed("expected \(word)") }
            position += 1
        }
    }

    private mutating func digits() throws(MalformedCall) {
        guard isDigit(next) else { throw malformed("expected a digit") }
        while isDigit(next) { position += 1 }
    }

    private mutating func number() throws(MalformedCall) {
        if next == UInt8(ascii: "-") { position += 1 }
        if next == UInt8(ascii: "0") {
            position += 1
            if isDigit(next) { throw malformed("expected no digit after a leading 0") }
        } else {
            try digits()
        }
        if next == UInt8(ascii: ".") {
            position += 1
            try digits()
        }
        if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
            position += 1
            if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { position += 1 }
            try digits()
        }
    }

    private mutating func string() throws(MalformedCall) {
        position += 1
        while true {
            let byte = next
            if byte == UInt8(ascii: "\"") {
                position += 1
                return
            }
            if byte == UInt8(ascii: "\\") {
                position += 1
                _ = try escape()
            } else if byte >= 0x20 {
                position += 1
            } else {
                throw malformed("expected the end of a string")
            }
        }
    }

    /// After the backslash.
    private mutating func escape() throws(MalformedCall) -> Unicode.Scalar {
        defer { position += 1 }
        switch next {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(next)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): break
        default: throw malformed("expected an escape")
        }
        let first = try unit()
        if let scalar = Unicode.Scalar(first) { return scalar }
        // A surrogate: the first half of a pair, or wrong.
        guard first < 0xdc00, position + 2 < bytes.count, bytes[position + 1] == UInt8(ascii: "\\"),
            bytes[position + 2] == UInt8(ascii: "u")
        else { throw malformed("expected two halves of a surrogate pair") }
        position += 2
        let second = try unit()
        guard second >= 0xdc00, second <= 0xdfff else { throw malformed("expected two halves of a surrogate pair") }
        return Unicode.Scalar(0x10000 + (UInt32(first) - 0xd800) << 10 + UInt32(second) - 0xdc00)!
    }

    /// Four digits after the `u` at the position; the position ends on the last of them.
    private mutating func unit() throws(MalformedCall) -> UInt16 {
        var unit: UInt16 = 0
        for _ in 0..<4 {
            position += 1
            let lower = next | 0x20
            if isDigit(next) {
                unit = unit << 4 | UInt16(next - UInt8(ascii: "0"))
            } else if lower >= UInt8(ascii: "a"), lower <= UInt8(ascii: "f") {
                unit = unit << 4 | UInt16(lower - UInt8(ascii: "a") + 10)
            } else {
                throw malformed("expected a hexadecimal digit")
            }
        }
        return unit
    }

    var isNumber: Bool { next == UInt8(ascii: "-") || isDigit(next) }
    var isObject: Bool { next == UInt8(ascii: "{") }
    var isArray: Bool { next == UInt8(ascii: "[") }

    /// Reads a number.
    mutating func numberText() throws(MalformedCall) -> String {
        let start = position
        try number()
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    // MARK: Texts

    private func isEqual(_ range: Range<Int>, _ word: StaticString) -> Bool {
        if range.count == word.utf8CodeUnitCount,
            memcmp(bytes.baseAddress! + range.lowerBound, word.utf8Start, range.count) == 0
        {
            return true
        }
        guard hasEscapes(range), let text = try? text(range) else { return false }
        return text == word.description
    }

    private func hasEscapes(_ range: Range<Int>) -> Bool {
        memchr(bytes.baseAddress! + range.lowerBound, Int32(UInt8(ascii: "\\")), range.count) != nil
    }

    /// The text of a string that has been checked, without its quotes.
    func text(_ range: Range<Int>) throws(MalformedCall) -> String {
        guard hasEscapes(range) else { return String(decoding: bytes[range], as: UTF8.self) }
        var scanner = CallScanner(bytes: bytes)
        scanner.position = range.lowerBound
        var text: [UInt8] = []
        while scanner.position < range.upperBound {
            if scanner.next == UInt8(ascii: "\\") {
                scanner.position += 1
                text += Array(String(Character(try scanner.escape())).utf8)
            } else {
                text.append(scanner.next)
                scanner.position += 1
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}

private func isDigit(_ byte: UInt8) -> Bool {
    byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
}
