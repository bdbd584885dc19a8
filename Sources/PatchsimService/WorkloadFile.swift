/// What the simulated tasks run: Config/workload.toml.
public struct WorkloadFile: Sendable, Hashable {
    /// A function that tasks enter, by name or glob.
    public struct Entry: Sendable, Hashable {
        public var function: String
        /// Share among all entries; a glob's weight is shared by what it matches.
        public var weight: Int

        public init(function: String, weight: Int) {
            self.function = function
            self.weight = weight
        }
    }

    /// Globs that match nothing are skipped with a log line, so that one file fits kernels of many versions.
    public static let entriesMax = 1024
    public static let functionsListedMax = 1024
    public static let weightMax = 1_000_000
    /// Interrupts of one kind per simulated second and CPU.
    public static let interruptRateMax = 1_000_000.0
    public static let fileBytesMax = 1 << 20

    public var entries: [Entry] = []
    public var seed: UInt64?
    public var cpus: Int?
    public var tasks: Int?
    public var instructionsPerSecond: Int?
    /// Per simulated second and CPU.
    public var irqRate = 250.0
    public var nmiRate = 20.0
    /// Functions that an IRQ runs, by name or glob.
    public var irqEntries: [String] = []
    public var nmiEntries: [String] = []
    /// Symbols whose entry the simulator serves itself instead of running their text.
    public var served: [String] = []

    public init() {}
}

/// A configuration file that can't be used: where, what, and what would be right.
public struct ConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
    public let file: String
    /// 1-based; nil where the error belongs to no line.
    public let line: Int?
    /// The key with its tables, `interrupts.irq_rate`.
    public let key: String?
    public let message: String

    public var description: String {
        file + (line.map { ":\($0)" } ?? "") + ": " + (key.map { "\($0): " } ?? "") + message
    }
}

extension WorkloadFile {
    /// Reads the text of a workload file; `file` is its name for messages.
    public init(parsing text: String, file: String) throws(ConfigurationError) {
        let root = try ConfigurationTable(parsing: text, file: file)
        try root.allowOnly(["seed", "cpus", "tasks", "speed", "served", "interrupts", "entry"])
        seed = try root.integer("seed", in: 0...Int(clamping: ServiceSettings.seedMax)).map(UInt64.init)
        cpus = try root.integer("cpus", in: 1...ServiceSettings.cpusMax)
        tasks = try root.integer("tasks", in: 1...ServiceSettings.tasksMax)
        instructionsPerSecond = try root.integer("speed", in: 1...ServiceSettings.instructionsPerSecondMax)
        served = try root.strings("served", countMax: Self.functionsListedMax) ?? []
        if let interrupts = try root.table("interrupts") {
            try interrupts.allowOnly(["irq_rate", "nmi_rate", "irq_entries", "nmi_entries"])
            irqRate = try interrupts.number("irq_rate", in: 0...Self.interruptRateMax) ?? irqRate
            nmiRate = try interrupts.number("nmi_rate", in: 0...Self.interruptRateMax) ?? nmiRate
            irqEntries = try interrupts.strings("irq_entries", countMax: Self.functionsListedMax) ?? []
            nmiEntries = try interrupts.strings("nmi_entries", countMax: Self.functionsListedMax) ?? []
        }
        for table in try root.tables("entry", countMax: Self.entriesMax) {
            try table.allowOnly(["function", "weight"])
            guard let function = try table.string("function") else {
                throw table.error("function", "is missing; an [[entry]] needs the name or glob of a function")
            }
            entries.append(
                Entry(function: function, weight: try table.integer("weight", in: 1...Self.weightMax) ?? 1))
        }
        guard !entries.isEmpty else {
            throw root.error(nil, "no [[entry]]: the tasks would have nothing to run")
        }
    }
}

extension WorkloadFile {
    /// The shipped file.
    public static let standard: WorkloadFile = {
        do {
            return try WorkloadFile(parsing: EmbeddedTexts.workload, file: "Config/workload.toml")
        } catch {
            preconditionFailure("the shipped workload file is right: \(error)")
        }
    }()
}
