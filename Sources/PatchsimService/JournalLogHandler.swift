internal import Locking
public import Logging
internal import PatchsimInterface
public import Systemd

/// The least severity that is logged, shared by all loggers and changed while they are used.
public final class LogThreshold: Sendable {
    private let value: Guarded<Logger.Level>

    public init(_ level: Logger.Level) {
        value = Guarded(level)
    }

    public var level: Logger.Level {
        get { value.withLock { $0 } }
        set { value.withLock { $0 = newValue } }
    }
}

/// swift-log's door to the journal. Metadata whose key is a journal field's name becomes that field, `MESSAGE_ID` the
/// catalog's key.
public struct JournalLogHandler: LogHandler {
    /// SYSLOG_IDENTIFIER.
    let identifier: String
    let writer: LogWriter
    /// What decides unless a logger has a level of its own.
    private let threshold: LogThreshold
    private var ownLevel: Logger.Level?
    public var metadata: Logger.Metadata
    public var metadataProvider: Logger.MetadataProvider?

    /// `run` is the PATCHSIM_RUN of all entries.
    public init(identifier: String, writer: LogWriter, threshold: LogThreshold, run: String) {
        self.identifier = identifier
        self.writer = writer
        self.threshold = threshold
        metadata = [LogField.run.rawValue: .string(run)]
    }

    public var logLevel: Logger.Level {
        get { ownLevel ?? threshold.level }
        set { ownLevel = newValue }
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { $1 } }
        if let own = event.metadata { all.merge(own) { $1 } }
        let messageID = all.removeValue(forKey: "MESSAGE_ID").map { "\($0)" }
        var entry = JournalEntry(
            priority: Self.priority(event.level), message: event.message.description, identifier: identifier,
            messageID: messageID)
        for (key, value) in all.sorted(by: { $0.key < $1.key }) {
            if let field = JournalField(key, "\(value)") { entry.fields.append(field) }
        }
        let place = [("CODE_FILE", event.file), ("CODE_LINE", "\(event.line)"), ("CODE_FUNC", event.function)]
        entry.fields += place.compactMap { JournalField($0.0, $0.1) }
        writer.write(entry)
    }

    private static func priority(_ level: Logger.Level) -> JournalPriority {
        switch level {
        case .trace, .debug: .debug
        case .info: .info
        case .notice: .notice
        case .warning: .warning
        case .error: .error
        case .critical: .critical
        }
    }
}
