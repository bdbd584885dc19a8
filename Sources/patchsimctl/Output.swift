internal import Glibc

/// stdout and stderr, unbuffered: a command makes few and large writes.
enum Output {
    static func write(_ text: String) {
        var text = text
        text.withUTF8 { put(UnsafeRawBufferPointer($0), STDOUT_FILENO) }
    }

    static func write(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { put($0, STDOUT_FILENO) }
    }

    static func line(_ text: String) {
        write(text + "\n")
    }

    static func complain(_ text: String) {
        var line = String(text.map { $0.isNewline ? " " : $0 }) + "\n"
        line.withUTF8 { put(UnsafeRawBufferPointer($0), STDERR_FILENO) }
    }

    private static func put(_ bytes: UnsafeRawBufferPointer, _ descriptor: Int32) {
        var sent = 0
        while sent < bytes.count {
            let count = Glibc.write(descriptor, bytes.baseAddress! + sent, bytes.count - sent)
            if count >= 0 {
                sent += count
            } else if errno == EPIPE {
                // The reader has seen enough: no error, also where SIGPIPE is ignored.
                exit(0)
            } else if errno != EINTR {
                exit(ExitStatus.refused)
            }
        }
    }
}

/// Columns, aligned.
struct TextTable {
    enum Alignment {
        case left
        case right
    }

    private let alignments: [Alignment]
    private var rows: [[String]]
    /// Nothing was added yet.
    private(set) var isEmpty = true

    init(_ columns: [(String, Alignment)]) {
        alignments = columns.map(\.1)
        rows = columns.first.map { $0.0.isEmpty } ?? true ? [] : [columns.map(\.0)]
    }

    mutating func add(_ cells: [String]) {
        precondition(cells.count == alignments.count, "a row has a cell in each column")
        rows.append(cells.map(visible))
        isEmpty = false
    }

    var text: String {
        let widths = alignments.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        var text = ""
        for row in rows {
            var line = ""
            for (column, cell) in row.enumerated() {
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                line += alignments[column] == .left ? cell + padding : padding + cell
                if column < row.count - 1 { line += "  " }
            }
            while line.last == " " { line.removeLast() }
            text += line + "\n"
        }
        return text
    }
}

/// Text from the kernel or a file may hold terminal sequences; they are shown, not obeyed.
func visible(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7f }) else { return text }
    var shown = ""
    for scalar in text.unicodeScalars {
        if scalar.value < 0x20 || scalar.value == 0x7f {
            shown += "\\x" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
        } else {
            shown.unicodeScalars.append(scalar)
        }
    }
    return shown
}

/// Seconds with six digits, as the kernel log prints times: `   12.345678`.
func seconds(_ nanoseconds: Int) -> String {
    let microseconds = nanoseconds / 1000
    let fraction = String(microseconds % 1_000_000)
    let whole = String(microseconds / 1_000_000)
    return String(repeating: " ", count: max(0, 5 - whole.count)) + whole + "."
        + String(repeating: "0", count: 6 - fraction.count) + fraction
}

/// `98.7 %`.
func percent(_ share: Double) -> String {
    let tenths = Int((share * 1000).rounded())
    return "\(tenths / 10).\(tenths % 10) %"
}

/// `1,234,567`.
func grouped(_ number: Int) -> String {
    var digits = Array(String(number))
    var index = digits.count - 3
    while index > (number < 0 ? 1 : 0) {
        digits.insert(",", at: index)
        index -= 3
    }
    return String(digits)
}
