/// syslog(3)'s priorities.
public enum JournalPriority: Int32, Sendable, Hashable, CaseIterable {
    case emergency = 0
    case alert
    case critical
    case error
    case warning
    case notice
    case info
    case debug
}

/// A field of a journal entry, `PATCHSIM_CPU=1`.
public struct JournalField: Sendable, Hashable {
    public static let nameBytesMax = 64

    public let name: String
    public let value: String

    /// Nil if the name is none that journald takes: capitals, digits and underscores, not an underscore first.
    public init?(_ name: String, _ value: String) {
        let bytes = name.utf8
        guard let first = bytes.first, bytes.count <= Self.nameBytesMax, Self.isCapital(first),
            bytes.allSatisfy({ Self.isCapital($0) || $0 == UInt8(ascii: "_") || Self.isDigit($0) })
        else { return nil }
        self.name = name
        self.value = value
    }

    private static func isCapital(_ byte: UInt8) -> Bool {
        byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z")
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
    }
}

/// One entry of the log.
public struct JournalEntry: Sendable {
    public var priority: JournalPriority
    public var message: String
    /// SYSLOG_IDENTIFIER.
    public var identifier: String
    /// 32 hexadecimal digits; the catalog's key.
    public var messageID: String?
    public var fields: [JournalField]

    public init(
        priority: JournalPriority, message: String, identifier: String, messageID: String? = nil,
        fields: [JournalField] = []
    ) {
        self.priority = priority
        self.message = message
        self.identifier = identifier
        self.messageID = messageID
        self.fields = fields
    }
}

extension JournalEntry {
    /// As journald's socket takes it: `NAME=value` lines; a value of several lines has its length before it, in eight
    /// bytes, the lowest first.
    func datagram() -> [UInt8] {
        var bytes: [UInt8] = []
        Self.append("MESSAGE", message, to: &bytes)
        Self.append("PRIORITY", "\(priority.rawValue)", to: &bytes)
        Self.append("SYSLOG_IDENTIFIER", identifier, to: &bytes)
        if let messageID { Self.append("MESSAGE_ID", messageID, to: &bytes) }
        for field in fields { Self.append(field.name, field.value, to: &bytes) }
        return bytes
    }

    static func append(_ name: String, _ value: String, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: name.utf8)
        let newline = UInt8(ascii: "\n")
        if value.utf8.contains(newline) {
            bytes.append(newline)
            let count = UInt64(value.utf8.count)
            for shift in stride(from: UInt64(0), to: 64, by: 8) {
                bytes.append(UInt8(truncatingIfNeeded: count >> shift))
            }
        } else {
            bytes.append(UInt8(ascii: "="))
        }
        bytes.append(contentsOf: value.utf8)
        bytes.append(newline)
    }

    /// One line, whatever the message holds: `<6>message`, with sd-daemon(3)'s prefix, which a journal or a container's log
    /// reader understands, or `identifier: message` for a terminal. Control characters are escaped.
    func line(forTerminal: Bool, ownIdentifier: String) -> String {
        var line = forTerminal ? "" : "<\(priority.rawValue)>"
        if forTerminal || identifier != ownIdentifier { line += identifier + ": " }
        for scalar in message.unicodeScalars {
            switch scalar {
            case "\n": line += "\\n"
            case "\r": line += "\\r"
            case "\t": line += "\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7f:
                line += "\\x" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
            default: line.unicodeScalars.append(scalar)
            }
        }
        return line + "\n"
    }
}
