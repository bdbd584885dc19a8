internal import Configuration
internal import FindingStore
internal import Glibc
internal import Logging
internal import PatchsimInterface
internal import PatchsimService
internal import Systemd
internal import Varlink

extension LogSettings.Target {
    fileprivate var wanted: LogTarget {
        switch self {
        case .automatic: LogTarget.detect()
        case .journal: .journal
        case .stderr: .stderr
        }
    }
}

/// From settings to the clean stop.
struct DaemonRun {
    let sources: ConfigurationSources
    let loaded: LoadedConfiguration
    let socketPath: String?

    func run() async throws(ServiceStartError) {
        // The configuration was read just now: one that asks for it again this early is not to end the process.
        signal(SIGHUP, SIG_IGN)
        let live = LiveSettings(loaded, reread: sources.load)
        let (log, writer) = makeLog(live)
        defer { writer.finish() }
        do {
            try await serve(live, log, writer)
        } catch {
            // On stderr whoever started the daemon gets the one line that all programs give.
            if writer.target == .journal {
                log.write(
                    .error, .startFailed, "Could not start: \(error.message)", fields: [.reason: error.message])
            }
            throw error
        }
    }

    private func serve(_ live: LiveSettings, _ log: ServiceLog, _ writer: LogWriter) async throws(ServiceStartError) {
        let settings = loaded.settings
        // The socket comes first: a second daemon should not load a kernel only to find the place taken.
        let socket = try listeningSocket()
        let manager = ServiceManager.fromEnvironment()
        let signals = DaemonSignals { signal in
            manager.stopping()
            if let path = socket.path { unlink(path) }
            log.write(.notice, .stopped, "Stopped by \(signal) before it was ready", fields: [.reason: signal])
            writer.finish()
            // The image is still being loaded on another thread, which would see what exit() takes away.
            _exit(EXIT_SUCCESS)
        }
        let backend: any ServiceBackend
        let store: FindingStore
        do {
            try SelfTest.run(log)
            let start = LongStart(manager, status: "Loading kernel \(settings.kernel)")
            defer { start.end() }
            let isUsers = socketPath == nil && socket.path != nil && geteuid() != 0
            store = try openStore(settings.stateDirectory, log, isOnUsersSocket: isUsers)
            backend = try await makeSimulationBackend(settings: settings, log: log, store: store)
        } catch {
            if let path = socket.path { unlink(path) }
            throw error
        }
        signals.startIsOver()
        let service = Service(
            backend: backend, store: store, log: log, startedAt: time(nil), settings: live,
            access: AccessRules(group: settings.access.group), limits: VarlinkLimits(settings.limits),
            heavyCallsPerUserMax: settings.limits.callsPerUser, manager: manager)
        service.start(on: socket)
        if store.path == nil { log.nothingIsKept() }
        let place = socket.path ?? "the socket that was passed"
        log.write(
            .notice, .started,
            "patchsimd \(Service.version): \(settings.kernel) on \(settings.cpus) CPUs, \(settings.driver.rawValue); on \(place)",
            fields: [
                .version: Service.version, .kernel: settings.kernel, .seed: "\(settings.seed)",
                .design: settings.designText, .socket: place,
            ])
        manager.ready(status: "Running \(settings.kernel) on \(settings.cpus) CPUs")
        let reloads = Task {
            for await _ in signals.hangups { await live.reload(askedBy: "SIGHUP") }
        }
        let signal = await signals.stop()
        reloads.cancel()
        manager.stopping()
        await service.stop()
        store.close()
        if let path = socket.path { unlink(path) }
        log.finish()
        log.write(.notice, .stopped, "Stopped by \(signal)", fields: [.reason: signal])
    }

    private func makeLog(_ live: LiveSettings) -> (ServiceLog, LogWriter) {
        let wanted = loaded.settings.log.target.wanted
        let isMissing = wanted == .journal && !LogTarget.journalIsPresent
        let writer = LogWriter(
            target: isMissing ? .stderr : wanted, identifier: ServiceLog.identifier,
            lostEntry: { ServiceLog.lostEntry(count: $0) })
        let threshold = LogThreshold(loaded.settings.log.level.loggerLevel)
        live.follow { _, after in threshold.level = after.log.level.loggerLevel }
        let run = RunID.random()
        LoggingSystem.bootstrap {
            JournalLogHandler(identifier: $0, writer: writer, threshold: threshold, run: run)
        }
        let log = ServiceLog(Logger(label: ServiceLog.identifier), kernel: Logger(label: ServiceLog.kernelIdentifier))
        if isMissing { log.journalMissing() }
        return (log, writer)
    }

    private func openStore(
        _ place: StateDirectory, _ log: ServiceLog, isOnUsersSocket: Bool
    ) throws(ServiceStartError) -> FindingStore {
        var environment: [String: String] = [:]
        for name in ["STATE_DIRECTORY", "XDG_STATE_HOME", "HOME"] {
            environment[name] = getenv(name).map { String(cString: $0) }
        }
        let directory = place.path(environment: environment, isOnUsersSocket: isOnUsersSocket)
        do {
            return try FindingStore(directory: directory) { log.store($0) }
        } catch {
            throw ServiceStartError(.unavailable, error.description)
        }
    }

    private func listeningSocket() throws(ServiceStartError) -> ListeningSocket {
        let passed: [PassedDescriptor]
        do {
            passed = try PassedDescriptor.takeAll()
        } catch {
            throw ServiceStartError(.system, error.description)
        }
        do {
            if let first = passed.first {
                guard passed.count == 1 else {
                    throw ServiceStartError(.usage, "\(passed.count) descriptors were passed; one socket is served")
                }
                return try ListeningSocket(adopting: first.descriptor)
            }
            return try ListeningSocket(path: try path())
        } catch let error as ServiceStartError {
            throw error
        } catch ListeningError.inUse(let path) {
            throw ServiceStartError(.unavailable, ListeningError.inUse(path: path).description)
        } catch {
            throw ServiceStartError(.system, "\(error)")
        }
    }

    private func path() throws(ServiceStartError) -> String {
        if let socketPath { return socketPath }
        let runtime = getenv("XDG_RUNTIME_DIR").map { String(cString: $0) }
        guard let path = SocketPath.listening(isRoot: geteuid() == 0, runtimeDirectory: runtime) else {
            throw ServiceStartError(.usage, "there is no XDG_RUNTIME_DIR to put a socket into; use --socket PATH")
        }
        let directory = path.split(separator: "/").dropLast().reduce(into: "") { $0 += "/" + $1 }
        guard mkdir(directory, 0o755) == 0 || errno == EEXIST else {
            throw ServiceStartError(.system, "\(directory): \(String(cString: strerror(errno)))")
        }
        return path
    }
}
