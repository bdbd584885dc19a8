public import PatchsimInterface

/// Which bytes a CPU may still fetch; the table of docs/MODEL.md.
public enum FetchModelName: String, Sendable, Hashable, CaseIterable {
    case coherent
    case line
    case chunk16
    case chunk8
    case byte
    case unordered
}

/// Everything that the daemon can be told, after command line, environment, files and defaults have been put together.
///
/// Each stored property of a key is the key's default here; `ConfigurationKey.all` says what the keys are called.
public struct ServiceSettings: Sendable, Hashable {
    public static let cpusMax = 64
    public static let tasksMax = 1024
    /// Seeds travel as JSON numbers, which are 64-bit signed in Varlink.
    public static let seedMax = UInt64(Int64.max)
    public static let instructionsPerSecondMax = 10_000_000_000

    /// `builtin`, or the path of a vmlinux or vmlinuz.
    public var kernel = "builtin"
    public var driver = MachineDriver.live
    public var cpus = 4
    public var tasks = 16
    public var seed: UInt64 = 1
    /// Retired instructions per wall-clock second of all CPUs together; nil leaves three quarters of one core free.
    public var instructionsPerSecond: Int?
    /// Nil: the shipped one.
    public var workloadPath: String?
    /// What the file says.
    public var workload = WorkloadFile.standard
    public var fetchModel = FetchModelName.chunk16
    /// Labels of the steps of the patching protocol that are left out, `sync1` ...
    public var ablated: [String] = []
    /// Where state is kept over restarts; nil keeps none.
    public var stateDirectory = StateDirectory.automatic
    public var interrupts = InterruptSettings()
    public var access = AccessSettings()
    public var limits = LimitSettings()
    public var log = LogSettings()

    public init() {}
}

/// Where the daemon keeps what outlives it.
public enum StateDirectory: Sendable, Hashable {
    /// The manager's: the first folder of $STATE_DIRECTORY. Without a manager the user's own, but only for the daemon on
    /// that user's default socket: others run beside it, and two can't share a directory. Else nothing is kept.
    case automatic
    /// Nothing is kept.
    case none
    case path(String)

    /// The folder, if state is to be kept.
    public func path(environment: [String: String], isOnUsersSocket: Bool) -> String? {
        switch self {
        case .automatic:
            if let given = environment["STATE_DIRECTORY"]?.split(separator: ":").first {
                String(given)
            } else if !isOnUsersSocket {
                nil
            } else if let home = environment["XDG_STATE_HOME"], home.hasPrefix("/") {
                home + "/patchsim"
            } else {
                environment["HOME"].map { $0 + "/.local/state/patchsim" }
            }
        case .none: nil
        case .path(let path): path
        }
    }
}

/// `[interrupts]`: how often each simulated CPU is interrupted, per simulated second.
public struct InterruptSettings: Sendable, Hashable {
    public static let rateMax = 1_000_000

    /// CONFIG_HZ=250 is what Debian builds with.
    public var irqRate = 250
    public var nmiRate = 20

    public init() {}
}

/// `[access]`: who may change something, besides root and the daemon's own user.
public struct AccessSettings: Sendable, Hashable {
    public static let groupBytesMax = 64

    /// A group's name or number; its members may change what others see.
    public var group = "patchsim"

    public init() {}
}

/// `[limits]`: what clients may take, all together and each user. Root and the daemon's own user have no limits of their
/// own.
public struct LimitSettings: Sendable, Hashable {
    public static let connectionsRange = 1...4096
    public static let streamsRange = 1...4096
    public static let callsRange = 1...4096
    public static let pipelinedCallsRange = 1...4096
    public static let callBytesRange = 4096...16_777_216
    public static let replyBytesRange = 65_536...268_435_456

    public var connectionsMax = 128
    public var connectionsPerUser = 64
    /// Calls with `more` that are being answered.
    public var streamsMax = 64
    public var streamsPerUser = 32
    /// Calls that take long and are being answered: replays, steps back, listings.
    public var callsPerUser = 8
    /// Calls that one connection sends without waiting and that are answered before others have their turn.
    public var pipelinedCallsMax = 64
    /// The longest call.
    public var callBytesMax = 262_144
    /// The longest reply.
    public var replyBytesMax = 16_777_216

    public init() {}
}

/// `[log]`.
public struct LogSettings: Sendable, Hashable {
    /// Severities, least first.
    public enum Level: String, Sendable, Hashable, CaseIterable {
        case trace
        case debug
        case info
        case notice
        case warning
        case error
        case critical
    }

    public enum Target: String, Sendable, Hashable, CaseIterable {
        /// The journal when stderr is connected to it, as in a unit; stderr else.
        case automatic = "auto"
        case journal
        case stderr
    }

    /// The least severity that is logged.
    public var level = Level.info
    public var target = Target.automatic

    public init() {}
}
