// Public, because conformances of public types to its protocols are public.
public import ArgumentParser
internal import Glibc
public import PatchsimInterface
public import PatchsimService
public import Systemd
internal import Varlink

extension MachineDriver: ExpressibleByArgument {}
extension FetchModelName: ExpressibleByArgument {}
extension LogTarget: ExpressibleByArgument {}

@main
struct Patchsimd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "patchsimd",
        abstract: "Hold a simulated kernel's text and live-patch it while simulated CPUs run it.",
        discussion: "Runs in the foreground until SIGTERM or SIGINT. See patchsimd(8).",
        version: Service.version)

    @Option(help: ArgumentHelp("\"builtin\", or the path of a vmlinux or vmlinuz.", valueName: "builtin|path"))
    var kernel: String?

    @Option(
        help: ArgumentHelp(
            "Listen on this socket. Default: \(SocketPath.system) for root, $XDG_RUNTIME_DIR/patchsim/io.patchsim else.",
            valueName: "path"))
    var socket: String?

    @Option(help: "Simulated CPUs, 1 to \(ServiceSettings.cpusMax).")
    var cpus: Int?

    @Option(help: "Simulated tasks, 1 to \(ServiceSettings.tasksMax).")
    var tasks: Int?

    @Option(help: "Fixes every choice of the deterministic driver, and what the live one draws.")
    var seed: UInt64?

    @Option(help: "Instructions per second of all CPUs together. Default: three quarters of one core stay free.")
    var speed: Int?

    @Option(help: ArgumentHelp("What the tasks run. Default: the shipped workload.toml.", valueName: "file"))
    var workload: String?

    @Option(help: "live: each CPU on its own queue. deterministic: one thread, can step back.")
    var driver: MachineDriver?

    @Option(help: "Which bytes a CPU may still fetch.")
    var fetchModel: FetchModelName?

    @Option(
        help: ArgumentHelp("Steps of the patching protocol to leave out, with commas: sync1,sync2", valueName: "list"))
    var ablate: String?

    @Option(help: "Where log entries go. Default: the journal in a unit, stderr else.")
    var logTarget: LogTarget?

    @Option(help: "Least severity that is logged.")
    var logLevel: LogLevelName = .info

    func run() async throws {
        do {
            try await DaemonRun(options: serviceOptions, socketPath: socket, target: logTarget, level: logLevel).run()
        } catch {
            complain(error.message)
            throw ExitCode(error.cause.rawValue)
        }
    }

    private var serviceOptions: ServiceOptions {
        var options = ServiceOptions()
        options.kernel = kernel
        options.cpus = cpus
        options.tasks = tasks
        options.seed = seed
        options.instructionsPerSecond = speed
        options.workloadPath = workload
        options.driver = driver
        options.fetchModel = fetchModel
        options.ablated = ablate.map { $0.split(separator: ",").map(String.init) } ?? []
        return options
    }

    /// One line, whatever the message holds: scripts read it.
    private func complain(_ message: String) {
        let line = "patchsimd: " + String(message.map { $0.isNewline ? " " : $0 }) + "\n"
        _ = Array(line.utf8).withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
