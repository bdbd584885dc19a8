/// A violation of an invariant, with everything that is needed to look at it later.
public struct Finding: Codable, Sendable, Hashable {
    /// A line of the verdict's table at the moment of the violation.
    public struct Checks: Codable, Sendable, Hashable {
        /// `I1` ...
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

    /// Unix time in seconds.
    public var foundAt: Int
    /// The daemon's version.
    public var version: String
    /// `builtin`, or the path of the kernel image.
    public var kernel: String
    public var banner: String
    /// `I1` ...
    public var invariant: String
    public var title: String
    public var message: String
    public var cpu: Int
    /// `0x...`
    public var address: String
    public var symbol: String
    /// Simulated time.
    public var nanoseconds: Int
    /// Hash of all events up to the violation, 16 hexadecimal digits.
    public var eventHash: String
    /// Within which bounds the run was made: fetch model, CPUs, driver, seed.
    public var bounds: String
    /// Empty where it was longer than `FindingStore.findingBytesMax` allows.
    public var replay: String
    public var checks: [Checks]

    public init(
        foundAt: Int, version: String, kernel: String, banner: String, invariant: String, title: String,
        message: String, cpu: Int, address: String, symbol: String, nanoseconds: Int, eventHash: String,
        bounds: String, replay: String, checks: [Checks]
    ) {
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

/// A finding with the number that it got when it was stored.
public struct StoredFinding: Sendable, Hashable {
    /// From 1 on; a number is never given twice.
    public let id: Int
    public let finding: Finding
}

/// A change of the simulated kernel that must be done again after a restart.
public struct StoredInput: Sendable, Hashable {
    /// In the order in which they are to be done.
    public let id: Int
    /// The raw value of a WorldInput.Action.
    public let action: String
    public let path: String
    public let text: String

    public init(id: Int = 0, action: String, path: String, text: String) {
        self.id = id
        self.action = action
        self.path = path
        self.text = text
    }
}
