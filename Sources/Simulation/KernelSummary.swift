internal import Ftrace
internal import TextPatching

/// The figures that people ask a kernel for most: small enough to be copied while all CPUs wait.
public struct KernelSummary: Sendable, Hashable {
    /// Simulated time since boot.
    public let nanoseconds: UInt64
    /// Locations rewritten, batches of them, and rounds of text_poke_sync().
    public let pokes: UInt64
    public let batches: UInt64
    public let syncs: UInt64
    public let trapsTaken: UInt64
    public let trapsEmulated: UInt64
    /// Distinct locations on which a trap was taken.
    public let trapSites: Int
    /// The top level's tracer, as tracefs names it.
    public let tracer: String
    public let enabledSites: Int
    /// Sequence number of the next event.
    public let nextEvent: UInt64
    public let isStopped: Bool
}

extension KernelState {
    public var summary: KernelSummary {
        KernelSummary(
            nanoseconds: nanoseconds, pokes: array.statistics.sites, batches: array.statistics.batches,
            syncs: array.statistics.syncs, trapsTaken: traps.taken, trapsEmulated: traps.emulated,
            trapSites: traps.sites.count, tracer: (ftrace.arrays.first?.currentTracer ?? .nop).rawValue,
            enabledSites: ftrace.enabledCount, nextEvent: events.next, isStopped: isStopped)
    }
}
