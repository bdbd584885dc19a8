/// Values: lists, inline tables, numbers, dates.
extension TOMLParser {
    mutating func value() throws(TOMLSyntaxError) -> TOMLItem {
        let begin = place(position)
        guard let byte = peek else { throw failure("a value is expected here") }
        nesting += 1
        guard nesting <= Self.nestingMax else { throw failure("is nested deeper than \(Self.nestingMax)") }
        let value: TOMLValue =
            switch byte {
            case UInt8(ascii: "\""): .string(try peek("\"\"\"") ? longBasicString() : basicString())
            case UInt8(ascii: "'"): .string(try peek("'''") ? longLiteralString() : literalString())
            case UInt8(ascii: "["): .array(try list())
            case UInt8(ascii: "{"): .table(try inlineTable())
            default: try word()
            }
        nesting -= 1
        return TOMLItem(value: value, position: begin)
    }

    private mutating func list() throws(TOMLSyntaxError) -> [TOMLItem] {
        position += 1
        var items: [TOMLItem] = []
        while true {
            try skipLines()
            if take("]") { return items }
            items.append(try value())
            try skipLines()
            if take(",") { continue }
            guard take("]") else { throw failure("a list goes on with a comma or ends with ]") }
            return items
        }
    }

    /// Blanks, comments and line ends.
    private mutating func skipLines() throws(TOMLSyntaxError) {
        while true {
            skipBlank()
            if peek == UInt8(ascii: "#") { try comment() }
            guard take("\n") || take("\r\n") else { return }
        }
    }

    private mutating func inlineTable() throws(TOMLSyntaxError) -> TOMLTable {
        let table = TOMLTreeTable(.inline, place(position))
        position += 1
        skipBlank()
        if take("}") { return table.frozen }
        while true {
            let (path, item) = try keyAndValue()
            try table.set(path, item, section: 0)
            skipBlank()
            if take(",") { continue }
            guard take("}") else { throw failure("an inline table goes on with a comma or ends with }, on one line") }
            return table.frozen
        }
    }

    // MARK: Numbers

    /// A boolean, a number or a date: what stands here up to a delimiter.
    private mutating func word() throws(TOMLSyntaxError) -> TOMLValue {
        let begin = position
        while let byte = peek, Self.isBare(byte) || Self.isOfNumber(byte) { position += 1 }
        var text = bytes[begin..<position]
        // A date and its time may be parted by a blank.
        if text.count == 10, peek == UInt8(ascii: " "), position + 1 < bytes.count,
            Self.isDigit(bytes[position + 1]), Self.isDateTime(text)
        {
            position += 1
            while let byte = peek, Self.isBare(byte) || Self.isOfNumber(byte) { position += 1 }
            text = bytes[begin..<position]
        }
        let shown = String(decoding: text, as: UTF8.self)
        switch shown {
        case "true": return .boolean(true)
        case "false": return .boolean(false)
        default: break
        }
        if let number = try number(text, shown, begin) { return number }
        if Self.isDateTime(text) { return .dateTime(shown) }
        position = begin
        if text.isEmpty { throw failure("a value is expected here") }
        throw failure("\(shown.prefix(Self.shownMax)) is no value; a text stands in quotes")
    }

    /// Characters of a wrong value that a message shows.
    private static let shownMax = 40

