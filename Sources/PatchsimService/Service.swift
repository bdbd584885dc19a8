internal import Configuration
internal import Locking
public import FindingStore
internal import SimulationRuntime
public import Systemd
public import Varlink

/// The daemon as a library: a backend behind a socket.
public final class Service: Sendable {
    public static let version = "0.1.0"
    /// There is no home on the web; the manual comes with the program.
    static let url = "man:patchsimd(8)"

    private let backend: any ServiceBackend
    private let server: VarlinkServer
    private let log: ServiceLog
    private let manager: ServiceManager
    private let status: StatusLine
    private let watchdog: Watchdog

    /// `startedAt` is Unix time in seconds. The service follows `settings` when they change.
    public init(
        backend: any ServiceBackend, store: FindingStore, log: ServiceLog, startedAt: Int,
        settings: LiveSettings = LiveSettings(),
        access: AccessRules = AccessRules(), limits: VarlinkLimits = VarlinkLimits(),
        heavyCallsPerUserMax: Int = ServiceLimits.heavyCallsPerUserMax, manager: ServiceManager = .absent
    ) {
        self.backend = backend
        self.log = log
        let performer = ServicePerformer(
            backend: backend, findings: FindingsPerformer(store: store), version: Self.version, startedAt: startedAt,
            settings: settings)
        self.manager = manager
        let status = StatusLine(manager) { try await backend.state() }
        self.status = status
        let heavy = HeavyCalls(
            perUserMax: heavyCallsPerUserMax, usersWithoutLimits: limits.usersWithoutLimits)
        let rules = Guarded(access)
        let interfaces = ServiceInterfaces(
            performer: performer, log: log, status: status, access: rules, heavy: heavy)
        let server = VarlinkServer(
            product: VarlinkProduct(
                vendor: "The patchsim authors", product: "patchsimd", version: Self.version, url: Self.url),
            interfaces: interfaces.all(), limitInterface: "io.patchsim.Service", limits: limits,
            isReportingAnswers: { log.isReportingAnswers }
        ) { event in
            if case .closed(let peer) = event { performer.snapshots.keep(nil, connection: peer.connection) }
            log.server(event)
        }
        self.server = server
        watchdog = Watchdog(
            WatchedService(
                drivers: { await backend.driverProgress() }, commands: { backend.commandProgress },
                control: { await server.roundTrip() }),
            log: log, feed: { manager.watchdog() })
        settings.report(to: log)
        settings.onReload { $0 ? manager.reloading() : manager.reloaded() }
        settings.follow { before, after in
            if before.limits != after.limits {
                server.limits.take(after.limits)
                heavy.perUserMax = after.limits.callsPerUser
            }
            if before.access != after.access { rules.withLock { $0 = $0.with(group: after.access.group) } }
            if before.instructionsPerSecond != after.instructionsPerSecond || before.interrupts != after.interrupts {
                await backend.setRates(after)
            }
        }
    }

    public func start(on socket: ListeningSocket) {
        server.start(on: socket)
        status.start()
        if let timeout = manager.watchdogMicroseconds { watchdog.start(timeoutMicroseconds: timeout) }
    }

    /// Ends subscriptions, closes the socket and stops the machine.
    public func stop() async {
        status.stop()
        watchdog.stop()
        backend.events.finish()
        server.stop()
        await backend.stop()
    }
}
