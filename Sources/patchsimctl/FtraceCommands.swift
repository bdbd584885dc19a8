internal import ArgumentParser
internal import PatchsimInterface

struct FtraceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ftrace", abstract: "Drive the function tracer.",
        subcommands: [FtraceEnable.self, FtraceDisable.self, FtraceList.self])
}

struct FtraceEnable: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "enable", abstract: "Trace functions.")
    @OptionGroup(title: "Global options") var options: GlobalOptions

    @Argument(help: "Functions to trace, as set_ftrace_filter takes them; '*' is all.")
    var glob: String

    func run() throws {
        try Session.run("ftrace enable", options) { session in
            try session.call(EnableTracing.self, .init(glob: glob)) { Output.write(updateText($0.update)) }
        }
    }
}

struct FtraceDisable: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "disable", abstract: "Trace functions no longer.")
    @OptionGroup(title: "Global options") var options: GlobalOptions

    @Argument(help: "Functions to trace no longer; '*' is all.")
    var glob: String

    func run() throws {
        try Session.run("ftrace disable", options) { session in
            try session.call(DisableTracing.self, .init(glob: glob)) { Output.write(updateText($0.update)) }
        }
    }
}

struct FtraceList: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List call sites.")
    @OptionGroup(title: "Global options") var options: GlobalOptions

    @Argument(help: "Only sites of functions that match.")
    var glob: String?

    func run() throws {
        try Session.run("ftrace list", options) { session in
            try session.stream(ListSites.self, .init(glob: glob)) { reply, isFirst in
                if isFirst, !reply.sites.isEmpty {
                    Output.line("SITE                BYTES           STATE  TRAPS  FUNCTION")
                }
                Output.write(reply.sites.map(siteLine).joined())
            }
        }
    }

    /// Columns of fixed width: the list is shown while it comes.
    private func siteLine(_ site: FtraceSite) -> String {
        let bytes = (Wire.bytes(site.bytes) ?? []).map { Wire.bytes([$0]) }.joined(separator: " ")
        return
            "\(padded(site.address, 18))  \(padded(bytes, 14))  \(padded(site.state, 5))  \(padded("\(site.traps)", -5))  "
            + visible(site.function) + (site.target.map { " -> \(visible($0))" } ?? "") + "\n"
    }
}

private func updateText(_ update: FtraceUpdate) -> String {
    """
    \(grouped(update.matched)) functions match, \(grouped(update.enabledSites)) sites are enabled
    \(grouped(update.pokes)) pokes in \(grouped(update.batches)) batches took \
    \(seconds(update.nanoseconds).drop { $0 == " " }) s of simulated time; CPUs took \(grouped(update.traps)) INT3 traps

    """
}
