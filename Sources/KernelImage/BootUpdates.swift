/// What a kernel's init code switches while it boots: static call keys and static branch keys whose value in .data is
/// not their value after boot. Source: a recorded boot; see Config/boot/.
public struct BootUpdates: Sendable, Equatable {
    /// A symbol, which of its namesakes, and an offset into it.
    public struct Place: Sendable, Hashable {
        public let symbol: String
        /// Counted from 1 in kallsyms' order; 0 where the name must be unique.
        public let position: Int
        /// In bytes.
        public let offset: Int
    }

    public enum Action: Sendable, Hashable {
        /// `static_call_update(name, function)`; a nil function is NULL.
        case staticCall(name: String, function: String?)
        /// `static_branch_enable()` or `static_branch_disable()` of the key at a place.
        case staticKey(Place, isOn: Bool)
    }

    public struct Line: Sendable, Hashable {
        /// Applies to kernels whose release starts so.
        public let releasePrefix: String
        public let action: Action
    }

    public let lines: [Line]

    /// No update at all: every key keeps its value of the file.
    public static let none = BootUpdates(lines: [])

    /// The updates that this project recorded.
    public static let builtIn: BootUpdates = {
        guard let updates = try? BootUpdates(parsing: builtInText, name: "built-in boot updates") else {
            preconditionFailure("the built-in boot updates parse; a test proves it")
        }
        return updates
    }()

    private init(lines: [Line]) {
        self.lines = lines
    }

    /// The longest text and the most lines that are parsed.
    public static let sizeMax = 1 << 20

    /// Parses the format that Config/boot/linux-6.1.boot describes. Throws `.invalid` with the line's number, from 1,
    /// in the message, `.tooLarge` beyond `sizeMax` bytes.
    public init(parsing text: String, name: String) throws(KernelImageError) {
        guard text.utf8.count <= Self.sizeMax else {
            throw KernelImageError(.tooLarge, name, "has more than \(Self.sizeMax) bytes")
        }
        var lines: [Line] = []
        var prefix = ""
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let line = line.prefix { $0 != "#" }
            let words = line.split { $0 == " " || $0 == "\t" || $0 == "\r" }.map(String.init)
            guard let first = words.first else { continue }
            switch (first, words.count) {
            case ("release", 2):
                prefix = words[1]
            case ("static-call", 3):
                let function = words[2] == "none" ? nil : words[2]
                lines.append(Line(releasePrefix: prefix, action: .staticCall(name: words[1], function: function)))
            case ("static-key", 3) where words[2] == "on" || words[2] == "off":
                guard let place = Place(words[1]) else { fallthrough }
                lines.append(Line(releasePrefix: prefix, action: .staticKey(place, isOn: words[2] == "on")))
            default:
                throw KernelImageError(
                    .invalid, name,
                    "line \(index + 1) is `\(line)`; `release PREFIX`, `static-call NAME FUNCTION|none` "
                        + "or `static-key SYMBOL[,N][+0xOFFSET] on|off` would be right")
            }
        }
        self.init(lines: lines)
    }

    /// The actions for a kernel of that release, in the text's order.
    func actions(release: String) -> [Action] {
        lines.filter { release.hasPrefix($0.releasePrefix) }.map(\.action)
    }
}

extension BootUpdates.Place {
    /// `symbol`, `symbol,2`, `symbol+0x10` or `symbol,2+0x10`.
    init?(_ text: String) {
        let parts = text.split(separator: "+", maxSplits: 1, omittingEmptySubsequences: false)
        let names = parts[0].split(separator: ",", maxSplits: 1, omittingEmptySubsequences: false)
        guard !names[0].isEmpty else { return nil }
        symbol = String(names[0])
        if names.count == 2 {
            guard let number = Int(names[1]), number > 0 else { return nil }
            position = number
        } else {
            position = 0
        }
        if parts.count == 2 {
            guard parts[1].hasPrefix("0x"), let bytes = Int(parts[1].dropFirst(2), radix: 16), bytes >= 0,
                bytes <= Int(Int32.max)
            else { return nil }
            offset = bytes
        } else {
            offset = 0
        }
    }
}
