internal import ArgumentParser

/// What every command takes.
struct GlobalOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("The daemon's socket. A private daemon is started only without this.", valueName: "path"))
    var socket: String?

    @Flag(help: "Print each reply as one line of JSON.")
    var json = false

    @Option(
        help: ArgumentHelp(
            "Private daemon: \"builtin\", or the path of a vmlinux or vmlinuz.", valueName: "builtin|path"))
    var kernel: String?

    @Option(help: "Private daemon: simulated CPUs.")
    var cpus: Int?

    @Option(help: "Private daemon: simulated tasks.")
    var tasks: Int?

    @Option(help: "Private daemon: seed.")
    var seed: UInt64?

    @Option(help: "Private daemon: instructions per second.")
    var speed: Int?

    @Option(help: ArgumentHelp("Private daemon: what the tasks run.", valueName: "file"))
    var workload: String?

    @Option(help: "Private daemon: live or deterministic.")
    var driver: String?

    @Option(help: "Private daemon: which bytes a CPU may still fetch.")
    var fetchModel: String?

    @Option(help: ArgumentHelp("Private daemon: steps of the protocol to leave out.", valueName: "list"))
    var ablate: String?

    /// The command line of a private daemon.
    var daemonArguments: [String] {
        let options: [(String, String?)] = [
            ("--kernel", kernel), ("--cpus", cpus.map(String.init)), ("--tasks", tasks.map(String.init)),
            ("--seed", seed.map(String.init)), ("--speed", speed.map(String.init)), ("--workload", workload),
            ("--driver", driver), ("--fetch-model", fetchModel), ("--ablate", ablate),
        ]
        // With `=`, so that a value that begins with a dash stays a value.
        return ["--no-config", "--state-directory=none", "--log-target=stderr", "--log-level=warning"]
            + options.compactMap { name, value in
                value.map { "\(name)=\($0)" }
            }
    }

    /// What may hold options.
    static func beforeEnd(_ arguments: [String]) -> ArraySlice<String> {
        arguments[..<(arguments.firstIndex(of: "--") ?? arguments.endIndex)]
    }

    /// ArgumentParser wants the options of a command behind its name. Global ones may stand anywhere before a `--`, so they
    /// are moved to the end, or before that `--`.
    static func moveBehindCommand(_ arguments: [String]) -> [String] {
        let withValue: Set = [
            "--socket", "--kernel", "--cpus", "--tasks", "--seed", "--speed", "--workload", "--driver", "--fetch-model",
            "--ablate",
        ]
        // This one has a --kernel of its own, and calls no daemon.
        if let place = commandIndex(arguments, withValue), arguments[place] == JournalCommand.configuration.commandName
        {
            return ["journal"] + arguments[(place + 1)...] + arguments[..<place]
        }
        let end = arguments.firstIndex(of: "--") ?? arguments.endIndex
        // `--cpus 4` alone names no command; its error should be about that.
        var own: [String] = []
        var global: [String] = []
        var index = 0
        while index < end {
            let argument = arguments[index]
            let name = argument.split(separator: "=", maxSplits: 1).first.map(String.init) ?? argument
            if argument == "--json" || (withValue.contains(name) && name != argument) {
                global.append(argument)
            } else if withValue.contains(argument), index + 1 < end {
                global += arguments[index...index + 1]
                index += 1
            } else {
                own.append(argument)
            }
            index += 1
        }
        return own + global + arguments[end...]
    }

    /// Where the command's name stands: the first argument that is no option and no option's value.
    private static func commandIndex(_ arguments: [String], _ withValue: Set<String>) -> Int? {
        var index = 0
        while index < arguments.count, arguments[index].hasPrefix("-") {
            index += withValue.contains(arguments[index]) ? 2 : 1
        }
        return index < arguments.count ? index : nil
    }
}
