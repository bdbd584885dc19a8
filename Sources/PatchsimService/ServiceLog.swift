internal import PatchsimInterface
public import Logging
internal import Varlink

/// The kinds of journal entries that the service makes. Each has a MESSAGE_ID that never changes, for `journalctl -x` and
/// for filters.
public enum MessageID: String, Sendable, CaseIterable {
    case started = "5f0c8a7d6b1e4a0f9d2c3b4a5e6f7081"
    case stopped = "a2f4c6e80b1d4f3a8c7e9d0b2a4c6e81"
    case changed = "3c9e1f7a5d2b4e68a0c4f6b8d1e3a582"
    case refused = "7b1d3f5a9c2e4086b4d6f8a1c3e5b783"
    case violation = "d8e0a2c4f6b14d3ea5c7e9f1b3d5a784"
    case entrySkipped = "1e3a5c7d9f0b4284a6c8eaf2d4b69885"
    case failed = "96b8daf0c2e44618b0d2f4a6c8eab086"
    case imageLoaded = "0b7d9f1a3c5e4f8692b4d6e8fa1c3e58"
    case connections = "e4a6c8d0f2b3451789abcdef01325487"
}

/// What the service tells the administrator.
public struct ServiceLog: Sendable {
    let logger: Logger

    public init(_ logger: Logger) {
        self.logger = logger
    }

    /// An entry of a kind; `fields` are journal fields, `PATCHSIM_SYMBOL` ...
    public func write(
        _ level: Logger.Level, _ id: MessageID, _ message: String, fields: [String: String] = [:],
        file: String = #fileID, function: String = #function, line: UInt = #line
    ) {
        var metadata: Logger.Metadata = ["MESSAGE_ID": .string(id.rawValue)]
        for (name, value) in fields { metadata[name] = .string(value) }
        logger.log(
            level: level, "\(message)", metadata: metadata, file: file, function: function, line: line)
    }

    func changed(_ action: ServiceAction, _ peer: VarlinkPeer) {
        write(.notice, .changed, "\(action.summary), asked by uid \(peer.uid)", fields: Self.fields(peer))
    }

    func refused(_ action: ServiceAction, _ fault: any InterfaceFault, _ peer: VarlinkPeer) {
        // Only refused changes are news; a client that looks for a symbol that isn't there is none.
        write(
            action.isChange ? .notice : .debug, .refused, "Refused: \(action.summary): \(fault.message)",
            fields: Self.fields(peer))
    }

    func server(_ event: VarlinkServerEvent) {
        switch event {
        case .opened(let peer):
            write(.debug, .connections, "Connection \(peer.connection) opened", fields: Self.fields(peer))
        case .closed(let peer):
            write(.debug, .connections, "Connection \(peer.connection) closed", fields: Self.fields(peer))
        case .refused(let peer, let error):
            write(.warning, .connections, "Connection refused: \(error)", fields: Self.fields(peer))
        case .answered(let peer, let method, let error, let nanoseconds):
            let outcome = error.map { $0.name } ?? "ok"
            write(.trace, .connections, "\(method): \(outcome) in \(nanoseconds) ns", fields: Self.fields(peer))
        case .failed(let peer, let method, let description):
            write(.error, .failed, "\(method) failed: \(description)", fields: Self.fields(peer))
        case .acceptFailed(let errno):
            write(.error, .failed, "No connection can be accepted: errno \(errno)")
        }
    }

    private static func fields(_ peer: VarlinkPeer) -> [String: String] {
        ["PATCHSIM_PEER_PID": "\(peer.pid)", "PATCHSIM_PEER_UID": "\(peer.uid)", "PATCHSIM_PEER_GID": "\(peer.gid)"]
    }
}
