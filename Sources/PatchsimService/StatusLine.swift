internal import Dispatch
internal import Locking
internal import PatchsimInterface
internal import Systemd

/// STATUS= of sd_notify: what the daemon is doing, for `systemctl status`. It is looked at once a second, since what it tells
/// also changes without anybody asking: a violation stops the machine.
final class StatusLine: Sendable {
    static let periodMilliseconds = 1000

    private let manager: ServiceManager
    private let state: @Sendable () async throws -> MachineState
    private let queue = DispatchQueue(label: "io.patchsim.status", qos: .utility)
    private let told = Guarded("")
    private let pausedBy = Guarded<UInt32?>(nil)
    private let stopTimer = Guarded<(@Sendable () -> Void)?>(nil)

    init(_ manager: ServiceManager, state: @escaping @Sendable () async throws -> MachineState) {
        self.manager = manager
        self.state = state
    }

    func start() {
        guard manager.isPresent else { return }
        let source = DispatchSource.makeTimerSource(queue: queue)
        source.setEventHandler { [weak self] in
            guard let self else { return }
            Task { await self.refresh() }
        }
        source.schedule(
            deadline: .now(), repeating: .milliseconds(Self.periodMilliseconds),
            leeway: .milliseconds(Self.periodMilliseconds / 10))
        source.resume()
        // The source is a reference that is thread-safe by itself.
        nonisolated(unsafe) let stopped = source
        stopTimer.withLock { $0 = { stopped.cancel() } }
    }

    func stop() {
        let stop = stopTimer.withLock { stop in
            defer { stop = nil }
            return stop
        }
        stop?()
    }

    /// A client's action is done.
    func changed(_ action: ServiceAction, byUser uid: UInt32) {
        switch action {
        case .pause: pausedBy.withLock { $0 = uid }
        case .resume: pausedBy.withLock { $0 = nil }
        default: break
        }
    }

    /// Tells the manager what has become of it.
    func refresh() async {
        guard let state = try? await state() else { return }
        let text = Self.text(state, pausedBy: pausedBy.withLock { $0 })
        let isNew = told.withLock { told in
            defer { told = text }
            return told != text
        }
        // A daemon that is stopping has said so already.
        if isNew, stopTimer.withLock({ $0 != nil }) { manager.status(text) }
    }

    static func text(_ state: MachineState, pausedBy: UInt32?) -> String {
        let machine = "\(state.kernel) on \(state.cpuCount) CPUs"
        let tracing =
            state.enabledSites == 0 ? "" : ", \(state.enabledSites) sites traced by \(state.tracer)"
        return switch state.run {
        case .running: "Running \(machine)\(tracing)"
        case .paused: "Paused\(pausedBy.map { " by uid \($0)" } ?? ""): \(machine)\(tracing)"
        case .stoppedByViolation: "Stopped by a violation: \(machine)\(tracing); see patchsimctl verdict"
        }
    }
}
