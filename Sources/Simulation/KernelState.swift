public import Ftrace
public import KernelImage
public import X86

/// The kernel log: printk lines with their time.
public struct KernelLog: Sendable {
    public struct Line: Sendable, Hashable {
        public let nanoseconds: UInt64
        public let text: String
    }
    /// Older lines are dropped beyond this.
    public static let linesMax = 16_384
    public private(set) var lines: [Line] = []

    public init() {}

    public mutating func append(_ text: String, nanoseconds: UInt64) {
        if lines.count >= Self.linesMax { lines.removeFirst(Self.linesMax / 4) }
        lines.append(Line(nanoseconds: nanoseconds, text: text))
    }
}

/// Names one submitted update until it is complete.
public struct UpdateTicket: Sendable, Hashable {
    public let number: UInt64
}

/// Everything that the simulated CPUs share.
public struct KernelState: Sendable {
    public let image: KernelImage
    public var ftrace: FtraceState
    public var log = KernelLog()
    /// Simulated time since boot.
    public var nanoseconds: UInt64 = 0
    public let cpuCount: Int
    var submitted: UInt64 = 0
    var completed: UInt64 = 0

    public init(image: KernelImage, cpuCount: Int) {
        self.image = image
        self.cpuCount = cpuCount
        // A kernel without ftrace runs, but has no tracefs.
        ftrace = (try? FtraceState(image: image, cpuCount: cpuCount)) ?? FtraceState()
    }

    /// Queues steps for the patcher task; they are carried out in order while the world runs.
    public mutating func submit(_ steps: [FtraceStep]) -> UpdateTicket {
        submitted += 1
        return UpdateTicket(number: submitted)
    }

    public func isComplete(_ ticket: UpdateTicket) -> Bool {
        ticket.number <= completed
    }

    /// The newest bytes of text, as the patching alias reads them; nil outside of text.
    public func textBytes(at address: VirtualAddress, count: Int) -> [UInt8]? {
        nil
    }
}
