internal import CPlatform
internal import Dispatch
internal import FoundationEssentials
internal import Glibc
internal import Locking

/// What happens in a server, for whoever logs.
public enum VarlinkServerEvent: Sendable {
    case opened(VarlinkPeer)
    case closed(VarlinkPeer)
    /// A connection that was not served.
    case refused(VarlinkPeer, VarlinkError)
    case answered(VarlinkPeer, method: String, error: VarlinkError?, nanoseconds: UInt64)
    /// An error that no handler should throw.
    case failed(VarlinkPeer, method: String, description: String)
    /// accept() failed with an errno; it is tried again.
    case acceptFailed(Int32)
}

/// What org.varlink.service.GetInfo tells.
public struct VarlinkProduct: Codable, Sendable {
    public var vendor: String
    public var product: String
    public var version: String
    public var url: String

    public init(vendor: String, product: String, version: String, url: String) {
        self.vendor = vendor
        self.product = product
        self.version = version
        self.url = url
    }
}

/// Answers Varlink calls on a Unix socket.
public final class VarlinkServer: Sendable {
    private let limitsInForce: Guarded<VarlinkLimits>
    let errors: LimitErrors
    let table: MethodTable
    let report: @Sendable (VarlinkServerEvent) -> Void
    private let queue = DispatchQueue(label: "io.patchsim.varlink.accept")
    private let state = Guarded(State())

    private struct State {
        var connections: [Int: VarlinkConnection] = [:]
        var connectionsMade = 0
        var served = UserCounts()
        var streams = UserCounts()
        /// Connections that were refused and linger, and how many of them each user has.
        var refused: Set<Int> = []
        var refusals = UserCounts()
        var stopAccepting: (@Sendable () -> Void)?
        var isStopped = false
    }

    /// `limitInterface` is the interface that declares the errors of `LimitErrors`.
    public init(
        product: VarlinkProduct, interfaces: [VarlinkInterface], limitInterface: String,
        limits: VarlinkLimits = VarlinkLimits(), report: @escaping @Sendable (VarlinkServerEvent) -> Void = { _ in }
    ) {
        limitsInForce = Guarded(limits)
        errors = LimitErrors(prefix: limitInterface)
        table = MethodTable(product: product, interfaces: interfaces)
        self.report = report
    }

    /// What a new connection is held to, and each stream that begins.
    public var limits: VarlinkLimits {
        get { limitsInForce.withLock { $0 } }
        set { limitsInForce.withLock { $0 = newValue } }
    }

    public func start(on socket: ListeningSocket) {
        precondition(!state.withLock { $0.isStopped }, "a server starts once")
        let source = DispatchSource.makeReadSource(fileDescriptor: socket.descriptor, queue: queue)
        let listening = socket.descriptor
        source.setEventHandler { self.acceptAll(listening, source) }
        source.setCancelHandler {
            close(listening)
            if let path = socket.path { unlink(path) }
        }
        // The source is a reference that is thread-safe by itself.
        nonisolated(unsafe) let stopped = source
        state.withLock { $0.stopAccepting = { stopped.cancel() } }
        source.resume()
    }

    /// Accepts no more, and closes all connections; what they run is cancelled.
    public func stop() {
        let (stopAccepting, connections) = state.withLock { state in
            state.isStopped = true
            defer { state.stopAccepting = nil }
            return (state.stopAccepting, Array(state.connections.values))
        }
        stopAccepting?()
        for connection in connections { connection.stop() }
    }

    public var connectionCount: Int {
        state.withLock { $0.connections.count }
    }

    /// Returns when the queue that accepts connections has come to it: whoever watches over the server asks this.
    public func roundTrip() async {
        await withCheckedContinuation { continuation in queue.async { continuation.resume() } }
    }

    private func acceptAll(_ listening: Int32, _ source: any DispatchSourceRead) {
        while true {
            let descriptor = patchsim_accept(listening)
            if descriptor >= 0 {
                admit(descriptor)
                continue
            }
            switch -descriptor {
            case EAGAIN: return
            case EINTR, ECONNABORTED: continue
            default:
                // Out of descriptors or memory: the connection stays in the backlog, and trying at once would spin.
                report(.acceptFailed(-descriptor))
                rest(source)
                return
            }
        }
    }

    private func rest(_ source: any DispatchSourceRead) {
        source.suspend()
        // The source is a reference that is thread-safe by itself.
        nonisolated(unsafe) let resting = source
        queue.asyncAfter(deadline: .now() + .milliseconds(limits.acceptRestMilliseconds)) { resting.resume() }
    }

    private func admit(_ descriptor: Int32) {
        let number = state.withLock { state in
            state.connectionsMade += 1
            return state.connectionsMade
        }
        let connection = VarlinkConnection(
            descriptor: descriptor, peer: VarlinkPeer(connection: number, descriptor: descriptor), owner: self)
        switch state.withLock({ Self.place(connection, &$0, limits, errors) }) {
        case .served:
            report(.opened(connection.peer))
            connection.start()
        case .refused(let refusal):
            report(.refused(connection.peer, refusal))
            connection.start(refusal: refusal)
        case .dropped:
            close(descriptor)
        }
    }

