internal import ArgumentParser
internal import Configuration
internal import Glibc
internal import PatchsimInterface
internal import PatchsimService
internal import Varlink

@main
struct Patchsimd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "patchsimd",
        abstract: "Hold a simulated kernel's text and live-patch it while simulated CPUs run it.",
        discussion: """
            Runs in the foreground until SIGTERM or SIGINT. What the command line leaves open is answered by the \
            environment (\(ConfigurationKey.variablePrefix)*), by the configuration file and its drop-ins, and by \
            defaults. See patchsimd(8) and patchsimd.toml(5).
            """,
        version: Service.version)

    @OptionGroup(title: "Configuration") var configuration: ConfigurationOptions
    @OptionGroup(title: "Keys of the configuration") var keys: KeyOptions

    @Option(
        help: ArgumentHelp(
            "Listen on this socket. Default: \(SocketPath.system) for root, $XDG_RUNTIME_DIR/patchsim/io.patchsim else.",
            valueName: "path"), completion: .file())
    var socket: String?

    func run() async throws {
        let sources = configuration.sources(keys.options)
        do {
            let loaded = try sources.load()
            if configuration.checkConfig { return }
            if configuration.printConfig {
                print(configuration.json ? loaded.json + "\n" : loaded.toml)
                return
            }
            try await DaemonRun(sources: sources, loaded: loaded, socketPath: socket).run()
        } catch let error as ConfigurationProblems {
            for problem in error.problems { complain(problem.description) }
            let asked = configuration.checkConfig || configuration.printConfig
            throw ExitCode(asked ? ServiceStartError.Cause.configuration.rawValue : error.status)
        } catch let error as ServiceStartError {
            complain(error.message)
            throw ExitCode(error.cause.rawValue)
        }
    }

    private func print(_ text: String) {
        _ = Array(text.utf8).withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
    }

    /// One line, whatever the message holds: scripts read it.
    private func complain(_ message: String) {
        let line = "patchsimd: " + String(message.map { $0.isNewline ? " " : $0 }) + "\n"
        _ = Array(line.utf8).withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}

extension ConfigurationProblems {
    /// Of sysexits.h; the first problem decides.
    fileprivate var status: Int32 {
        let cause: ServiceStartError.Cause =
            switch problems[0].cause {
            case .option: .usage
            case .unreadable: .unreadable
            case .content: .configuration
            }
        return cause.rawValue
    }
}
