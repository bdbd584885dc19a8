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

/// Everything that the daemon can be told, after command line, workload file and defaults have been put together.
public struct ServiceSettings: Sendable {
    public static let cpusMax = 64
    public static let tasksMax = 1024
    /// Seeds travel as JSON numbers, which are 64-bit signed in Varlink.
    public static let seedMax = UInt64(Int64.max)
    public static let instructionsPerSecondMax = 10_000_000_000

    /// `builtin`, or the path of a vmlinux or vmlinuz.
    public var kernel = "builtin"
    public var cpus = 4
    public var tasks = 16
    public var seed: UInt64 = 1
    /// Retired instructions per wall-clock second of all CPUs together; nil leaves three quarters of one core free.
    public var instructionsPerSecond: Int?
    public var driver = MachineDriver.live
    public var fetchModel = FetchModelName.chunk16
    /// Labels of the steps of the patching protocol that are left out, `sync1` ...
    public var ablated: [String] = []
    public var workload = WorkloadFile.standard

    public init() {}
}
