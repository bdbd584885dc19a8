internal import Spelling

/// Who said what a key is.
public enum ConfigurationOrigin: Sendable, Hashable, CustomStringConvertible {
    /// Nobody.
    case builtIn
    case file(String, line: Int)
    case variable(String)
    case option(String)
    /// Somebody who called the daemon.
    case client

    /// `/etc/patchsim/patchsimd.toml:12`, `environment PATCHSIMD_CPUS`, `option --cpus`, `client`, `default`.
    public var description: String {
        switch self {
        case .builtIn: "default"
        case .file(let path, let line): "\(path):\(line)"
        case .variable(let name): "environment \(name)"
        case .option(let name): "option \(name)"
        case .client: "client"
        }
    }
}

/// The settings in force, and where each comes from.
public struct LoadedConfiguration: Sendable {
    public struct Entry: Sendable {
        public let key: ConfigurationKey
        public let value: ConfigurationValue
        public let origin: ConfigurationOrigin
    }

    public private(set) var settings: ServiceSettings
    private var origins: [String: ConfigurationOrigin]
    /// The files that were read, in the order in which they count, the workload's last.
    public var files: [String]

    init(settings: ServiceSettings, origins: [String: ConfigurationOrigin], files: [String]) {
        self.settings = settings
        self.origins = origins
        self.files = files
    }

    /// Nobody has said anything.
    public init() {
        self.init(settings: ServiceSettings(), origins: [:], files: [])
    }

    /// Every key.
    public var entries: [Entry] { ConfigurationKey.all.map(entry) }

    public func entry(_ key: ConfigurationKey) -> Entry {
        Entry(key: key, value: key.value(in: settings), origin: origins[key.name] ?? .builtIn)
    }

    /// Takes the value of `key` over from another configuration.
    public mutating func take(_ key: ConfigurationKey, from other: LoadedConfiguration) {
        key.write(&settings, key.value(in: other.settings))
        origins[key.name] = other.origins[key.name]
    }

    /// Sets the level of the log as a client asks for it.
    public mutating func setLogLevel(_ level: LogSettings.Level) {
        settings.log.level = level
        origins["log.level"] = .client
    }
}

/// Where the configuration comes from: command line over environment over drop-ins over the file over the workload file over
/// the defaults. A list that is set replaces the whole list below it.
public struct ConfigurationSources: Sendable {
    /// A word of the command line that sets a key.
    public struct Option: Sendable, Hashable {
        /// For messages, `--cpus`.
        public var name: String
        /// `limits.connections_max`.
        public var key: String
        public var text: String

        public init(name: String, key: String, text: String) {
            self.name = name
            self.key = key
            self.text = text
        }
    }

    public static let systemFile = "/etc/patchsim/patchsimd.toml"
    /// Names another file.
    public static let fileVariable = "PATCHSIMD_CONFIG"

    /// Nil reads no file and no drop-ins. The drop-ins stand beside it, in a directory of its name with `.d`.
    public var file: String?
    /// The default file may be missing; one that somebody named may not.
    public var isFileNeeded = false
    public var environment: [String: String] = [:]
    public var options: [Option] = []

    public init() {}

    /// Reads everything anew. Throws everything that is wrong, not the first only.
    public func load() throws(ConfigurationProblems) -> LoadedConfiguration {
        var problems: [ConfigurationProblem] = []
        var found: [String: FoundValue] = [:]
        var files: [String] = []
        for file in readFiles(&problems) {
            problems += file.problems
            found.merge(file.values(&problems)) { $1 }
            files.append(file.path)
        }
        found.merge(variables(&problems)) { $1 }
        found.merge(words(&problems)) { $1 }
        var settings = ServiceSettings()
        for key in ConfigurationKey.all {
            if let value = found[key.name]?.value { key.write(&settings, value) }
        }
        if let path = settings.workloadPath {
            if let workload = readWorkload(path, &problems) {
                settings.workload = workload
                for (name, proposal) in workload.proposals where found[name] == nil {
                    ConfigurationKey.named(name)?.write(&settings, proposal.value)
                    found[name] = FoundValue(
                        value: proposal.value, origin: .file(path, line: proposal.position.line))
                }
            }
            files.append(path)
        }
        guard problems.isEmpty else { throw ConfigurationProblems(problems) }
        return LoadedConfiguration(settings: settings, origins: found.mapValues(\.origin), files: files)
    }

    // MARK: Files

    private func readFiles(_ problems: inout [ConfigurationProblem]) -> [ConfigurationFile] {
        guard let file else { return [] }
        var files: [ConfigurationFile] = []
        func note(_ read: () throws(ConfigurationProblem) -> ConfigurationFile?) {
            do throws(ConfigurationProblem) {
                if let file = try read() { files.append(file) }
            } catch {
                problems.append(error)
            }
        }
        note { () throws(ConfigurationProblem) in
            isFileNeeded ? try ConfigurationFile(reading: file) : try ConfigurationFile(readingIfPresent: file)
        }
        do throws(ConfigurationProblem) {
            for path in try ConfigurationFile.dropIns(of: file + ".d") {
                note { () throws(ConfigurationProblem) in try ConfigurationFile(reading: path) }
            }
        } catch {
            problems.append(error)
        }
        return files
    }

    private func readWorkload(_ path: String, _ problems: inout [ConfigurationProblem]) -> WorkloadFile? {
        do throws(ConfigurationProblem) {
            let file = try ConfigurationFile(reading: path)
            return WorkloadFile(file, &problems)
        } catch {
            problems.append(error)
            return nil
        }
    }

    // MARK: Environment and command line

    private func variables(_ problems: inout [ConfigurationProblem]) -> [String: FoundValue] {
        var found: [String: FoundValue] = [:]
        for (name, text) in environment.sorted(by: { $0.key < $1.key })
        where name.hasPrefix(ConfigurationKey.variablePrefix) && name != Self.fileVariable {
            guard let key = ConfigurationKey.all.first(where: { $0.variable == name }) else {
                let names = ConfigurationKey.all.map(\.variable) + [Self.fileVariable]
                let near = nearest(to: name, in: names, countMax: 1).first.map { "did you mean \($0)?" }
                problems.append(
                    ConfigurationProblem(
                        .content, name, "is no variable of patchsimd; " + (near ?? "patchsimd.toml(5) lists them")))
                continue
            }
            do throws(AllowedValues.Refusal) {
                found[key.name] = FoundValue(
                    value: try key.allowed.value(text: text, isRelative: false), origin: .variable(name))
            } catch {
                problems.append(ConfigurationProblem(.content, name, error.message))
            }
        }
        return found
    }

    private func words(_ problems: inout [ConfigurationProblem]) -> [String: FoundValue] {
        var found: [String: FoundValue] = [:]
        for option in options {
            guard let key = ConfigurationKey.named(option.key) else {
                problems.append(
                    ConfigurationProblem(
                        .option, option.name, key: option.key, "is no key; \(ConfigurationFile.hint(option.key, nil))"))
                continue
            }
            do throws(AllowedValues.Refusal) {
                found[key.name] = FoundValue(
                    value: try key.allowed.value(text: option.text, isRelative: true), origin: .option(option.name))
            } catch {
                problems.append(
                    ConfigurationProblem(
                        .option, option.name, key: option.name == key.option ? nil : key.name, error.message))
            }
        }
        return found
    }
}
