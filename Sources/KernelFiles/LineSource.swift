/// A file's lines, made one at a time from a snapshot of what they show.
protocol LineSource: Sendable {
    /// Appends the next line with its newline; false at the end, when nothing was appended.
    mutating func appendNext(to bytes: inout [UInt8]) -> Bool
}

/// A file that is short enough to be made at once.
struct WholeText: LineSource {
    var text: String?

    init(_ text: String) {
        self.text = text
    }

    mutating func appendNext(to bytes: inout [UInt8]) -> Bool {
        guard let text, !text.isEmpty else { return false }
        bytes.append(contentsOf: text.utf8)
        self.text = nil
        return true
    }
}

extension [UInt8] {
    /// `digits` hex digits, with zeros in front.
    mutating func appendHex(_ value: UInt64, digits: Int) {
        for digit in stride(from: digits - 1, through: 0, by: -1) {
            let nibble = UInt8(truncatingIfNeeded: value >> UInt64(4 * digit) & 15)
            append(nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10)
        }
    }

    /// `text` right-aligned in `width` columns (`%*s`), or as long as it is.
    mutating func append(_ text: String, width: Int, fill: UInt8 = UInt8(ascii: " ")) {
        let length = text.utf8.count
        for _ in 0..<Swift.max(0, width - length) { append(fill) }
        append(contentsOf: text.utf8)
    }

    /// `text` left-aligned in `width` columns (`%-*s`).
    mutating func append(_ text: String, leftIn width: Int) {
        append(contentsOf: text.utf8)
        for _ in 0..<Swift.max(0, width - text.utf8.count) { append(UInt8(ascii: " ")) }
    }
}
