/// The four kinds of strings.
extension TOMLParser {
    /// `"..."` with escapes, on one line.
    mutating func basicString() throws(TOMLSyntaxError) -> String {
        let begin = position
        position += 1
        var text: [UInt8] = []
        while let byte = peek {
            if byte == UInt8(ascii: "\"") {
                position += 1
                return String(decoding: text, as: UTF8.self)
            }
            if byte == UInt8(ascii: "\\") {
                text += try escape()
            } else {
                guard !Self.isControl(byte) else { throw unclosed(begin, byte) }
                text.append(byte)
                position += 1
            }
        }
        throw unclosed(begin, nil)
    }

    /// `'...'`, as it stands, on one line.
    mutating func literalString() throws(TOMLSyntaxError) -> String {
        let begin = position
        position += 1
        while let byte = peek {
            if byte == UInt8(ascii: "'") {
                position += 1
                return String(decoding: bytes[(begin + 1)..<(position - 1)], as: UTF8.self)
            }
            guard !Self.isControl(byte) else { throw unclosed(begin, byte) }
            position += 1
        }
        throw unclosed(begin, nil)
    }

    /// `"""..."""`: a line end right behind the opening does not count, a backslash before one takes all blanks with it.
    mutating func longBasicString() throws(TOMLSyntaxError) -> String {
        let begin = position
        position += 3
        _ = take("\n") || take("\r\n")
        var text: [UInt8] = []
        while let byte = peek {
            if peek("\"\"\"") {
                text += takeClosing(UInt8(ascii: "\""))
                return String(decoding: text, as: UTF8.self)
            }
            if byte == UInt8(ascii: "\\") {
                if !takeLineContinuation() { text += try escape() }
            } else {
                text += try takeOfLongString(begin)
            }
        }
        throw unclosed(begin, nil)
    }

    /// `'''...'''`.
    mutating func longLiteralString() throws(TOMLSyntaxError) -> String {
        let begin = position
        position += 3
        _ = take("\n") || take("\r\n")
        var text: [UInt8] = []
        while position < bytes.count {
            if peek("'''") {
                text += takeClosing(UInt8(ascii: "'"))
                return String(decoding: text, as: UTF8.self)
            }
            text += try takeOfLongString(begin)
        }
        throw unclosed(begin, nil)
    }

    /// Steps over the three quotes that end a string; up to two more before them belong to it.
    private mutating func takeClosing(_ quote: UInt8) -> [UInt8] {
        var inside: [UInt8] = []
        position += 3
        while inside.count < 2, peek == quote {
            inside.append(quote)
            position += 1
        }
        return inside
    }

    private mutating func takeOfLongString(_ begin: Int) throws(TOMLSyntaxError) -> [UInt8] {
        // Line ends of either kind are the same text.
        if take("\r\n") || take("\n") { return [UInt8(ascii: "\n")] }
        let byte = bytes[position]
        guard !Self.isControl(byte) else { throw unclosed(begin, byte) }
        position += 1
        return [byte]
    }

    /// Steps over a backslash, blanks and at least one line end.
    private mutating func takeLineContinuation() -> Bool {
        let begin = position
        position += 1
        skipBlank()
        guard take("\n") || take("\r\n") else {
            position = begin
            return false
        }
        while take("\n") || take("\r\n") || take(" ") || take("\t") {}
        return true
    }

    private mutating func escape() throws(TOMLSyntaxError) -> [UInt8] {
        let begin = position
        position += 1
        guard let letter = peek else { throw failure("a string ends behind its backslash") }
        position += 1
        switch letter {
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "n"): return [0x0a]
        case UInt8(ascii: "f"): return [0x0c]
        case UInt8(ascii: "r"): return [0x0d]
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): return [letter]
        case UInt8(ascii: "u"), UInt8(ascii: "U"):
            let count = letter == UInt8(ascii: "u") ? 4 : 8
            let digits = bytes[position..<min(position + count, bytes.count)]
            let text = String(decoding: digits, as: UTF8.self)
            if digits.count == count, digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit && $0 < 0x80 }),
                let number = UInt32(text, radix: 16), let scalar = Unicode.Scalar(number)
            {
                guard number != 0 else {
                    position = begin
                    throw failure("a text can't hold a NUL")
                }
                position += count
                return Array(String(Character(scalar)).utf8)
            }
            position = begin
            throw failure("\\\(Character(Unicode.Scalar(letter))) needs the \(count) hexadecimal digits of a character")
        default:
            position = begin
            throw failure(
                "a backslash starts one of \\b \\t \\n \\f \\r \\\" \\\\ \\u \\U; in '...' it stands for itself")
        }
    }

    private func unclosed(_ begin: Int, _ byte: UInt8?) -> TOMLSyntaxError {
        switch byte {
        case nil, UInt8(ascii: "\n"), UInt8(ascii: "\r"):
            TOMLSyntaxError(position: place(begin), message: "this string has no end")
        default: failure("a control character can't stand in a string; use an escape")
        }
    }
}
