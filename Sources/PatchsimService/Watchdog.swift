internal import Dispatch
internal import Locking
internal import Logging
internal import PatchsimInterface
internal import SimulationRuntime
internal import Systemd
internal import Varlink

/// What a watchdog asks.
struct WatchedService: Sendable {
    /// How far each driver has come; returns when all have answered.
    let drivers: @Sendable () async -> [DriverProgress]
    /// Grows while a command works on the machine at rest, when drivers can't answer.
    let commands: @Sendable () -> UInt64
    /// Returns when the control loop has come to it: the queue that accepts connections.
    let control: @Sendable () async -> Void
}

/// Feeds the manager's watchdog while the daemon does its work: every driver answers, and has taken a turn since it was asked
/// last or is excused from it; and the control loop answers. A guest that is stuck takes turns: that is a finding of I5, and
/// no reason to end the daemon.
final class Watchdog: Sendable {
    /// Rounds in the time within which the manager wants to be fed. Three may be late or lost.
    static let roundsPerTimeout: UInt64 = 4

    /// Rounds without food after which the journal is told. A host that is very busy delays one.
    static let roundsUntilComplaint = 2

    private struct State {
        /// Whom the round waits for; nil when all have answered.
        var waitsFor: String?
        /// Rounds since the manager was fed.
        var hungry = 0
        var commands: UInt64 = 0
        /// Turns of each driver when it was asked last.
        var turns: [String: UInt64] = [:]
    }

    private let service: WatchedService
    private let feed: @Sendable () -> Void
    private let log: ServiceLog
    private let queue = DispatchQueue(label: "io.patchsim.watchdog")
    private let state = Guarded(State())
    private let stopTimer = Guarded<(@Sendable () -> Void)?>(nil)

    init(_ service: WatchedService, log: ServiceLog, feed: @escaping @Sendable () -> Void) {
        self.service = service
        self.log = log
        self.feed = feed
    }

    /// A round at once, and then `roundsPerTimeout` in each timeout.
    func start(timeoutMicroseconds: UInt64) {
        let source = DispatchSource.makeTimerSource(queue: queue)
        source.setEventHandler { [weak self] in self?.beginRound() }
        let period = max(Int(timeoutMicroseconds / Self.roundsPerTimeout), 1)
        source.schedule(deadline: .now(), repeating: .microseconds(period))
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

    /// Asks everybody, unless the last round is not answered yet.
    func beginRound() {
        let commands = service.commands()
        let (waitsFor, isWorking) = state.withLock { state in
            defer { state.commands = commands }
            let waitsFor = state.waitsFor
            if waitsFor == nil { state.waitsFor = Self.control }
            return (waitsFor, commands != state.commands)
        }
        if let waitsFor {
            if isWorking { fed() } else { hungry("\(waitsFor) has not answered the watchdog") }
        } else {
            Task { await ask() }
        }
    }

    private static let control = "The control loop"

    /// One round: asks everybody and judges the answers.
    func ask() async {
        await service.control()
        state.withLock { $0.waitsFor = "A driver" }
        let progress = await service.drivers()
        let stuck = state.withLock { state in
            state.waitsFor = nil
            let stuck = progress.filter { !$0.isExcused && state.turns[$0.name] == $0.turns }.map(\.name)
            state.turns = Dictionary(progress.map { ($0.name, $0.turns) }) { first, _ in first }
            return stuck
        }
        if stuck.isEmpty {
            fed()
        } else {
            hungry("No turn has been taken by \(stuck.joined(separator: ", ")) since the watchdog asked last")
        }
    }

    private func fed() {
        state.withLock { $0.hungry = 0 }
        feed()
    }

    /// The journal is told once: the manager ends a daemon that goes on so.
    private func hungry(_ message: String) {
        let rounds = state.withLock { state in
            state.hungry += 1
            return state.hungry
        }
        if rounds == Self.roundsUntilComplaint { log.write(.error, .driverStuck, message, fields: [.reason: message]) }
    }
}