    private enum Place {
        case served
        /// There is no place; the peer is told.
        case refused(VarlinkError)
        /// The server has stopped, or too many are being told already.
        case dropped
    }

    private static func place(
        _ connection: VarlinkConnection, _ state: inout State, _ limits: VarlinkLimits, _ errors: LimitErrors
    ) -> Place {
        guard !state.isStopped else { return .dropped }
        let (number, uid) = (connection.peer.connection, connection.peer.uid)
        let isLimited = !limits.usersWithoutLimits.contains(uid)
        let reserved = isLimited ? min(limits.connectionsReservedMax, limits.connectionsMax / 4) : 0
        let refusal: VarlinkError
        switch state.served.enter(
            uid, max: limits.connectionsMax - reserved, perUserMax: isLimited ? limits.connectionsPerUserMax : nil)
        {
        case .entered:
            state.connections[number] = connection
            return .served
        case .userIsFull: refusal = errors.tooManyConnections(limits.connectionsPerUserMax, uid: uid)
        case .full: refusal = errors.tooManyConnections(limits.connectionsMax - reserved, uid: nil)
        }
        guard
            case .entered = state.refusals.enter(
                uid, max: limits.refusedConnectionsMax, perUserMax: limits.refusedConnectionsPerUserMax)
        else { return .dropped }
        state.connections[number] = connection
        state.refused.insert(number)
        return .refused(refusal)
    }
}

extension VarlinkServer: ConnectionOwner {
    func connectionClosed(_ connection: VarlinkConnection) {
        let peer = connection.peer
        state.withLock { state in
            guard state.connections.removeValue(forKey: peer.connection) != nil else { return }
            if state.refused.remove(peer.connection) != nil {
                state.refusals.leave(peer.uid)
            } else {
                state.served.leave(peer.uid)
            }
        }
        report(.closed(connection.peer))
    }

    func answer(_ frame: Data, on connection: VarlinkConnection) async -> CallOutcome {
        let started = DispatchTime.now().uptimeNanoseconds
        let head: CallHead
        // The decoder looks into strings only when it is asked for them.
        guard String(validating: frame, as: UTF8.self) != nil else {
            return .fatal(errors.malformedCall("is not UTF-8 text"))
        }
        do {
            head = try JSONDecoder().decode(CallHead.self, from: frame)
        } catch let error as DecodingError {
            let (path, message) = explain(error)
            return .fatal(errors.malformedCall(path.isEmpty ? message : "\(path): \(message)"))
        } catch {
            return .fatal(errors.malformedCall("\(error)"))
        }
        let streaming = Guarded(false)
        defer { if streaming.withLock({ $0 }) { state.withLock { $0.streams.leave(connection.peer.uid) } } }
        let context = CallContext(
            frame: frame, peer: connection.peer, wantsMore: head.more && !head.oneway, isOneway: head.oneway,
            replyBytesMax: limits.replyBytesMax, errors: errors,
            send: { bytes in
                try self.enterStream(streaming, connection.peer.uid)
                try await connection.send(bytes)
            })
        let result = await run(head, context)
        let elapsed = DispatchTime.now().uptimeNanoseconds - started
        switch result {
        case .success(let bytes):
            report(.answered(connection.peer, method: head.method, error: nil, nanoseconds: elapsed))
            return head.oneway ? .silent : .reply(bytes)
        case .failure(let error):
            report(.answered(connection.peer, method: head.method, error: error, nanoseconds: elapsed))
            return head.oneway ? .silent : .reply(Array(error.frame))
        }
    }

    private func run(_ head: CallHead, _ context: CallContext) async -> Result<[UInt8], VarlinkError> {
        do {
            return .success(try await table.method(for: head).run(context))
        } catch let error as VarlinkError {
            return .failure(error)
        } catch is CancellationError {
            return .failure(errors.internalError("the call was cancelled"))
        } catch {
            report(.failed(context.peer, method: head.method, description: "\(error)"))
            return .failure(errors.internalError("\(error)"))
        }
    }

    /// Counts a call as a stream at its first reply.
    private func enterStream(_ streaming: Guarded<Bool>, _ uid: UInt32) throws {
        guard !streaming.withLock({ $0 }) else { return }
        let limits = limits
        let isLimited = !limits.usersWithoutLimits.contains(uid)
        let entry = state.withLock {
            $0.streams.enter(uid, max: limits.streamsMax, perUserMax: isLimited ? limits.streamsPerUserMax : nil)
        }
        switch entry {
        case .entered: streaming.withLock { $0 = true }
        case .userIsFull: throw errors.tooManyStreams(limits.streamsPerUserMax, uid: uid)
        case .full: throw errors.tooManyStreams(limits.streamsMax, uid: nil)
        }
    }
}
