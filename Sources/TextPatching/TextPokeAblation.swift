/// Steps of the final design that can be left out on purpose, to see what they are for and to test the checkers.
public struct TextPokeAblation: OptionSet, Sendable, Hashable {
    public let rawValue: UInt16

    public init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    /// The sync after the INT3 bytes.
    public static let sync1 = TextPokeAblation(rawValue: 1 << 0)
    /// The sync after the tails.
    public static let sync2 = TextPokeAblation(rawValue: 1 << 1)
    /// The sync after the first bytes.
    public static let sync3 = TextPokeAblation(rawValue: 1 << 2)
    /// The handler skips the instruction as a NOP, as ftrace did from v3.5 to v5.1: the bug of the thread.
    public static let emulation = TextPokeAblation(rawValue: 1 << 3)
    /// The entry code leaves no room for an emulated push.
    public static let gap = TextPokeAblation(rawValue: 1 << 4)
    /// A trampoline is freed without synchronize_rcu_tasks().
    public static let rcuTasks = TextPokeAblation(rawValue: 1 << 5)
    /// The IPI to the last CPU is lost.
    public static let ipi = TextPokeAblation(rawValue: 1 << 6)
    /// The handler looks nothing up and claims nothing.
    public static let lookup = TextPokeAblation(rawValue: 1 << 7)

    /// Every ablation by the name that the command line knows.
    public static let byName: [(name: String, ablation: TextPokeAblation)] = [
        ("sync1", .sync1), ("sync2", .sync2), ("sync3", .sync3), ("emulation", .emulation), ("gap", .gap),
        ("rcu-tasks", .rcuTasks), ("ipi", .ipi), ("lookup", .lookup),
    ]

    public var names: [String] {
        Self.byName.filter { contains($0.ablation) }.map(\.name)
    }
}
