internal import Locking

/// How far a driver has come, told by its own queue: a driver that is stuck in a turn does not tell.
public struct DriverProgress: Sendable, Hashable {
    /// `CPU 3`, or `the loop of all CPUs`.
    public let name: String
    /// Turns taken since the driver was made.
    public let turns: UInt64
    /// No turn is expected of it: the world is at rest or stopped by a violation, or the CPU waits for others.
    public let isExcused: Bool

    public init(name: String, turns: UInt64, isExcused: Bool) {
        self.name = name
        self.turns = turns
        self.isExcused = isExcused
    }
}

extension SimulationHost {
    /// Steps and replayed turns that commands have carried out so far, in thousands. While a command works on the world at
    /// rest, drivers and host do nothing else; that this grows tells that it is work.
    public nonisolated var commandProgress: UInt64 {
        commandWork.withLock { $0 }
    }

    /// Turns or steps of a command between two signs of progress.
    static let stepsPerSign = 1024

    nonisolated func noteCommandWork() {
        commandWork.withLock { $0 += 1 }
    }
}
