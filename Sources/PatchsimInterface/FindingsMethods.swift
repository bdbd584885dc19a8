/// A line of the verdict's table at the moment of a violation.
public struct FindingChecks: Codable, Sendable, Hashable {
    public var invariant: String
    public var title: String
    public var checks: Int
    public var violations: Int

    public init(invariant: String, title: String, checks: Int, violations: Int) {
        self.invariant = invariant
        self.title = title
        self.checks = checks
        self.violations = violations
    }
}

/// A violation that was kept. Each field's meaning stands in io.patchsim.Findings.varlink.
public struct FindingRecord: Codable, Sendable, Hashable {
    public var id: Int
    public var foundAt: Int
    public var version: String
    public var kernel: String
    public var banner: String
    public var invariant: String
    public var title: String
    public var message: String
    public var cpu: Int
    public var address: String
    public var symbol: String
    public var nanoseconds: Int
    public var eventHash: String
    public var bounds: String
    public var replay: String
    public var checks: [FindingChecks]

    public init(
        id: Int, foundAt: Int, version: String, kernel: String, banner: String, invariant: String, title: String,
        message: String, cpu: Int, address: String, symbol: String, nanoseconds: Int, eventHash: String,
        bounds: String, replay: String, checks: [FindingChecks]
    ) {
        self.id = id
        self.foundAt = foundAt
        self.version = version
        self.kernel = kernel
        self.banner = banner
        self.invariant = invariant
        self.title = title
        self.message = message
        self.cpu = cpu
        self.address = address
        self.symbol = symbol
        self.nanoseconds = nanoseconds
        self.eventHash = eventHash
        self.bounds = bounds
        self.replay = replay
        self.checks = checks
    }
}

/// What becomes of findings and changes.
public struct StoreRecord: Codable, Sendable, Hashable {
    public var path: String?
    public var durable: Bool
    public var reason: String?
    public var kept: Int
    public var dropped: Int
    public var waiting: Int

    public init(path: String?, durable: Bool, reason: String?, kept: Int, dropped: Int, waiting: Int) {
        self.path = path
        self.durable = durable
        self.reason = reason
        self.kept = kept
        self.dropped = dropped
        self.waiting = waiting
    }
}

public enum ListFindings: InterfaceMethod {
    public static let name = "io.patchsim.Findings.List"

    public struct Parameters: Codable, Sendable, Hashable {
        public var before: Int?
        public var count: Int?

        public init(before: Int? = nil, count: Int? = nil) {
            self.before = before
            self.count = count
        }
    }

    public struct Reply: Codable, Sendable, Hashable {
        public var findings: [FindingRecord]
        public var store: StoreRecord

        public init(findings: [FindingRecord], store: StoreRecord) {
            self.findings = findings
            self.store = store
        }
    }
}

public enum GetFinding: InterfaceMethod {
    public static let name = "io.patchsim.Findings.Get"

    public struct Parameters: Codable, Sendable, Hashable {
        public var id: Int

        public init(id: Int) {
            self.id = id
        }
    }

    public struct Reply: Codable, Sendable, Hashable {
        public var finding: FindingRecord

        public init(finding: FindingRecord) {
            self.finding = finding
        }
    }
}

public enum ExportFindings: InterfaceMethod {
    public static let name = "io.patchsim.Findings.Export"

    public struct Parameters: Codable, Sendable, Hashable {
        public var ids: [Int]?

        public init(ids: [Int]? = nil) {
            self.ids = ids
        }
    }

    public struct Reply: Codable, Sendable, Hashable {
        public var finding: FindingRecord?

        public init(finding: FindingRecord? = nil) {
            self.finding = finding
        }
    }
}

public enum DeleteFindings: InterfaceMethod {
    public static let name = "io.patchsim.Findings.Delete"

    public struct Parameters: Codable, Sendable, Hashable {
        public var ids: [Int]?
        public var all: Bool?

        public init(ids: [Int]? = nil, all: Bool? = nil) {
            self.ids = ids
            self.all = all
        }
    }

    public struct Reply: Codable, Sendable, Hashable {
        public var deleted: Int

        public init(deleted: Int) {
            self.deleted = deleted
        }
    }
}

/// Errors of io.patchsim.Findings.
public enum FindingsFault {
    public struct NoSuchFinding: InterfaceFault, Hashable {
        public static let name = "io.patchsim.Findings.NoSuchFinding"
        public var id: Int
        public var near: [Int]

        public init(id: Int, near: [Int]) {
            self.id = id
            self.near = near
        }

        public var message: String {
            "there is no finding \(id)"
                + (near.isEmpty
                    ? "; there are none" : "; the newest are \(near.map(String.init).joined(separator: ", "))")
        }
    }
}
