/// A word of the source text.
struct AssemblyToken: Sendable {
    enum Kind: Hashable, Sendable {
        /// A mnemonic, directive, symbol or prefix.
        case name
        /// The name of a register without its `%`, in small letters.
        case register(String)
        case number(UInt64)
        /// `1f` and `1b`.
        case numericLabel(Int, isForward: Bool)
        case string([UInt8])
        /// `$ * ( ) , : + - / % & | ^ ~ =` and, as one, `<<` and `>>`.
        case symbol(String)
        /// `;` or the end of a line.
        case endOfStatement
    }

    let kind: Kind
    let text: String
    let place: AssemblyPlace
}

/// Cuts a source text into words; comments and blanks are gone.
struct AssemblyScanner {
    private let source: [UInt8]
    private var position = 0
    private var line = 1
    private var lineStart = 0

    init(_ text: String) {
        source = Array(text.utf8)
    }

    static func tokens(of text: String) throws(AssemblerError) -> [AssemblyToken] {
        var scanner = AssemblyScanner(text)
        var tokens: [AssemblyToken] = []
        while let token = try scanner.next() { tokens.append(token) }
        tokens.append(AssemblyToken(kind: .endOfStatement, text: "", place: scanner.place))
        return tokens
    }

    private var place: AssemblyPlace {
        AssemblyPlace(line: line, column: position - lineStart + 1)
    }

    private func byte(_ offset: Int = 0) -> UInt8? {
        position + offset < source.count ? source[position + offset] : nil
    }

    private func text(_ start: Int) -> String {
        String(decoding: source[start..<position], as: UTF8.self)
    }

    private mutating func newLine() {
        position += 1
        line += 1
        lineStart = position
    }

    private mutating func next() throws(AssemblerError) -> AssemblyToken? {
        try skipBlanks()
        guard let first = byte() else { return nil }
        let place = place
        let start = position
        switch first {
        case UInt8(ascii: "\n"):
            newLine()
            return AssemblyToken(kind: .endOfStatement, text: "", place: place)
        case UInt8(ascii: ";"):
            position += 1
            return AssemblyToken(kind: .endOfStatement, text: ";", place: place)
        case UInt8(ascii: "\""): return try string()
        case UInt8(ascii: "'"): return try character()
        case UInt8(ascii: "%") where byte(1).map(Self.isLetter) == true:
            position += 1
            while byte().map(Self.isNamePart) == true { position += 1 }
            let text = text(start)
            return AssemblyToken(kind: .register(text.dropFirst().lowercased()), text: text, place: place)
        case UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        case UInt8(ascii: "<"), UInt8(ascii: ">"):
            guard byte(1) == first else { throw AssemblerError(place, Self.shown(first), .malformed("begins no word")) }
            position += 2
            return AssemblyToken(kind: .symbol(text(start)), text: text(start), place: place)
        default:
            if Self.isNameStart(first) {
                while byte().map(Self.isNamePart) == true { position += 1 }
                return AssemblyToken(kind: .name, text: text(start), place: place)
            }
            guard Self.symbols.contains(first) else {
                throw AssemblerError(place, Self.shown(first), .malformed("begins no word"))
            }
            position += 1
            return AssemblyToken(kind: .symbol(text(start)), text: text(start), place: place)
        }
    }

    private static let symbols = Set("$*(),:+-/%&|^~=".utf8)

    private static func shown(_ byte: UInt8) -> String {
        byte < 0x80 ? String(UnicodeScalar(byte)) : "byte 0x" + String(byte, radix: 16)
    }

    private mutating func skipBlanks() throws(AssemblerError) {
        while let current = byte() {
            switch current {
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"): position += 1
            case UInt8(ascii: "#"): skipLine()
            case UInt8(ascii: "/") where byte(1) == UInt8(ascii: "/"): skipLine()
            case UInt8(ascii: "/") where byte(1) == UInt8(ascii: "*"): try skipComment()
            default: return
            }
        }
    }

    private mutating func skipLine() {
        while let current = byte(), current != UInt8(ascii: "\n") { position += 1 }
    }