    private static func isOfNumber(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "+") || byte == UInt8(ascii: ".") || byte == UInt8(ascii: ":")
    }

    static func isDigit(_ byte: UInt8) -> Bool {
        byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
    }

    private func number(_ text: ArraySlice<UInt8>, _ shown: String, _ begin: Int) throws(TOMLSyntaxError) -> TOMLValue?
    {
        var rest = text
        let sign = rest.first == UInt8(ascii: "-") ? "-" : ""
        if rest.first == UInt8(ascii: "-") || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
        func whole(_ digits: String, _ radix: Int) throws(TOMLSyntaxError) -> TOMLValue {
            guard let value = Int(sign + digits, radix: radix) else {
                throw TOMLSyntaxError(position: place(begin), message: "\(shown) does not fit into 64 bits")
            }
            return .integer(value)
        }
        for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] where rest.starts(with: prefix.utf8) {
            let digits = rest.dropFirst(2)
            guard rest.count == text.count, let plain = Self.digits(digits, radix) else { return nil }
            return try whole(plain, radix)
        }
        switch String(decoding: rest, as: UTF8.self) {
        case "inf": return .float(sign == "-" ? -.infinity : .infinity)
        case "nan": return .float(.nan)
        default: break
        }
        let mantissa = rest.prefix { Self.isDigit($0) || $0 == UInt8(ascii: "_") }
        guard let plain = Self.digits(mantissa, 10), plain == "0" || !plain.hasPrefix("0") else { return nil }
        rest = rest.dropFirst(mantissa.count)
        if rest.isEmpty { return try whole(plain, 10) }
        guard let fraction = Self.fraction(rest), let value = Double(sign + plain + fraction) else { return nil }
        return .float(value)
    }

    /// `.5e-3` of a floating-point number without its underscores, or nil.
    private static func fraction(_ text: ArraySlice<UInt8>) -> String? {
        var (rest, result) = (text, "")
        func takeDigits() -> Bool {
            let run = rest.prefix { isDigit($0) || $0 == UInt8(ascii: "_") }
            guard let plain = digits(run, 10) else { return false }
            rest = rest.dropFirst(run.count)
            result += plain
            return true
        }
        if rest.first == UInt8(ascii: ".") {
            rest = rest.dropFirst()
            result += "."
            guard takeDigits() else { return nil }
        }
        if rest.first == UInt8(ascii: "e") || rest.first == UInt8(ascii: "E") {
            rest = rest.dropFirst()
            result += "e"
            if rest.first == UInt8(ascii: "-") { result += "-" }
            if rest.first == UInt8(ascii: "-") || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
            guard takeDigits() else { return nil }
        }
        return rest.isEmpty ? result : nil
    }

    /// Digits without the underscores between them, or nil where something else stands or an underscore has no digit on
    /// both sides.
    private static func digits(_ text: ArraySlice<UInt8>, _ radix: Int) -> String? {
        var (result, wasDigit) = ("", false)
        for byte in text {
            if byte == UInt8(ascii: "_") {
                guard wasDigit else { return nil }
                wasDigit = false
            } else {
                let digit = Character(Unicode.Scalar(byte))
                guard byte < 0x80, let value = digit.hexDigitValue, value < radix else { return nil }
                result.append(digit)
                wasDigit = true
            }
        }
        return wasDigit ? result : nil
    }

    // MARK: Dates

    /// A date, a time, or both with or without an offset, of a day that exists.
    private static func isDateTime(_ text: ArraySlice<UInt8>) -> Bool {
        var rest = text
        if text.count >= 10, text[text.startIndex + 4] == UInt8(ascii: "-") {
            guard takeDate(&rest) else { return false }
            if rest.isEmpty { return true }
            guard [UInt8(ascii: "T"), UInt8(ascii: "t"), UInt8(ascii: " ")].contains(rest.removeFirst()),
                takeTime(&rest)
            else { return false }
            return rest.isEmpty || isOffset(rest)
        }
        return takeTime(&rest) && rest.isEmpty
    }

    private static func takeNumber(_ rest: inout ArraySlice<UInt8>, _ count: Int) -> Int? {
        guard rest.count >= count, rest.prefix(count).allSatisfy(isDigit) else { return nil }
        defer { rest = rest.dropFirst(count) }
        return Int(String(decoding: rest.prefix(count), as: UTF8.self))
    }

    private static func takeByte(_ rest: inout ArraySlice<UInt8>, _ byte: UInt8) -> Bool {
        guard rest.first == byte else { return false }
        rest = rest.dropFirst()
        return true
    }

    private static func takeDate(_ rest: inout ArraySlice<UInt8>) -> Bool {
        guard let year = takeNumber(&rest, 4), year > 0, takeByte(&rest, UInt8(ascii: "-")),
            let month = takeNumber(&rest, 2), (1...12).contains(month), takeByte(&rest, UInt8(ascii: "-")),
            let day = takeNumber(&rest, 2)
        else { return false }
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        return (1...days[month - 1]).contains(day)
    }

    private static func takeTime(_ rest: inout ArraySlice<UInt8>) -> Bool {
        guard let hour = takeNumber(&rest, 2), hour < 24, takeByte(&rest, UInt8(ascii: ":")),
            let minute = takeNumber(&rest, 2), minute < 60, takeByte(&rest, UInt8(ascii: ":")),
            let second = takeNumber(&rest, 2), second < 60
        else { return false }
        guard takeByte(&rest, UInt8(ascii: ".")) else { return true }
        let digits = rest.prefix(while: isDigit)
        rest = rest.dropFirst(digits.count)
        return !digits.isEmpty
    }

    private static func isOffset(_ text: ArraySlice<UInt8>) -> Bool {
        var rest = text
        if takeByte(&rest, UInt8(ascii: "Z")) || takeByte(&rest, UInt8(ascii: "z")) { return rest.isEmpty }
        guard takeByte(&rest, UInt8(ascii: "+")) || takeByte(&rest, UInt8(ascii: "-")),
            let hour = takeNumber(&rest, 2), hour < 24, takeByte(&rest, UInt8(ascii: ":")),
            let minute = takeNumber(&rest, 2), minute < 60
        else { return false }
        return rest.isEmpty
    }
}
