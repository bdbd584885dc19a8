/// The kinds of journal entries. Each has a MESSAGE_ID, drawn once with `systemd-id128 new`, that never changes: it is what
/// `journalctl -x` finds its explanation by (systemd/patchsim.catalog), and what filters of administrators name.
public enum MessageID: String, Sendable, Hashable, CaseIterable {
    case started = "ba9d006ffd854689927ed42e9210e57a"
    case startFailed = "494b4e60f677494ea744a2020c931e1c"
    /// The INT3 emulation was tried before anything relied on it.
    case selfTest = "fe8d14e254a14128bc9205491036af73"
    case stopped = "ac767418f37b46ffae3b7fe3709082e3"
    case imageLoaded = "0b3f50a00dce426789c7f194a0048420"
    /// A name of the workload that nothing in the image matches.
    case entrySkipped = "cd8707cedf444d70b8637bb9d5f007d2"
    /// One patch operation, from its first to its last synchronization.
    case textUpdated = "c8458d7341f549ce996379fdd2f6126e"
    /// A client changed what is traced.
    case tracerChanged = "290ae0008fb1444fb97f9f5ca53fd1f8"
    /// A client paused, resumed or stepped the machine.
    case machineChanged = "6826519710b14ed3a99bab481e2e2e4a"
    case violation = "9c0d2792378045f99ac58085962e7b30"
    /// A call that was to change something was refused.
    case refused = "25f13e11c10b458d84b16fd365e40578"
    /// A call that was to change something came from somebody who may only read.
    case accessDenied = "e2cd9140226544c6b08613e9626495e9"
    /// A connection over a limit.
    case connectionRefused = "8195e477db8c4ec9a93818f36d1e4b48"
    /// Connections that come and go, and calls answered; only at level debug and below.
    case connection = "e2a8d73da17c4ce1885a4ee5c797acf9"
    case acceptFailed = "a9c86a67d81b4e3a91cb2e880d18710d"
    /// A call met an error that none should.
    case failed = "0344ba22d0ca4c248a6e73b8c662f25e"
    /// A driver or the control loop does not answer the watchdog, which will end the daemon.
    case driverStuck = "fffff77d56c444f792bcb8a68409c31f"
    case storeOpened = "2afcbb299bd54ad984f5df918172d892"
    /// A damaged store was renamed.
    case storeSetAside = "03f48438e2f145c6be8e0227ccafbad7"
    /// Something is not kept, or can't be now.
    case storeUnused = "35fc217c8232435a942441130b1940a3"
    /// The oldest findings made room for newer ones.
    case findingsDropped = "396c7dc02e3847e98ec928fbf6cf17e1"
    /// A client deleted findings.
    case findingsDeleted = "c6287afd3f524351895d77ad6ff0db83"
    case findingWaits = "3d1fb0504dc54111837c339bb4ea28da"
    /// What clients had changed was done again at the start.
    case restored = "d99b157d84cc4b2ab42f871a2f176d89"
    case notRestored = "a8015cb891724e80992ebcbfdc530284"
    /// The run before had another kernel.
    case kernelDiffers = "5a4e797139e143a4bdbf20ffb196ee1e"
    /// The configuration was read again.
    case configurationChanged = "4312ac96333046a6bcb9578ad727a528"
    /// One key of it has another value.
    case settingChanged = "4708eaad84d449dcb8d361d632be5f42"
    /// A configuration was not taken over; the one before stays in force.
    case configurationRefused = "8bba9023eb26442a9fbc22ff0e06f89c"
    /// Entries that were left out because there were too many of their kind.
    case entriesSuppressed = "8a3bdd948e264ddfad71e3f61a5c7c3d"
    /// Entries that the journal didn't take while it was away.
    case entriesLost = "17b926863df343cfb88ffcf5e87841ee"
    /// No journal listens where one was asked for.
    case journalMissing = "897c90b7527c48f7a4aed7f57c4fbb5c"

    /// `text-updated`: the kind as commands show it.
    public var name: String {
        "\(self)".reduce(into: "") { name, letter in
            name += letter.isUppercase ? "-" + letter.lowercased() : "\(letter)"
        }
    }

