public import Varlink

/// The daemon as a library: a backend behind a socket.
public final class Service: Sendable {
    public static let version = "0.1.0"
    /// There is no home on the web; the manual comes with the program.
    static let url = "man:patchsimd(8)"

    private let backend: any ServiceBackend
    private let server: VarlinkServer
    private let log: ServiceLog

    /// `startedAt` is Unix time in seconds.
    public init(
        backend: any ServiceBackend, log: ServiceLog, startedAt: Int, limits: VarlinkLimits = VarlinkLimits()
    ) {
        self.backend = backend
        self.log = log
        let performer = ServicePerformer(backend: backend, version: Self.version, startedAt: startedAt)
        let interfaces = ServiceInterfaces(performer: performer, log: log)
        server = VarlinkServer(
            product: VarlinkProduct(
                vendor: "The patchsim authors", product: "patchsimd", version: Self.version, url: Self.url),
            interfaces: interfaces.all(), limitInterface: "io.patchsim.Service", limits: limits
        ) { event in
            if case .closed(let peer) = event { performer.snapshots.keep(nil, connection: peer.connection) }
            log.server(event)
        }
    }

    public func start(on socket: ListeningSocket) {
        server.start(on: socket)
    }

    /// Ends subscriptions, closes the socket and stops the machine.
    public func stop() async {
        backend.events.finish()
        server.stop()
        await backend.stop()
    }
}
