public import X86

/// What is checked all the time; docs/MODEL.md has the definitions.
public enum Invariant: Int, Sendable, Hashable, CaseIterable {
    case noTornInstruction = 1
    case noLostCall = 2
    case trueEmulation = 3
    case noUnexplainedBreakpoint = 4
    case progress = 5
    case noFreedText = 7
    case completion = 9

    /// `I1` ... `I9`.
    public var label: String { "I\(rawValue)" }

    public var title: String {
        switch self {
        case .noTornInstruction: "no torn instruction"
        case .noLostCall: "no lost call"
        case .trueEmulation: "true emulation"
        case .noUnexplainedBreakpoint: "no unexplained #BP"
        case .progress: "progress"
        case .noFreedText: "no execution of freed text"
        case .completion: "completion"
        }
    }
}

/// One broken invariant. The world stands still behind it.
public struct Violation: Sendable, Hashable {
    public let invariant: Invariant
    /// What happened, in words with the bytes that show it.
    public let message: String
    public let cpu: Int
    public let address: VirtualAddress
    /// Simulated time.
    public let nanoseconds: UInt64
    /// The turn in which it was found; a replay stops here.
    public let turn: UInt64
}

/// Per invariant: how often it was checked; and the first violation.
public struct Verdict: Sendable, Hashable {
    /// By the invariants' numbers.
    private var counts = [UInt64](repeating: 0, count: 10)
    public internal(set) var violation: Violation?

    /// How often each was checked; nothing where it never was.
    public var checks: [Invariant: UInt64] {
        Invariant.allCases.reduce(into: [:]) { checks, invariant in
            if counts[invariant.rawValue] > 0 { checks[invariant] = counts[invariant.rawValue] }
        }
    }

    mutating func count(_ invariant: Invariant) {
        counts[invariant.rawValue] &+= 1
    }
}