    /// Fields that every entry of this kind has, besides PATCHSIM_RUN; the catalog's text may name them.
    public var fields: [LogField] {
        switch self {
        case .started: [.version, .kernel, .seed, .design, .socket]
        case .startFailed: [.reason]
        case .selfTest: []
        case .stopped: [.reason]
        case .imageLoaded: [.kernel]
        case .entrySkipped: [.kernel, .symbol]
        case .textUpdated: [.update, .design, .sites, .batches, .syncs, .traps, .duration]
        case .tracerChanged, .machineChanged, .findingsDeleted: [.action, .clientPID, .clientUID]
        case .violation: [.invariant, .cpu, .address, .symbol, .design, .schedule, .time]
        case .refused: [.action, .reason, .clientPID, .clientUID]
        case .accessDenied: [.action, .clientComm, .clientPID, .clientUID]
        case .connectionRefused: [.reason, .clientPID, .clientUID]
        case .connection: [.clientPID, .clientUID]
        case .acceptFailed: [.reason]
        case .failed: [.method, .reason, .clientPID, .clientUID]
        case .driverStuck: [.reason]
        case .storeOpened: [.path, .count]
        case .storeSetAside: [.path, .reason]
        case .storeUnused: [.reason]
        case .findingsDropped: [.count]
        case .findingWaits: [.reason, .schedule]
        case .restored: [.count]
        case .notRestored: [.path, .text, .reason]
        case .kernelDiffers: [.kernel, .reason]
        case .configurationChanged: [.action]
        case .settingChanged: [.key, .before, .after, .origin]
        case .configurationRefused: [.reason]
        case .entriesSuppressed: [.kind, .count]
        case .entriesLost: [.count]
        case .journalMissing: []
        }
    }
}

/// The journal fields that are the daemon's own; io.patchsim(7) says what each holds.
public enum LogField: String, Sendable, Hashable, CaseIterable {
    /// What a client asked for, in words.
    case action = "PATCHSIM_ACTION"
    case address = "PATCHSIM_ADDRESS"
    /// Values of a key as TOML writes them.
    case after = "PATCHSIM_AFTER"
    case before = "PATCHSIM_BEFORE"
    case batches = "PATCHSIM_BATCHES"
    /// The client's command, as it was when its change was denied.
    case clientComm = "PATCHSIM_CLIENT_COMM"
    case clientGID = "PATCHSIM_CLIENT_GID"
    case clientPID = "PATCHSIM_CLIENT_PID"
    case clientUID = "PATCHSIM_CLIENT_UID"
    case count = "PATCHSIM_COUNT"
    case cpu = "PATCHSIM_CPU"
    /// The patching protocol, with the steps that are left out of it.
    case design = "PATCHSIM_DESIGN"
    /// Nanoseconds of simulated time.
    case duration = "PATCHSIM_DURATION"
    /// Name of an error on the wire.
    case error = "PATCHSIM_ERROR"
    /// A key of patchsimd.toml.
    case key = "PATCHSIM_KEY"
    case invariant = "PATCHSIM_INVARIANT"
    case kernel = "PATCHSIM_KERNEL"
    /// The kind of the entries that an entry is about.
    case kind = "PATCHSIM_KIND"
    case method = "PATCHSIM_METHOD"
    /// Where a value of the configuration comes from.
    case origin = "PATCHSIM_ORIGIN"
    case path = "PATCHSIM_PATH"
    case reason = "PATCHSIM_REASON"
    /// One run of the daemon.
    case run = "PATCHSIM_RUN"
    /// A replay line.
    case schedule = "PATCHSIM_SCHEDULE"
    case seed = "PATCHSIM_SEED"
    case sites = "PATCHSIM_SITES"
    case socket = "PATCHSIM_SOCKET"
    case symbol = "PATCHSIM_SYMBOL"
    case syncs = "PATCHSIM_SYNCS"
    /// What was written to a file of the kernel, in full.
    case text = "PATCHSIM_TEXT"
    /// Simulated time since boot, in nanoseconds.
    case time = "PATCHSIM_TIME"
    case traps = "PATCHSIM_TRAPS"
    case update = "PATCHSIM_UPDATE"
    case version = "PATCHSIM_VERSION"
}
