public import Configuration
internal import Locking
internal import Logging
internal import PatchsimInterface
internal import Varlink

/// The settings in force. A reload replaces those that can change while the daemon runs, and whoever follows is told.
public actor LiveSettings {
    /// Does what a change asks for; the reload is finished when it returns.
    public typealias Follower = @Sendable (_ before: ServiceSettings, _ after: ServiceSettings) async -> Void

    private struct State {
        /// What is in force.
        var inForce: LoadedConfiguration
        /// What was read last: keys that wait for a restart may differ.
        var configured: LoadedConfiguration
        var followers: [Follower] = []
        var log: ServiceLog?
        /// Told when a reload begins and when it has ended.
        var announce: @Sendable (_ isReloading: Bool) -> Void = { _ in }
    }

    private nonisolated let state: Guarded<State>
    private let reread: @Sendable () throws(ConfigurationProblems) -> LoadedConfiguration
    /// One reload at a time; the actor alone lets others in at each await.
    private var isHeld = false
    private var holders: [CheckedContinuation<Void, Never>] = []

    /// `reread` reads the configuration anew, as it was read at the start.
    public init(
        _ loaded: LoadedConfiguration = LoadedConfiguration(),
        reread: @escaping @Sendable () throws(ConfigurationProblems) -> LoadedConfiguration = { LoadedConfiguration() }
    ) {
        state = Guarded(State(inForce: loaded, configured: loaded))
        self.reread = reread
    }

    public nonisolated var current: ServiceSettings {
        state.withLock { $0.inForce.settings }
    }

    public nonisolated func follow(_ follower: @escaping Follower) {
        state.withLock { $0.followers.append(follower) }
    }

    /// Where changes are written down.
    nonisolated func report(to log: ServiceLog) {
        state.withLock { $0.log = log }
    }

    /// `announce` is told of the beginning and the end of each reload.
    public nonisolated func onReload(_ announce: @escaping @Sendable (_ isReloading: Bool) -> Void) {
        state.withLock { $0.announce = announce }
    }

    private nonisolated var log: ServiceLog? { state.withLock { $0.log } }

    private func hold() async {
        if !isHeld {
            isHeld = true
            return
        }
        await withCheckedContinuation { holders.append($0) }
    }

    private func release() {
        if holders.isEmpty { isHeld = false } else { holders.removeFirst().resume() }
    }

    private func replace(_ inForce: LoadedConfiguration) async {
        let before = current
        state.withLock { $0.inForce = inForce }
        let followers = state.withLock { $0.followers }
        for follower in followers { await follower(before, inForce.settings) }
    }

    // MARK: io.patchsim.Service

    /// The configuration in force.
    var listed: GetConfiguration.Reply {
        let state = state.withLock { $0 }
        let entries = state.inForce.entries.map { entry in
            let configured = state.configured.entry(entry.key).value
            return ConfigurationEntry(
                key: entry.key.name, value: entry.value.toml, origin: entry.origin.description,
                effect: entry.key.effect,
                waiting: entry.key.effect == .restart && configured != entry.value ? configured.toml : nil)
        }
        return GetConfiguration.Reply(entries: entries, files: state.configured.files)
    }

    /// Sets the level until the next reload; returns the one before.
    func setLogLevel(_ level: LogSettings.Level) async -> LogSettings.Level {
        await hold()
        defer { release() }
        var inForce = state.withLock { $0.inForce }
        let before = inForce.settings.log.level
        inForce.setLogLevel(level)
        await replace(inForce)
        return before
    }

    /// A file may say something else under the same name.
    private func hasOtherWorkload(_ configured: LoadedConfiguration) -> Bool {
        !configured.settings.workload.runsLike(current.workload)
    }

    /// For SIGHUP, which nobody waits for: what is wrong is in the journal.
    public func reload(askedBy asker: String) async {
        let action = "read the configuration again"
        guard (try? await reload()) != nil else { return }
        log?.write(.notice, .configurationChanged, "\(action), asked by \(asker)", fields: [.action: action])
    }

    /// Reads the configuration again and returns when it is followed. With a mistake in it nothing changes.
    func reload() async throws -> Reload.Reply {
        await hold()
        defer { release() }
        let announce = state.withLock { $0.announce }
        announce(true)
        defer { announce(false) }
        let configured: LoadedConfiguration
        do throws(ConfigurationProblems) {
            configured = try reread()
        } catch {
            let problems = error.problems.map(\.description)
            log?.configurationRefused(problems)
            throw ServiceFault.ConfigurationRefused(problems: problems)
        }
        var inForce = state.withLock { $0.inForce }
        var reply = Reload.Reply(changed: [], waiting: [])
        for key in ConfigurationKey.all {
            let (before, after) = (inForce.entry(key), configured.entry(key))
            if key.effect == .reload { inForce.take(key, from: configured) }
            guard before.value != after.value || key.name == "workload" && hasOtherWorkload(configured) else {
                continue
            }
            let change = ConfigurationChange(
                key: key.name, before: before.value.toml, after: after.value.toml, origin: after.origin.description)
            switch key.effect {
            case .reload: reply.changed.append(change)
            case .restart: reply.waiting.append(change)
            }
        }
        inForce.files = configured.files
        state.withLock { $0.configured = configured }
        await replace(inForce)
        for change in reply.changed { log?.settingChanged(change, isWaiting: false) }
        for change in reply.waiting { log?.settingChanged(change, isWaiting: true) }
        return reply
    }
}

extension ServiceLog {
    fileprivate func settingChanged(_ change: ConfigurationChange, isWaiting: Bool) {
        write(
            .notice, .settingChanged,
            "\(change.key): \(change.before) -> \(change.after)\(isWaiting ? " at the next start" : "") (\(change.origin))",
            fields: [.key: change.key, .before: change.before, .after: change.after, .origin: change.origin])
    }

    fileprivate func configurationRefused(_ problems: [String]) {
        let reason = problems.joined(separator: "\n")
        write(
            .error, .configurationRefused, "The configuration was not taken over:\n\(reason)",
            fields: [.reason: reason])
    }
}
