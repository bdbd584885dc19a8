internal import Glibc
public import Logging
public import PatchsimInterface
public import Systemd
public import Varlink

/// What the service tells the administrator.
public struct ServiceLog: Sendable {
    /// SYSLOG_IDENTIFIER of the daemon's own entries.
    public static let identifier = "patchsimd"

    /// SYSLOG_IDENTIFIER of the simulated kernel's log.
    public static let kernelIdentifier = "patchsim-kernel"

    let logger: Logger
    /// For the simulated kernel's log; without it that stays in the kernel's own files.
    let kernel: Logger?
    private let gate = LogGate()

    public init(_ logger: Logger, kernel: Logger? = nil) {
        self.logger = logger
        self.kernel = kernel
    }

    /// An entry of a kind, unless there were too many of it. `fields` holds at least those of `MessageID.fields`; `client` is
    /// who caused it.
    public func write(
        _ level: Logger.Level, _ id: MessageID, _ message: String, fields: [LogField: String] = [:],
        client: VarlinkPeer? = nil, file: String = #fileID, function: String = #function, line: UInt = #line
    ) {
        guard logger.logLevel <= level, gate.admits(id, user: client?.uid, tell: { suppressed($0) }) else { return }
        var metadata: Logger.Metadata = ["MESSAGE_ID": .string(id.rawValue)]
        for (field, value) in fields { metadata[field.rawValue] = .string(value) }
        if let client {
            metadata[LogField.clientPID.rawValue] = .stringConvertible(client.pid)
            metadata[LogField.clientUID.rawValue] = .stringConvertible(client.uid)
            metadata[LogField.clientGID.rawValue] = .stringConvertible(client.gid)
        }
        logger.log(
            level: level, "\(message)", metadata: metadata, file: file, function: function, line: line)
    }

    /// The entry that says how many the journal didn't take; LogWriter sends it by itself.
    public static func lostEntry(count: Int) -> JournalEntry {
        JournalEntry(
            priority: .warning, message: "\(count) entries were lost while the journal was away",
            identifier: identifier, messageID: MessageID.entriesLost.rawValue,
            fields: [JournalField(LogField.count.rawValue, "\(count)")].compactMap { $0 })
    }

    public func journalMissing() {
        write(
            .warning, .journalMissing,
            "No journal listens on \(LogTarget.journalSocket); entries go to standard error")
    }

    private func suppressed(_ summary: LogRates.Summary) {
        let user = summary.key.user
        let place = user.map { " of uid \($0)" } ?? ""
        var fields: [LogField: String] = [.kind: summary.key.id.name, .count: "\(summary.count)"]
        if let user { fields[.clientUID] = "\(user)" }
        write(
            .notice, .entriesSuppressed,
            "\(summary.count) similar entries suppressed: \(summary.key.id.name)\(place)", fields: fields)
    }

    /// Says what was left out and not said yet; called when the daemon ends.
    public func finish() {
        for summary in gate.remaining() { suppressed(summary) }
    }

    // MARK: What clients ask for

    func changed(_ action: ServiceAction, _ peer: VarlinkPeer) {
        write(
            .notice, action.messageID, "\(action.summary), asked by uid \(peer.uid)", fields: action.logFields,
            client: peer)
    }

    func refused(_ action: ServiceAction, _ fault: any InterfaceFault, _ peer: VarlinkPeer) {
        refused(action, reason: fault.message, error: type(of: fault).name, peer)
    }

    /// `error` is the error's name on the wire.
    func refused(_ action: ServiceAction, reason: String, error: String, _ peer: VarlinkPeer) {
        var fields = action.logFields
        fields[.reason] = reason
        fields[.error] = error
        // Only refused changes are news; a client that looks for a symbol that isn't there is none.
        write(
            action.isChange ? .notice : .debug, .refused,
            "Refused: \(action.summary), asked by uid \(peer.uid): \(reason)", fields: fields, client: peer)
    }

    /// A change by somebody who may only read.
    func denied(_ action: ServiceAction, _ peer: VarlinkPeer) {
        let comm = Self.comm(peer)
        var fields = action.logFields
        fields[.clientComm] = comm
        write(
            .warning, .accessDenied,
            "Denied: \(action.summary): uid \(peer.uid) (pid \(peer.pid), \(comm)) may only read",
            fields: fields, client: peer)
    }

    /// The peer's command as it is now, `?` where it can't be told: the process may be gone, or hidden from this one.
    private static func comm(_ peer: VarlinkPeer) -> String {
        let descriptor = open("/proc/\(peer.pid)/comm", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "?" }
        defer { close(descriptor) }
        let bytes = withUnsafeTemporaryAllocation(byteCount: 64, alignment: 1) { buffer in
            let count = read(descriptor, buffer.baseAddress, buffer.count)
            return Array(buffer.prefix(max(count, 0)))
        }
        let text = String(decoding: bytes.last == UInt8(ascii: "\n") ? bytes.dropLast() : bytes[...], as: UTF8.self)
        // A process names itself as it likes; line ends would forge entries on stderr.
        let shown = String(text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7f ? "?" : Character($0) })
        return shown.isEmpty ? "?" : shown
    }

    /// Whether an entry for every call is wanted.
    var isReportingAnswers: Bool {
        logger.logLevel <= .trace
    }

    func server(_ event: VarlinkServerEvent) {
        switch event {
        case .opened(let peer): write(.debug, .connection, "Connection \(peer.connection) opened", client: peer)
        case .closed(let peer): write(.debug, .connection, "Connection \(peer.connection) closed", client: peer)
        case .refused(let peer, let error):
            write(
                .warning, .connectionRefused, "Connection of uid \(peer.uid) refused: \(error)",
                fields: [.reason: "\(error)", .error: error.name], client: peer)
        case .answered(let peer, let method, let error, let nanoseconds):
            let outcome = error.map { $0.name } ?? "ok"
            write(
                .trace, .connection, "\(method): \(outcome) in \(nanoseconds) ns", fields: [.method: method],
                client: peer)
        case .failed(let peer, let method, let description):
            write(
                .error, .failed, "\(method) failed: \(description)", fields: [.method: method, .reason: description],
                client: peer)
        case .acceptFailed(let errno):
            let reason = String(cString: strerror(errno))
            write(.error, .acceptFailed, "No connection can be accepted: \(reason)", fields: [.reason: reason])
        }
    }
}

extension ServiceAction {
    /// The kind of the entry that says that it was done.
    var messageID: MessageID {
        switch self {
        case .pause, .resume, .step: .machineChanged
        case .deleteFindings: .findingsDeleted
        case .reload, .setLogLevel: .configurationChanged
        default: .tracerChanged
        }
    }

    /// What it is about, as fields.
    var logFields: [LogField: String] {
        var fields: [LogField: String] = [.action: summary]
        switch self {
        case .writeFile(let path, let text, _):
            fields[.path] = path
            fields[.text] = text
        case .makeDirectory(let path), .removeDirectory(let path): fields[.path] = path
        case .step(let cpu?, _, _): fields[.cpu] = "\(cpu)"
        default: break
        }
        return fields
    }
}
