internal import ArgumentParser
internal import Glibc

@main
struct Patchsimctl: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "patchsimctl",
        abstract: "Watch and drive a simulated kernel that patches its own text.",
        discussion: """
            Talks to patchsimd over its socket. Where no daemon runs, a private one is started for as long as the command
            takes. Global options may stand before or after the command.

            Exit status: 0 done, 1 refused by the daemon, 2 an invariant was violated (verdict, replay), 64 usage, 69 no
            daemon, 76 the peer does not speak the protocol.
            """,
        version: "0.1.0",
        subcommands: [
            StatusCommand.self, CPUsCommand.self, TasksCommand.self, FunctionsCommand.self, SymbolCommand.self,
            ReadCommand.self, DisasmCommand.self, FtraceCommand.self, FilesCommand.self, EventsCommand.self,
            JournalCommand.self,
            PauseCommand.self, ResumeCommand.self, StepCommand.self, VerdictCommand.self, ReplayCommand.self,
            ExecCommand.self, FindingsCommand.self, ConfigurationCommand.self, ReloadCommand.self, LogLevelCommand.self,
            EntryCommand.self,
        ])

    static func main() {
        let arguments = Array(CommandLine.arguments.dropFirst())
        let words = GlobalOptions.moveBehindCommand(arguments)
        let isJSON = GlobalOptions.beforeEnd(arguments).contains("--json")
        if let wrong = CommandWords.problem(in: words, options: arguments) {
            Complaint(status: ExitStatus.usage, text: wrong).report("", json: isJSON)
            Glibc.exit(ExitStatus.usage)
        }
        guard isJSON else { return main(words) }
        do {
            var command = try parseAsRoot(words)
            try command.run()
        } catch {
            // What a command complains about has been written already; this is the parser's.
            if exitCode(for: error) == .validationFailure {
                Complaint(status: ExitStatus.usage, text: message(for: error)).report("", json: true)
                Glibc.exit(ExitStatus.usage)
            }
            exit(withError: error)
        }
    }
}

/// Exit statuses of patchsimctl(1).
enum ExitStatus {
    static let refused: Int32 = 1
    static let violated: Int32 = 2
    static let usage: Int32 = 64
    static let noJournal: Int32 = 66
    static let noDaemon: Int32 = 69
    static let protocolError: Int32 = 76
    static let noRights: Int32 = 77
}
