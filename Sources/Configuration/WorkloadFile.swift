internal import Spelling

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

    /// What the file proposes for a key of the daemon.
    public struct Proposal: Sendable, Hashable {
        public var value: ConfigurationValue
        public var position: SourcePosition
    }

    /// Globs that match nothing are skipped with a log line, so that one file fits kernels of many versions.
    public static let entriesMax = 1024
    public static let functionsListedMax = 1024
    public static let functionBytesMax = 512
    public static let weightMax = 1_000_000

    public var entries: [Entry] = []
    /// Functions that an IRQ runs, by name or glob.
    public var irqEntries: [String] = []
    public var nmiEntries: [String] = []
    /// Symbols whose entry the simulator serves itself instead of running their text.
    public var served: [String] = []
    /// By the name of the key; everything else that says something goes before it.
    public var proposals: [String: Proposal] = [:]

    public init() {}

    /// Whether tasks do the same; what is proposed for keys of the daemon doesn't count.
    public func runsLike(_ other: WorkloadFile) -> Bool {
        entries == other.entries && irqEntries == other.irqEntries && nmiEntries == other.nmiEntries
            && served == other.served
    }
}

extension WorkloadFile {
    /// Keys of patchsimd.toml that a workload may propose.
    static let proposed = ["seed", "cpus", "tasks", "speed", "interrupts.irq_rate", "interrupts.nmi_rate"]
    /// Keys of its own.
    static let keys = ["served", "interrupts.irq_entries", "interrupts.nmi_entries", "entry"]

    /// Reads the text of a workload file; `file` is its name for messages.
    public init(parsing text: String, file: String) throws(ConfigurationProblems) {
        let read = ConfigurationFile(file, Array(text.utf8))
        var problems: [ConfigurationProblem] = []
        guard let workload = WorkloadFile(read, &problems) else { throw ConfigurationProblems(problems) }
        self = workload
    }

    /// Nil if something is wrong, which then is among `problems`.
    init?(_ file: ConfigurationFile, _ problems: inout [ConfigurationProblem]) {
        let before = problems.count
        problems += file.problems
        let reader = WorkloadReader(path: file.path)
        reader.read(file.table, tableName: nil, into: &self, &problems)
        if entries.isEmpty, problems.count == before {
            problems.append(
                ConfigurationProblem(.content, file.path, "no [[entry]]: the tasks would have nothing to run"))
        }
        guard problems.count == before else { return nil }
    }
}

/// Walks the tables of a workload file.
private struct WorkloadReader {
    let path: String

    private func problem(_ position: SourcePosition, _ key: String, _ message: String) -> ConfigurationProblem {
        ConfigurationProblem(.content, path, at: position, key: key, message)
    }

    func read(
        _ table: TOMLTable, tableName: String?, into workload: inout WorkloadFile,
        _ problems: inout [ConfigurationProblem]
    ) {
        for entry in table.entries {
            let name = tableName.map { "\($0).\(entry.key)" } ?? entry.key
            do throws(AllowedValues.Refusal) {
                switch name {
                case "interrupts":
                    guard case .table(let inner) = entry.value else {
                        throw AllowedValues.Refusal("must be a table, [interrupts], not \(entry.value.kind)")
                    }
                    read(inner, tableName: name, into: &workload, &problems)
                case "entry": workload.entries = try entries(entry.value, &problems)
                case "served": workload.served = try functions(entry.value)
                case "interrupts.irq_entries": workload.irqEntries = try functions(entry.value)
                case "interrupts.nmi_entries": workload.nmiEntries = try functions(entry.value)
                default:
                    guard WorkloadFile.proposed.contains(name), let key = ConfigurationKey.named(name) else {
                        throw AllowedValues.Refusal("is no key of a workload file; \(hint(name, tableName))")
                    }
                    workload.proposals[name] = WorkloadFile.Proposal(
                        value: try key.allowed.value(entry.value), position: entry.position)
                }
            } catch {
                problems.append(problem(entry.position, name, error.message))
            }
        }
    }

    private func hint(_ name: String, _ tableName: String?) -> String {
        let known = WorkloadFile.proposed + WorkloadFile.keys + ["interrupts"]
        if let near = nearest(to: name, in: known, countMax: 1).first { return "did you mean \(near)?" }
        if ConfigurationKey.named(name) != nil { return "it belongs into patchsimd.toml" }
        let here = known.filter { key in tableName.map { key.hasPrefix($0 + ".") } ?? !key.contains(".") }
        return "keys here are \(here.joined(separator: ", "))"
    }

    private func functions(_ value: TOMLValue) throws(AllowedValues.Refusal) -> [String] {
        let allowed = AllowedValues.names(
            countMax: WorkloadFile.functionsListedMax, bytesMax: WorkloadFile.functionBytesMax)
        guard case .list(let names) = try allowed.value(value) else { return [] }
        return names
    }

    private func entries(
        _ value: TOMLValue, _ problems: inout [ConfigurationProblem]
    ) throws(AllowedValues.Refusal) -> [WorkloadFile.Entry] {
        guard case .array(let items) = value else {
            throw AllowedValues.Refusal("must be a list of tables, [[entry]], not \(value.kind)")
        }
        guard items.count <= WorkloadFile.entriesMax else {
            throw AllowedValues.Refusal("stands \(items.count) times; \(WorkloadFile.entriesMax) are allowed")
        }
        var entries: [WorkloadFile.Entry] = []
        for (index, item) in items.enumerated() {
            let name = "entry[\(index + 1)]"
            guard case .table(let table) = item.value else {
                problems.append(problem(item.position, name, "must be a table, [[entry]], not \(item.value.kind)"))
                continue
            }
            if let entry = self.entry(table, name, item.position, &problems) { entries.append(entry) }
        }
        return entries
    }

    private func entry(
        _ table: TOMLTable, _ name: String, _ position: SourcePosition, _ problems: inout [ConfigurationProblem]
    ) -> WorkloadFile.Entry? {
        var entry = WorkloadFile.Entry(function: "", weight: 1)
        let before = problems.count
        for member in table.entries {
            do throws(AllowedValues.Refusal) {
                switch member.key {
                case "function":
                    let list = TOMLValue.array([TOMLItem(value: member.value, position: member.position)])
                    guard case .string = member.value else {
                        throw AllowedValues.Refusal("must be a string, not \(member.value.kind)")
                    }
                    entry.function = try functions(list)[0]
                case "weight":
                    let allowed = AllowedValues.integer(1...WorkloadFile.weightMax)
                    if case .integer(let weight) = try allowed.value(member.value) { entry.weight = weight }
                default:
                    let near = nearest(to: member.key, in: ["function", "weight"], countMax: 1).first
                    throw AllowedValues.Refusal(
                        "is no key of an [[entry]]; "
                            + (near.map { "did you mean \($0)?" } ?? "keys here are function, weight"))
                }
            } catch {
                problems.append(problem(member.position, "\(name).\(member.key)", error.message))
            }
        }
        if table["function"] == nil {
            problems.append(
                problem(
                    position, "\(name).function", "is missing; an [[entry]] needs the name or glob of a function"))
        }
        return problems.count == before ? entry : nil
    }
}

extension WorkloadFile {
    /// The shipped file.
    public static let standard: WorkloadFile = {
        do {
            return try WorkloadFile(parsing: ShippedFiles.workload, file: "Config/workload.toml")
        } catch {
            preconditionFailure("the shipped workload file is right: \(error)")
        }
    }()
}
