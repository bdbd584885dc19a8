/// Reads TOML 1.0 (https://toml.io/en/v1.0.0), and goes on behind an error so that all of them can be told at once.
///
/// TOML 1.0 with two bounds: whole numbers have 64 bits, and no text holds a NUL, since values become names of files and
/// functions.
public struct TOMLParser {
    /// Errors after which the rest of a text isn't looked at.
    public static let errorsMax = 32
    /// Lists and tables inside of one another.
    public static let nestingMax = 64

    let bytes: [UInt8]
    var position = 0
    private var lineStarts = [0]
    private let root = TOMLTreeTable(.header, SourcePosition(line: 1, column: 1))
    private var errors: [TOMLSyntaxError] = []
    var nesting = 0
    /// Counts headers: dotted keys add to a table only within their section.
    private var section = 0

    private init(_ bytes: [UInt8]) {
        self.bytes = bytes
        for (offset, byte) in bytes.enumerated() where byte == UInt8(ascii: "\n") { lineStarts.append(offset + 1) }
    }

    /// What the text says as far as it is TOML, and where it is not. `text` is UTF-8.
    public static func parse(_ text: [UInt8]) -> (table: TOMLTable, errors: [TOMLSyntaxError]) {
        var parser = TOMLParser(text)
        parser.statements()
        return (parser.root.frozen, parser.errors)
    }

    // MARK: Statements

    private mutating func statements() {
        var current = root
        while errors.count < Self.errorsMax {
            skipBlank()
            guard position < bytes.count else { return }
            do throws(TOMLSyntaxError) {
                if peek == UInt8(ascii: "\n") || peek == UInt8(ascii: "\r") || peek == UInt8(ascii: "#") {
                    try endOfLine()
                } else if peek == UInt8(ascii: "[") {
                    // What stands below a header that is wrong belongs to nobody.
                    current = TOMLTreeTable(.header, place(position))
                    section += 1
                    current = try header()
                } else {
                    try assignment(to: current)
                }
            } catch {
                errors.append(error)
                nesting = 0
                skipLine()
            }
        }
    }

    private mutating func header() throws(TOMLSyntaxError) -> TOMLTreeTable {
        let begin = position
        position += 1
        let isElement = take("[")
        var path = try keyPath()
        path.position = place(begin)
        guard take("]"), !isElement || take("]") else {
            throw failure("a header ends with \(isElement ? "]]" : "]")")
        }
        try endOfLine()
        return try root.defined(byHeader: path, isElement: isElement)
    }

    private mutating func assignment(to table: TOMLTreeTable) throws(TOMLSyntaxError) {
        let (path, item) = try keyAndValue()
        try endOfLine()
        try table.set(path, item, section: section)
    }

    mutating func keyAndValue() throws(TOMLSyntaxError) -> (TOMLKeyPath, TOMLItem) {
        let path = try keyPath()
        guard take("=") else { throw failure("\(path.text): = and a value are missing") }
        skipBlank()
        // A dotted key nests as brackets do.
        nesting += path.parts.count - 1
        let item = try value()
        nesting -= path.parts.count - 1
        return (path, item)
    }

    // MARK: Keys

    /// `a."b c".d`, with the blanks around it.
    private mutating func keyPath() throws(TOMLSyntaxError) -> TOMLKeyPath {
        skipBlank()
        var path = TOMLKeyPath(parts: [], position: place(position))
        repeat {
            skipBlank()
            path.parts.append(try keyPart())
            guard path.parts.count <= Self.nestingMax else {
                throw failure("a key has at most \(Self.nestingMax) parts")
            }
            skipBlank()
        } while take(".")
        return path
    }

    private mutating func keyPart() throws(TOMLSyntaxError) -> String {
        if peek == UInt8(ascii: "\"") { return try basicString() }
        if peek == UInt8(ascii: "'") { return try literalString() }
        let begin = position
        while let byte = peek, Self.isBare(byte) { position += 1 }
        guard position > begin else { throw failure("a key is expected here; letters, digits, _ and - make one") }
        return String(decoding: bytes[begin..<position], as: UTF8.self)
    }

    static func isBare(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    // MARK: Places and bytes

    var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    func peek(_ text: StaticString) -> Bool {
        position + text.utf8CodeUnitCount <= bytes.count
            && (0..<text.utf8CodeUnitCount).allSatisfy { bytes[position + $0] == text.utf8Start[$0] }
    }

    /// Steps over `text` if it stands here.
    mutating func take(_ text: StaticString) -> Bool {
        guard peek(text) else { return false }
        position += text.utf8CodeUnitCount
        return true
    }

    mutating func skipBlank() {
        while peek == UInt8(ascii: " ") || peek == UInt8(ascii: "\t") { position += 1 }
    }

    /// Blanks, a comment, and the line's end or the text's.
    mutating func endOfLine() throws(TOMLSyntaxError) {
        skipBlank()
        if peek == UInt8(ascii: "#") { try comment() }
        if position == bytes.count || take("\n") || take("\r\n") { return }
        throw failure("the line should end here")
    }

    mutating func comment() throws(TOMLSyntaxError) {
        while let byte = peek, byte != UInt8(ascii: "\n"), !peek("\r\n") {
            guard !Self.isControl(byte) else { throw failure("a control character can't stand in a comment") }
            position += 1
        }
    }

    static func isControl(_ byte: UInt8) -> Bool {
        (byte < 0x20 && byte != UInt8(ascii: "\t")) || byte == 0x7f
    }

    private mutating func skipLine() {
        while let byte = peek {
            position += 1
            if byte == UInt8(ascii: "\n") { return }
        }
    }

    func failure(_ message: String) -> TOMLSyntaxError {
        TOMLSyntaxError(position: place(position), message: message)
    }

    func place(_ offset: Int) -> SourcePosition {
        var (low, high) = (0, lineStarts.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if lineStarts[middle] <= offset { low = middle } else { high = middle }
        }
        // Continuation bytes of UTF-8 are no characters of their own.
        let column = bytes[lineStarts[low]..<offset].count { $0 & 0xc0 != 0x80 }
        return SourcePosition(line: low + 1, column: column + 1)
    }
}
