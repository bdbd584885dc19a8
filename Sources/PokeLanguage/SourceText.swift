/// The text of one design file, and where its lines begin.
public struct SourceText: Sendable {
    /// Longer files are not read.
    public static let bytesMax = 1 << 20

    /// As messages name it.
    public let name: String
    let bytes: [UInt8]
    private let lineStarts: [Int]

    public init(name: String, _ text: String) {
        self.name = name
        bytes = Array(text.utf8)
        var starts = [0]
        for (offset, byte) in bytes.enumerated() where byte == UInt8(ascii: "\n") { starts.append(offset + 1) }
        lineStarts = starts
    }

    /// Line and column, both from 1 on; a column is a character, as an editor counts.
    public func position(of offset: Int) -> (line: Int, column: Int) {
        var low = 0
        var high = lineStarts.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if lineStarts[middle] <= offset { low = middle } else { high = middle }
        }
        let end = min(offset, bytes.count)
        let before = String(decoding: bytes[lineStarts[low]..<max(end, lineStarts[low])], as: UTF8.self)
        return (low + 1, before.count + 1)
    }

    /// The text of a line without its end.
    func line(_ number: Int) -> String {
        let start = lineStarts[number - 1]
        let end = number < lineStarts.count ? lineStarts[number] - 1 : bytes.count
        return String(decoding: bytes[start..<end], as: UTF8.self)
    }

    func text(_ range: Range<Int>) -> String {
        String(decoding: bytes[range], as: UTF8.self)
    }
}

/// Something wrong in a design file, and where.
public struct PokeDiagnostic: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Severity: String, Sendable, Hashable {
        /// The file does not run.
        case error
        /// It runs, but most likely does not say what was meant.
        case warning
    }

    public let severity: Severity
    public let file: String
    /// From 1 on.
    public let line: Int
    /// From 1 on.
    public let column: Int
    /// Characters marked, at least 1.
    public let length: Int
    /// What is wrong.
    public let message: String
    /// The nearest right spelling, or what to do.
    public let suggestion: String?
    /// The line that it is about.
    public let lineText: String

    init(
        _ severity: Severity, _ source: SourceText, _ range: Range<Int>, _ message: String, suggestion: String? = nil
    ) {
        let (line, column) = source.position(of: range.lowerBound)
        self.severity = severity
        file = source.name
        self.line = line
        self.column = column
        lineText = source.line(line)
        let characters = source.text(range).prefix { $0 != "\n" }.count
        length = max(1, min(characters, max(lineText.count - column + 1, 1)))
        self.message = message
        self.suggestion = suggestion
    }

    /// `file:line:column: error: message`, the line, and a caret below the place.
    public var description: String {
        let indent = lineText.prefix(column - 1).map { $0 == "\t" ? "\t" : " " }.joined()
        let marks = "^" + String(repeating: "~", count: length - 1)
        var text = "\(file):\(line):\(column): \(severity.rawValue): \(message)\n\(lineText)\n\(indent)\(marks)"
        if let suggestion { text += "\n\(indent)\(suggestion)" }
        return text
    }
}
