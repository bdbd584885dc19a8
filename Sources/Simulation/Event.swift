public import X86

/// What happened, as data. Numbers and addresses only: who shows an event looks its symbols up.
public enum EventKind: Sendable, Hashable {
    /// The patcher task took up update `ticket`.
    case updateBegan(ticket: UInt64)
    case updateFinished(ticket: UInt64)
    /// A batch of `count` locations from `first` to `last` is published.
    case batchBegan(count: Int, first: VirtualAddress, last: VirtualAddress)
    /// Sync 1, 2 or 3 of a batch was requested.
    case syncRequested(number: Int)
    case batchFinished(count: Int)
    /// A CPU executed an INT3 at a site.
    case int3Trapped(site: VirtualAddress)
    /// The handler emulated `instruction` there.
    case int3Emulated(site: VirtualAddress, instruction: InstructionBytes)
    case trampolineMapped(address: VirtualAddress)
    case trampolineFreed(address: VirtualAddress)
    case gracePeriodBegan(number: UInt64)
    case violated(Violation)

    /// A short stable name.
    public var name: String {
        switch self {
        case .updateBegan: "update-began"
        case .updateFinished: "update-finished"
        case .batchBegan: "batch-began"
        case .syncRequested: "sync-requested"
        case .batchFinished: "batch-finished"
        case .int3Trapped: "int3-trapped"
        case .int3Emulated: "int3-emulated"
        case .trampolineMapped: "trampoline-mapped"
        case .trampolineFreed: "trampoline-freed"
        case .gracePeriodBegan: "grace-period-began"
        case .violated: "violated"
        }
    }

    /// The address that the event is about, if one.
    public var address: VirtualAddress? {
        switch self {
        case .batchBegan(_, let first, _): first
        case .int3Trapped(let site), .int3Emulated(let site, _): site
        case .trampolineMapped(let address), .trampolineFreed(let address): address
        case .violated(let violation): violation.address
        default: nil
        }
    }

    /// Everything that tells two events of a kind apart, for the hash of a run.
    fileprivate var words: (UInt64, UInt64, UInt64) {
        switch self {
        case .updateBegan(let ticket): (1, ticket, 0)
        case .updateFinished(let ticket): (2, ticket, 0)
        case .batchBegan(let count, let first, let last): (3, UInt64(count) ^ first.rawValue, last.rawValue)
        case .syncRequested(let number): (4, UInt64(number), 0)
        case .batchFinished(let count): (5, UInt64(count), 0)
        case .int3Trapped(let site): (6, site.rawValue, 0)
        case .int3Emulated(let site, let instruction): (7, site.rawValue, instruction.words.low)
        case .trampolineMapped(let address): (8, address.rawValue, 0)
        case .trampolineFreed(let address): (9, address.rawValue, 0)
        case .gracePeriodBegan(let number): (10, number, 0)
        case .violated(let violation): (11, UInt64(violation.invariant.rawValue), violation.address.rawValue)
        }
    }
}

/// One line of the event log.
public struct Event: Sendable, Hashable {
    /// Counts from 0 without gaps.
    public let sequence: UInt64
    /// Simulated time.
    public let nanoseconds: UInt64
    public let cpu: Int
    public let kind: EventKind
}

/// The newest events, and the hash of all.
public struct EventLog: Sendable {
    /// Events kept; older ones are forgotten, their hash is not.
    public static let capacity = 1 << 14

    private var ring: [Event] = []
    /// The sequence number of the next event.
    public private(set) var next: UInt64 = 0
    /// Two runs that saw the same events have the same hash.
    public private(set) var hash: UInt64 = 0

    public init() {}

    mutating func append(_ kind: EventKind, cpu: Int, nanoseconds: UInt64) {
        let event = Event(sequence: next, nanoseconds: nanoseconds, cpu: cpu, kind: kind)
        if ring.count < Self.capacity { ring.append(event) } else { ring[Int(next) & (Self.capacity - 1)] = event }
        next += 1
        let (a, b, c) = kind.words
        for word in [a ^ UInt64(cpu) << 32, b, c, nanoseconds] {
            hash = (hash ^ word) &* 0x0000_0100_0000_01b3 ^ hash >> 29
        }
    }

    /// Events from `sequence` on that are still kept, oldest first, at most `limit`.
    public func events(from sequence: UInt64, limit: Int) -> [Event] {
        let oldest = next - UInt64(ring.count)
        let start = max(sequence, oldest)
        guard start < next else { return [] }
        let end = min(next, start + UInt64(limit))
        return (start..<end).map { ring[Int($0) & (Self.capacity - 1)] }
    }

    /// The sequence number of the oldest event that is kept.
    public var oldest: UInt64 {
        next - UInt64(ring.count)
    }
}
