internal import ArgumentParser
internal import Configuration
internal import Glibc

/// Which configuration is read, and what is done with it.
struct ConfigurationOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Read this file, and the drop-ins in the directory of its name with .d, instead of \(ConfigurationSources.systemFile).",
            valueName: "file"), completion: .file(extensions: ["toml"]))
    var config: String?

    @Flag(help: "Read no configuration file.")
    var noConfig = false

    @Flag(help: "Only check the configuration. All mistakes are told; status 78 if there is one.")
    var checkConfig = false

    @Flag(help: "Only print the configuration in force, each value with its origin.")
    var printConfig = false

    @Flag(help: "With --print-config: one line of JSON.")
    var json = false

    func validate() throws {
        if config != nil, noConfig { throw ValidationError("--config and --no-config exclude each other") }
        if checkConfig, printConfig { throw ValidationError("--check-config and --print-config exclude each other") }
        if json, !printConfig { throw ValidationError("--json goes with --print-config") }
    }

    func sources(_ options: [ConfigurationSources.Option]) -> ConfigurationSources {
        var sources = ConfigurationSources()
        sources.environment = Self.environment()
        let named = config ?? sources.environment[ConfigurationSources.fileVariable]
        sources.file = noConfig ? nil : named ?? ConfigurationSources.systemFile
        sources.isFileNeeded = named != nil
        sources.options = options
        return sources
    }

    private static func environment() -> [String: String] {
        var variables: [String: String] = [:]
        var next = environ
        while let variable = next.pointee {
            let text = String(cString: variable)
            if let equals = text.firstIndex(of: "=") {
                variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            next += 1
        }
        return variables
    }
}

/// Options that set keys of the configuration. They are words here; `Configuration` knows what they may be.
struct KeyOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("\"builtin\", or the path of a vmlinux or vmlinuz.", valueName: "builtin|path"),
        completion: .file())
    var kernel: String?

    @Option(help: Help.range("Simulated CPUs", 1...ServiceSettings.cpusMax))
    var cpus: String?

    @Option(help: Help.range("Simulated tasks", 1...ServiceSettings.tasksMax))
    var tasks: String?

    @Option(
        help: ArgumentHelp(
            "Fixes every choice of the deterministic driver, and what the live one draws.", valueName: "number"))
    var seed: String?

    @Option(
        help: ArgumentHelp(
            "Instructions per second of all CPUs together, or \"auto\": three quarters of one core stay free.",
            valueName: "instructions|auto"))
    var speed: String?

    @Option(
        help: ArgumentHelp("What the tasks run: \"shipped\", or a file like workload.toml.", valueName: "shipped|path"),
        completion: .file(extensions: ["toml"]))
    var workload: String?

    @Option(
        help: ArgumentHelp(
            "live: each CPU on its own queue. deterministic: one thread, can step back.", valueName: "driver"),
        completion: .list(Help.words("driver")))
    var driver: String?

    @Option(
        help: ArgumentHelp("Which bytes a CPU may still fetch: \(Help.listed("fetch_model")).", valueName: "model"),
        completion: .list(Help.words("fetch_model")))
    var fetchModel: String?

    @Option(
        help: ArgumentHelp(
            "Steps of the patching protocol to leave out, with commas: \(Help.listed("ablate")).", valueName: "list"),
        completion: .list(Help.words("ablate")))
    var ablate: String?

    @Option(
        help: ArgumentHelp(
            "Where state is kept over restarts: \"auto\" (where the service manager says), \"none\", or a directory.",
            valueName: "auto|none|path"), completion: .directory)
    var stateDirectory: String?

    @Option(
        help: ArgumentHelp(
            "Where log entries go: \(Help.listed("log.target")). auto is the journal in a unit, stderr else.",
            valueName: "target"), completion: .list(Help.words("log.target")))
    var logTarget: String?

    @Option(
        help: ArgumentHelp("Least severity that is logged: \(Help.listed("log.level")).", valueName: "level"),
        completion: .list(Help.words("log.level")))
    var logLevel: String?

    @Option(help: ArgumentHelp("Set any key of patchsimd.toml(5), limits.connections_max=64.", valueName: "key=value"))
    var set: [String] = []

    func validate() throws {
        for word in set where !word.contains("=") { throw ValidationError("--set \(word): KEY=VALUE is needed") }
    }

    var options: [ConfigurationSources.Option] {
        let words = [
            "kernel": kernel, "cpus": cpus, "tasks": tasks, "seed": seed, "speed": speed, "workload": workload,
            "driver": driver, "fetch_model": fetchModel, "ablate": ablate, "state_directory": stateDirectory,
            "log.target": logTarget, "log.level": logLevel,
        ]
        // What has an option of its own goes before --set, whatever their order.
        return set.map { word in
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            return ConfigurationSources.Option(name: "--set", key: parts[0], text: parts[1])
        }
            + ConfigurationKey.all.compactMap { key in
                guard let option = key.option, let text = words[key.name] ?? nil else { return nil }
                return ConfigurationSources.Option(name: option, key: key.name, text: text)
            }
    }
}

/// Parts of help texts.
private enum Help {
    static func range(_ text: String, _ range: ClosedRange<Int>) -> ArgumentHelp {
        ArgumentHelp("\(text), \(range.lowerBound) to \(range.upperBound).", valueName: "count")
    }

    static func words(_ key: String) -> [String] {
        switch ConfigurationKey.named(key)?.allowed {
        case .word(let words), .words(let words): words
        default: []
        }
    }

    static func listed(_ key: String) -> String {
        words(key).joined(separator: ", ")
    }
}
