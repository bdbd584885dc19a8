/// Cuts a design file into tokens. Newlines are white space; a comment goes from # to the end of the line.
struct Lexer {
    private let source: SourceText
    private var offset = 0
    private var tokens: [Token] = []
    private var comments: [Token.Comment] = []
    private var newlines = 0
    private var emptyLine = false

    static func tokens(of source: SourceText) throws(PokeDiagnostic) -> [Token] {
        var lexer = Lexer(source: source)
        while try lexer.next() {}
        return lexer.tokens
    }

    private init(source: SourceText) {
        self.source = source
    }

    private var byte: UInt8? {
        offset < source.bytes.count ? source.bytes[offset] : nil
    }

    private func byte(at distance: Int) -> UInt8? {
        offset + distance < source.bytes.count ? source.bytes[offset + distance] : nil
    }

    /// False behind the end.
    private mutating func next() throws(PokeDiagnostic) -> Bool {
        skipBlanks()
        let start = offset
        guard let first = byte else {
            add(.end, start)
            return false
        }
        switch first {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): try number()
        case UInt8(ascii: "\""): try string()
        case _ where Self.isWordByte(first): try word()
        default: try sign()
        }
        return true
    }

    private mutating func add(_ kind: Token.Kind, _ start: Int) {
        tokens.append(Token(kind: kind, range: start..<offset, comments: comments, followsEmptyLine: emptyLine))
        comments = []
        newlines = 0
        emptyLine = false
    }

    private mutating func skipBlanks() {
        while let byte {
            switch byte {
            case UInt8(ascii: "\n"):
                newlines += 1
                if newlines > 1, comments.isEmpty { emptyLine = true }
                offset += 1
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"): offset += 1
            case UInt8(ascii: "#"):
                let start = offset
                while let next = self.byte, next != UInt8(ascii: "\n") {
                    _ = next
                    offset += 1
                }
                comments.append(
                    Token.Comment(text: source.text(start..<offset), isTrailing: newlines == 0 && !tokens.isEmpty))
            default: return
            }
        }
    }

    static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }

    private mutating func number() throws(PokeDiagnostic) {
        let start = offset
        while let byte, Self.isWordByte(byte) { offset += 1 }
        let text = source.text(start..<offset)
        let value = text.hasPrefix("0x") ? Int(text.dropFirst(2), radix: 16) : Int(text)
        guard let value else {
            throw PokeDiagnostic(
                .error, source, start..<offset, "\"\(text)\" is no number",
                suggestion: "numbers are decimal, or hexadecimal behind 0x, below 2^63")
        }
        add(.number(value), start)
    }

    private mutating func string() throws(PokeDiagnostic) {
        let start = offset
        offset += 1
        while let byte, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\n") { offset += 1 }
        guard byte == UInt8(ascii: "\"") else {
            throw PokeDiagnostic(
                .error, source, start..<offset, "the string does not end on its line", suggestion: "close it with \"")
        }
        offset += 1
        add(.string(source.text(start + 1..<offset - 1)), start)
    }

    private mutating func word() throws(PokeDiagnostic) {
        let start = offset
        while let byte, Self.isWordByte(byte) { offset += 1 }
        let text = source.text(start..<offset)
        add(.word(text), start)
        if text == "asm" { try assembly() }
    }

    /// What stands between the braces behind `asm` is the assembler's.
    private mutating func assembly() throws(PokeDiagnostic) {
        skipBlanks()
        guard byte == UInt8(ascii: "{") else { return }
        let brace = offset
        offset += 1
        add(.sign(.leftBrace), brace)
        let start = offset
        while let byte, byte != UInt8(ascii: "}") {
            _ = byte
            offset += 1
        }
        guard byte != nil else {
            throw PokeDiagnostic(.error, source, brace..<brace + 1, "the assembly text has no end", suggestion: "close it with }")
        }
        add(.assembly(source.text(start..<offset)), start)
    }

    private mutating func sign() throws(PokeDiagnostic) {
        let start = offset
        for sign in Sign.allCases {
            let bytes = Array(sign.rawValue.utf8)
            if (0..<bytes.count).allSatisfy({ byte(at: $0) == bytes[$0] }) {
                offset += bytes.count
                add(.sign(sign), start)
                return
            }
        }
        // A whole character, whatever its encoding.
        offset += 1
        while let byte, byte & 0xc0 == 0x80 { offset += 1 }
        throw PokeDiagnostic(.error, source, start..<offset, "\"\(source.text(start..<offset))\" means nothing here")
    }
}
