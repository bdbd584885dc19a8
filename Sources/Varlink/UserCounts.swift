/// How many of something each user has, and all users together.
public struct UserCounts: Sendable {
    public enum Entry: Sendable, Hashable {
        case entered
        /// This user has as many as a user may have.
        case userIsFull
        /// All users together have as many as there may be.
        case full
    }

    public private(set) var total = 0
    private var byUser: [UInt32: Int] = [:]

    public init() {}

    /// Counts one more of `uid`, if there is room; without `perUserMax` only the room of all users counts.
    public mutating func enter(_ uid: UInt32, max: Int, perUserMax: Int?) -> Entry {
        let own = byUser[uid] ?? 0
        if let perUserMax, own >= perUserMax { return .userIsFull }
        guard total < max else { return .full }
        byUser[uid] = own + 1
        total += 1
        return .entered
    }

    /// Takes back one entry of `uid`.
    public mutating func leave(_ uid: UInt32) {
        guard let own = byUser[uid] else { preconditionFailure("whoever leaves has entered") }
        byUser[uid] = own == 1 ? nil : own - 1
        total -= 1
    }
}
