internal import ArgumentParser
internal import PatchsimInterface

struct ConfigurationCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Show the daemon's configuration in force, and where each value comes from.")
    @OptionGroup(title: "Global options") var options: GlobalOptions

    func run() throws {
        try Session.run("config", options) { session in
            try session.call(GetConfiguration.self, Nothing()) { reply in
                var table = TextTable([("KEY", .left), ("VALUE", .left), ("ORIGIN", .left)])
                for entry in reply.entries {
                    let waiting = entry.waiting.map { "; \($0) at the next start" } ?? ""
                    table.add([entry.key, entry.value, entry.origin + waiting])
                }
                Output.write(table.text)
            }
        }
    }
}

struct ReloadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reload", abstract: "Let the daemon read its configuration again.",
        discussion:
            "Returns when the daemon follows it. One with a mistake is refused, and the one before stays in force.")
    @OptionGroup(title: "Global options") var options: GlobalOptions

    func run() throws {
        try Session.run("reload", options) { session in
            try session.call(Reload.self, Nothing()) { reply in
                for change in reply.changed { Output.line(line(change)) }
                for change in reply.waiting { Output.line(line(change) + " at the next start") }
            }
        }
    }

    private func line(_ change: ConfigurationChange) -> String {
        "\(change.key): \(visible(change.before)) -> \(visible(change.after))"
    }
}

struct LogLevelCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "log-level", abstract: "Set the least severity that the daemon logs, until its next reload.")
    @OptionGroup(title: "Global options") var options: GlobalOptions

    @Argument(
        help: "trace, debug, info, notice, warning, error or critical.",
        completion: .list(["trace", "debug", "info", "notice", "warning", "error", "critical"]))
    var level: String

    func run() throws {
        try Session.run("log-level", options) { session in
            try session.call(SetLogLevel.self, .init(level: level)) { Output.line("was \($0.before)") }
        }
    }
}
