/// Why and how often execution left exact semantics, by the six rules.
public struct HavocCounts: Sendable, Hashable {
    /// Instructions without implemented semantics.
    public var instructions: UInt64 = 0
    /// Rule 1: havoc'd words used as an address, mapped into the task's arena.
    public var addresses: UInt64 = 0
    /// Rule 2: indirect branches to a havoc'd target, sent to a seeded function.
    public var branches: UInt64 = 0
    /// Rule 3: RSP, IF or a segment taken from a havoc'd value; the task unwound.
    public var stackUnwinds: UInt64 = 0
    /// Rule 4: entries into functions that the simulator serves.
    public var served: UInt64 = 0
    /// Rule 5: budgets that ran out; the task unwound.
    public var budgetUnwinds: UInt64 = 0
    /// Rule 6: UD2, faults and traps that unwound the task.
    public var faultUnwinds: UInt64 = 0

    public init() {}

    public static func += (left: inout HavocCounts, right: HavocCounts) {
        left.instructions += right.instructions
        left.addresses += right.addresses
        left.branches += right.branches
        left.stackUnwinds += right.stackUnwinds
        left.served += right.served
        left.budgetUnwinds += right.budgetUnwinds
        left.faultUnwinds += right.faultUnwinds
    }
}

/// A seeded source of arbitrary values; SplitMix64, whose state is part of the world.
public struct SeededSource: Sendable, Hashable {
    public var state: UInt64

    public init(seed: UInt64) {
        state = seed
    }

    @inlinable
    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        return SeededSource.mix(state)
    }

    /// A value below `bound`, which is at least 1.
    @inlinable
    public mutating func next(below bound: Int) -> Int {
        precondition(bound >= 1, "a draw has at least one outcome")
        return Int(truncatingIfNeeded: next().multipliedFullWidth(by: UInt64(bound)).high)
    }

    @inlinable
    public static func mix(_ value: UInt64) -> UInt64 {
        var z = value
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    /// What memory that nobody wrote, or an instruction without semantics, yields: zero, small and wide values alike,
    /// since loops and null checks of real code meet all three.
    @inlinable
    public static func arbitrary(_ draw: UInt64) -> UInt64 {
        switch draw >> 62 {
        case 0: 0
        case 1: (draw >> 8) & 0xf
        default: draw
        }
    }
}
