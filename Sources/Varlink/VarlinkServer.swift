internal import CPlatform
internal import Dispatch
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
    private let isReportingAnswers: @Sendable () -> Bool
    private let loop = SocketLoop.shared
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

    /// `limitInterface` is the interface that declares the errors of `LimitErrors`. `answered` is reported only while
    /// `isReportingAnswers` says so: most of the time nobody listens, and each call would pay for it.
    public init(
        product: VarlinkProduct, interfaces: [VarlinkInterface], limitInterface: String,
        limits: VarlinkLimits = VarlinkLimits(), isReportingAnswers: @escaping @Sendable () -> Bool = { false },
        report: @escaping @Sendable (VarlinkServerEvent) -> Void = { _ in }
    ) {
        limitsInForce = Guarded(limits)
        errors = LimitErrors(prefix: limitInterface)
        table = MethodTable(product: product, interfaces: interfaces)
        self.isReportingAnswers = isReportingAnswers
        self.report = report
    }

    /// What a new connection is held to, and each stream that begins.
    public var limits: VarlinkLimits {
        get { limitsInForce.withLock { $0 } }
        set { limitsInForce.withLock { $0 = newValue } }
    }

    public func start(on socket: ListeningSocket) {
        precondition(!state.withLock { $0.isStopped }, "a server starts once")
        let acceptor = Acceptor(socket: socket, restMilliseconds: limits.acceptRestMilliseconds) { result in
            switch result {
            case .success(let descriptor): self.admit(descriptor)
            case .failure(let failure): self.report(.acceptFailed(failure.errno))
            }
        }
        state.withLock { $0.stopAccepting = { acceptor.stop() } }
        acceptor.start()
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

    /// Returns when the thread that serves the connections has come to it: whoever watches over the server asks this.
    public func roundTrip() async {
        await withCheckedContinuation { continuation in loop.submit { continuation.resume() } }
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

    func begin(_ frame: ArraySlice<UInt8>, of peer: VarlinkPeer, _ output: inout OutputBuffer) -> CallBeginning {
        let started = isReportingAnswers() ? DispatchTime.now().uptimeNanoseconds : 0
        return frame.withUnsafeBytes { bytes in
            let head: CallHead
            do throws(MalformedCall) {
                head = try CallScanner.scan(bytes)
            } catch {
                return .fatal(errors.malformedCall(error.message))
            }
            let mark = output.end
            do {
                let method = try table.method(for: head)
                if !head.more, let answer = method.answerAtOnce, try answer(peer, &output) {
                    if output.end - mark > limits.replyBytesMax { throw errors.replyTooLarge(limits.replyBytesMax) }
                    output.append(0)
                } else {
                    return .waits(WaitingCall(head: head, method: method, frame: bytes, started: started))
                }
                reportAnswer(peer, head, nil, started)
            } catch {
                let error = failure(error, of: head, peer)
                output.truncate(to: mark)
                output.append(Array(error.frame))
                output.append(0)
                reportAnswer(peer, head, error, started)
            }
            if head.oneway { output.truncate(to: mark) }
            return .answered
        }
    }

    func answer(_ call: WaitingCall, on connection: VarlinkConnection) async -> [UInt8]? {
        let streaming = Guarded(false)
        defer { if streaming.withLock({ $0 }) { state.withLock { $0.streams.leave(connection.peer.uid) } } }
        let head = call.head
        let context = CallContext(
            parameters: call.parameters, peer: connection.peer, wantsMore: head.more && !head.oneway,
            isOneway: head.oneway, replyBytesMax: limits.replyBytesMax, errors: errors, types: call.method.types,
            send: { bytes in
                try self.enterStream(streaming, connection.peer.uid)
                try await connection.send(bytes)
            })
        do {
            let reply = try await call.method.run(context)
            reportAnswer(connection.peer, head, nil, call.started)
            return head.oneway ? nil : reply
        } catch {
            let error = failure(error, of: head, connection.peer)
            reportAnswer(connection.peer, head, error, call.started)
            return head.oneway ? nil : Array(error.frame)
        }
    }

    private func reportAnswer(_ peer: VarlinkPeer, _ head: CallHead, _ error: VarlinkError?, _ started: UInt64) {
        // Not the time of calls that began before anybody listened.
        guard started > 0 else { return }
        let elapsed = DispatchTime.now().uptimeNanoseconds - started
        report(.answered(peer, method: head.method, error: error, nanoseconds: elapsed))
    }

    /// What a client is told of an error that a handler threw.
    private func failure(_ error: any Error, of head: CallHead, _ peer: VarlinkPeer) -> VarlinkError {
        switch error {
        case let error as VarlinkError: return error
        case is CancellationError: return errors.internalError("the call was cancelled")
        default:
            report(.failed(peer, method: head.method, description: "\(error)"))
            return errors.internalError("\(error)")
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
