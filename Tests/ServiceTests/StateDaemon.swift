import Glibc
import PatchsimInterface
import Testing
import Varlink

/// The built patchsimd on a state directory of its own, which may be killed and started again.
final class StateDaemon {
    static let tracing = "/sys/kernel/tracing"

    let directory: String
    let socket: String
    private(set) var program: StartedProgram?

    init() {
        let name = "/tmp/patchsim-state-\(getpid())-\(UInt64.random(in: 0 ... .max))"
        directory = name + "-dir"
        socket = name + ".sock"
    }

    deinit {
        if let program { Glibc.kill(program.pid, SIGKILL) }
        for path in names.map({ "\(directory)/\($0)" }) + [socket] { unlink(path) }
        rmdir(directory)
    }

    var names: [String] {
        guard let opened = opendir(directory) else { return [] }
        defer { closedir(opened) }
        var names: [String] = []
        while let entry = readdir(opened) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Starts the daemon; returns when it answers, and so has restored what it had. `wrapper` is a program that runs it.
    @discardableResult
    func start(_ options: [String] = [], wrapper: [String] = []) throws -> VarlinkClient {
        let own = [builtProgram("patchsimd"), "--socket", socket, "--state-directory", directory, "--cpus", "2"]
        let program = try StartedProgram(wrapper + own + options)
        self.program = program
        try #require(
            eventually { (try? VarlinkClient(path: socket).call(Ping.self, .init())) != nil || program.hasEnded },
            "the daemon answers")
        return try VarlinkClient(path: socket)
    }

    /// SIGKILL; returns what the daemon had said.
    @discardableResult
    func kill() -> Finished? {
        guard let program else { return nil }
        Glibc.kill(program.pid, SIGKILL)
        self.program = nil
        return program.end()
    }

    /// SIGTERM.
    @discardableResult
    func stop() -> Finished? {
        guard let program else { return nil }
        Glibc.kill(program.pid, SIGTERM)
        self.program = nil
        return program.end()
    }

    func ctl(_ arguments: String...) throws -> Finished {
        try run(["patchsimctl", "--socket", socket] + arguments)
    }
}

extension StartedProgram {
    /// Whether the process is gone; it is not waited for.
    var hasEnded: Bool {
        var information = siginfo_t()
        return waitid(P_PID, id_t(pid), &information, WEXITED | WNOHANG | WNOWAIT) == 0
            && information.si_signo == SIGCHLD
    }
}

/// The tracer's state as its files show it.
struct TracerState: Hashable, CustomStringConvertible {
    var filter: Set<String> = []
    var tracer = "nop"
    var isOn = true
    var instances: Set<String> = []

    init() {}

    init(_ client: VarlinkClient) throws {
        func words(_ file: String) throws -> [String] {
            let reply = try client.call(ReadFile.self, .init(path: "\(StateDaemon.tracing)/\(file)"))
            return reply.text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map(String.init)
        }
        filter = Set(try words("set_ftrace_filter"))
        tracer = try words("current_tracer").first ?? ""
        isOn = try words("tracing_on") == ["1"]
        let entries = try client.call(ListFiles.self, .init(path: "\(StateDaemon.tracing)/instances")).entries
        instances = Set(entries.map(\.name))
    }

    var description: String {
        "filter \(filter.sorted()), \(tracer), \(isOn ? "on" : "off"), instances \(instances.sorted())"
    }
}
