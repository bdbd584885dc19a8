/// An invariant and how often it was checked.
public struct InvariantRecord: Codable, Sendable, Hashable {
    public var id: String
    public var title: String
    public var checks: Int
    public var violations: Int

    public init(id: String, title: String, checks: Int, violations: Int) {
        self.id = id
        self.title = title
        self.checks = checks
        self.violations = violations
    }
}

/// A violation of an invariant.
public struct ViolationRecord: Codable, Sendable, Hashable {
    public var invariant: String
    public var nanoseconds: Int
    public var cpu: Int?
    public var message: String
    public var replay: String

    public init(invariant: String, nanoseconds: Int, cpu: Int? = nil, message: String, replay: String) {
        self.invariant = invariant
        self.nanoseconds = nanoseconds
        self.cpu = cpu
        self.message = message
        self.replay = replay
    }
}

public enum GetVerdict: InterfaceMethod {
    public static let name = "io.patchsim.Invariants.GetVerdict"

    public typealias Parameters = Nothing
    public struct Reply: Codable, Sendable, Hashable {
        public var holds: Bool
        public var bounds: String
        public var invariants: [InvariantRecord]
        public var violations: [ViolationRecord]

        public init(holds: Bool, bounds: String, invariants: [InvariantRecord], violations: [ViolationRecord]) {
            self.holds = holds
            self.bounds = bounds
            self.invariants = invariants
            self.violations = violations
        }
    }
}

public enum ReplayLine: InterfaceMethod {
    public static let name = "io.patchsim.Invariants.Replay"

    public struct Parameters: Codable, Sendable, Hashable {
        public var line: String

        public init(line: String) {
            self.line = line
        }
    }

    public struct Reply: Codable, Sendable, Hashable {
        public var violation: ViolationRecord?
        public var turns: Int
        public var log: [String]

        public init(violation: ViolationRecord? = nil, turns: Int, log: [String]) {
            self.violation = violation
            self.turns = turns
            self.log = log
        }
    }
}

/// Errors of io.patchsim.Invariants.
public enum InvariantsFault {
    public struct BadReplayLine: InterfaceFault, Hashable {
        public static let name = "io.patchsim.Invariants.BadReplayLine"
        public var line: String
        public var reason: String

        public init(line: String, reason: String) {
            self.line = line
            self.reason = reason
        }

        public var message: String {
            "not a replay line that fits: \(reason): \(line)"
        }
    }
}
