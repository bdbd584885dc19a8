internal import CSystemd
internal import Glibc

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

/// Where log entries go.
public enum LogTarget: String, Sendable, CaseIterable {
    case journal
    case stderr

    static let journalSocket = "/run/systemd/journal/socket"

    /// The journal if stderr is a stream to it, as in a unit; else stderr, where whoever started this process looks.
    public static func detect() -> LogTarget {
        stderrIsJournal && journalIsPresent ? .journal : .stderr
    }

    /// Whether journald listens. sd_journal_sendv() reports success where none does, so this is asked first.
    public static var journalIsPresent: Bool {
        access(journalSocket, W_OK) == 0
    }

    /// JOURNAL_STREAM is device:inode of the stream that the manager made (systemd.exec(5)).
    private static var stderrIsJournal: Bool {
        guard let variable = getenv("JOURNAL_STREAM") else { return false }
        let parts = String(cString: variable).split(separator: ":").map { UInt64($0) }
        var status = stat()
        guard parts.count == 2, fstat(STDERR_FILENO, &status) == 0 else { return false }
        return parts[0] == UInt64(status.st_dev) && parts[1] == UInt64(status.st_ino)
    }

    /// Writes an entry. Safe from any thread: an entry is one datagram or one write.
    public func write(_ entry: JournalEntry) {
        switch self {
        case .journal:
            if !Self.sendToJournal(entry) { Self.writeToStderr(entry) }
        case .stderr:
            Self.writeToStderr(entry)
        }
    }

    private static func sendToJournal(_ entry: JournalEntry) -> Bool {
        var texts = [
            "MESSAGE=\(entry.message)", "PRIORITY=\(entry.priority.rawValue)", "SYSLOG_IDENTIFIER=\(entry.identifier)",
        ]
        if let messageID = entry.messageID { texts.append("MESSAGE_ID=\(messageID)") }
        texts += entry.fields.map { "\($0.name)=\($0.value)" }
        let lengths = texts.map(\.utf8.count)
        var bytes = Array(texts.joined().utf8)
        return bytes.withUnsafeMutableBytes { buffer in
            var vectors: [iovec] = []
            var offset = 0
            for length in lengths {
                vectors.append(iovec(iov_base: buffer.baseAddress! + offset, iov_len: length))
                offset += length
            }
            return sd_journal_sendv(vectors, Int32(vectors.count)) == 0
        }
    }

    /// `<N>message`, sd-daemon(3)'s prefixes, which a journal or a container's log reader understands; plain on a terminal.
    private static func writeToStderr(_ entry: JournalEntry) {
        let isTerminal = isatty(STDERR_FILENO) == 1
        var text = ""
        for line in entry.message.split(whereSeparator: \.isNewline) {
            text += isTerminal ? "\(entry.identifier): \(line)\n" : "<\(entry.priority.rawValue)>\(line)\n"
        }
        // Nobody is left to tell when stderr is gone.
        _ = Array(text.utf8).withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
