public import Logging
public import Systemd

/// swift-log's door to the journal. Metadata whose key is a journal field's name becomes that field, `MESSAGE_ID` the
/// catalog's key.
public struct JournalLogHandler: LogHandler {
    /// SYSLOG_IDENTIFIER.
    let identifier: String
    let target: LogTarget
    public var logLevel: Logger.Level
    public var metadata: Logger.Metadata = [:]
    public var metadataProvider: Logger.MetadataProvider?

    public init(identifier: String, target: LogTarget, level: Logger.Level) {
        self.identifier = identifier
        self.target = target
        logLevel = level
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
        target.write(entry)
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