    private mutating func skipComment() throws(AssemblerError) {
        let start = place
        position += 2
        while let current = byte() {
            if current == UInt8(ascii: "*"), byte(1) == UInt8(ascii: "/") {
                position += 2
                return
            }
            if current == UInt8(ascii: "\n") { newLine() } else { position += 1 }
        }
        throw AssemblerError(start, "/*", .malformed("the comment doesn't end"))
    }

    /// Decimal, 0x, 0b and octal numbers, and references to numeric labels.
    private mutating func number() throws(AssemblerError) -> AssemblyToken {
        let place = place
        let start = position
        while byte().map(Self.isNamePart) == true { position += 1 }
        let text = text(start)
        let digits = text.lowercased()
        var value: UInt64?
        if digits.hasPrefix("0x") {
            value = UInt64(digits.dropFirst(2), radix: 16)
        } else if digits.hasPrefix("0b"), digits.utf8.count > 2 {
            value = UInt64(digits.dropFirst(2), radix: 2)
        } else if digits.hasSuffix("f") || digits.hasSuffix("b") {
            guard let label = Int(digits.dropLast()) else {
                throw AssemblerError(place, text, .malformed("no number and no numeric label"))
            }
            let kind = AssemblyToken.Kind.numericLabel(label, isForward: digits.hasSuffix("f"))
            return AssemblyToken(kind: kind, text: text, place: place)
        } else if digits.hasPrefix("0"), digits.utf8.count > 1 {
            value = UInt64(digits, radix: 8)
        } else {
            value = UInt64(digits)
        }
        guard let value else { throw AssemblerError(place, text, .malformed("no number of at most 64 bits")) }
        return AssemblyToken(kind: .number(value), text: text, place: place)
    }

    /// `'a'`, and `'a` as `as` takes it.
    private mutating func character() throws(AssemblerError) -> AssemblyToken {
        let place = place
        let start = position
        position += 1
        guard let value = try stringByte(from: place) else {
            throw AssemblerError(place, "'", .malformed("a character expected"))
        }
        if byte() == UInt8(ascii: "'") { position += 1 }
        return AssemblyToken(kind: .number(UInt64(value)), text: text(start), place: place)
    }

    private mutating func string() throws(AssemblerError) -> AssemblyToken {
        let place = place
        let start = position
        position += 1
        var bytes: [UInt8] = []
        while byte() != UInt8(ascii: "\"") {
            guard let value = try stringByte(from: place) else {
                throw AssemblerError(place, "\"", .malformed("the string doesn't end"))
            }
            bytes.append(value)
        }
        position += 1
        return AssemblyToken(kind: .string(bytes), text: text(start), place: place)
    }

    /// One byte of a string, its escape resolved; nil at the end of the line.
    private mutating func stringByte(from place: AssemblyPlace) throws(AssemblerError) -> UInt8? {
        guard let first = byte(), first != UInt8(ascii: "\n") else { return nil }
        position += 1
        guard first == UInt8(ascii: "\\") else { return first }
        guard let escaped = byte(), escaped != UInt8(ascii: "\n") else { return nil }
        position += 1
        switch escaped {
        case UInt8(ascii: "n"): return 10
        case UInt8(ascii: "t"): return 9
        case UInt8(ascii: "r"): return 13
        case UInt8(ascii: "b"): return 8
        case UInt8(ascii: "f"): return 12
        case UInt8(ascii: "\\"), UInt8(ascii: "\""), UInt8(ascii: "'"): return escaped
        case UInt8(ascii: "x"): return takeDigits(radix: 16, countMax: 2, value: 0)
        case UInt8(ascii: "0")...UInt8(ascii: "7"):
            return takeDigits(radix: 8, countMax: 2, value: Int(escaped - UInt8(ascii: "0")))
        default:
            throw AssemblerError(place, "\\" + Self.shown(escaped), .malformed("no such escape"))
        }
    }

    private mutating func takeDigits(radix: Int, countMax: Int, value: Int) -> UInt8 {
        var value = value
        for _ in 0..<countMax {
            guard let next = byte(), let digit = Character(UnicodeScalar(next)).hexDigitValue, digit < radix else {
                break
            }
            value = value * radix + digit
            position += 1
        }
        return UInt8(truncatingIfNeeded: value)
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }

    private static func isNameStart(_ byte: UInt8) -> Bool {
        isLetter(byte) || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".")
    }

    private static func isNamePart(_ byte: UInt8) -> Bool {
        isNameStart(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}
