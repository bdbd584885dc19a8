internal import CPlatform
internal import Dispatch
internal import Glibc

/// Why no connection could be accepted.
struct AcceptFailure: Error {
    let errno: Int32
}

/// Accepts the connections of a listening socket on the loop, until it is stopped.
final class Acceptor: LoopClient {
    /// Connections accepted in one turn; others have theirs in between.
    private static let connectionsPerTurn = 16

    private let socket: ListeningSocket
    private let restMilliseconds: Int
    private let accepted: @Sendable (Result<Int32, AcceptFailure>) -> Void
    private let loop = SocketLoop.shared

    init(
        socket: ListeningSocket, restMilliseconds: Int,
        accepted: @escaping @Sendable (Result<Int32, AcceptFailure>) -> Void
    ) {
        self.socket = socket
        self.restMilliseconds = restMilliseconds
        self.accepted = accepted
    }

    func start() {
        loop.submit { [self] in
            if !loop.watch(socket.descriptor, EPOLLIN.rawValue, self) {
                accepted(.failure(AcceptFailure(errno: errno)))
            }
        }
    }

    /// Closes the socket and removes the file that this process made.
    func stop() {
        loop.submit { [self] in
            loop.unwatch(socket.descriptor)
            close(socket.descriptor)
            if let path = socket.path { unlink(path) }
        }
    }

    func ready(_ events: UInt32) {
        for _ in 0..<Self.connectionsPerTurn {
            let descriptor = patchsim_accept(socket.descriptor)
            if descriptor >= 0 {
                accepted(.success(descriptor))
                continue
            }
            switch -descriptor {
            case EAGAIN: return
            case EINTR, ECONNABORTED: continue
            default:
                // Out of descriptors or memory: the connection stays in the backlog, and trying at once would spin.
                accepted(.failure(AcceptFailure(errno: -descriptor)))
                return rest()
            }
        }
    }

    func goOn() {}

    private func rest() {
        loop.change(socket.descriptor, 0, of: self)
        DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(restMilliseconds)) { [weak self] in
            guard let self else { return }
            self.loop.submit { self.loop.change(self.socket.descriptor, EPOLLIN.rawValue, of: self) }
        }
    }
}
