import FindingStore
import Glibc
import Logging
import PatchsimInterface
import PatchsimService
import Systemd
import Varlink

/// A service with a scripted backend on a socket of its own, in this process.
final class RunningService {
    let backend = ScriptedBackend()
    /// In memory.
    let store: FindingStore
    let service: Service
    let path: String

    init(
        manager: ServiceManager = .absent, access: AccessRules = AccessRules(), limits: VarlinkLimits = VarlinkLimits()
    ) throws {
        path = "/tmp/patchsim-service-\(getpid())-\(UInt64.random(in: 0 ... .max))"
        var logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        logger.logLevel = .critical
        store = try FindingStore(directory: nil)
        service = Service(
            backend: backend, store: store, log: ServiceLog(logger), startedAt: 1_700_000_000, access: access,
            limits: limits, manager: manager)
        service.start(on: try ListeningSocket(path: path))
    }

    deinit {
        let service = service
        Task.detached { await service.stop() }
    }

    func client() throws -> VarlinkClient {
        try VarlinkClient(path: path)
    }
}

extension VarlinkClient {
    func call<Method: InterfaceMethod>(_ method: Method.Type, _ parameters: Method.Parameters) throws -> Method.Reply {
        try call(Method.name, parameters, reply: Method.Reply.self)
    }

    func all<Method: InterfaceMethod>(_ method: Method.Type, _ parameters: Method.Parameters) throws -> [Method.Reply] {
        var replies: [Method.Reply] = []
        try stream(Method.name, parameters, reply: Method.Reply.self) {
            replies.append($0)
            return true
        }
        return replies
    }

    /// The error that a call is refused with.
    func refusal<Method: InterfaceMethod>(_ method: Method.Type, _ parameters: Method.Parameters) throws
        -> VarlinkError?
    {
        do {
            _ = try call(method, parameters)
            return nil
        } catch VarlinkClientError.refused(let error) {
            return error
        }
    }
}

/// A program's end.
struct Finished {
    let status: Int32
    let output: String
    let errors: String
}

/// Runs a program to its end. `arguments[0]` is its path, or a name beside this test's own executable.
func run(_ arguments: [String], environment: [String: String] = [:]) throws -> Finished {
    try StartedProgram(arguments, environment: environment).end()
}

/// A program that runs.
final class StartedProgram {
    let pid: pid_t
    private let place = "/tmp/patchsim-run-\(getpid())-\(UInt64.random(in: 0 ... .max))"
    private var finished: Finished?

    init(_ arguments: [String], environment: [String: String] = [:]) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        // Dispatch's threads block signals, and a child inherits that: no shell could end its own children then.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var noSignals = sigset_t()
        sigemptyset(&noSignals)
        posix_spawnattr_setsigmask(&attributes, &noSignals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, place + ".out", O_CREAT | O_WRONLY, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, place + ".err", O_CREAT | O_WRONLY, 0o600)
        let path = arguments[0].hasPrefix("/") ? arguments[0] : builtProgram(arguments[0])
        var argv = arguments.map { strdup($0) } + [nil]
        let variables = environment.merging(["PATH": "/usr/bin:/bin"]) { own, _ in own }
        var envp = variables.map { strdup("\($0)=\($1)") } + [nil]
        defer { for text in argv + envp { free(text) } }
        var pid: pid_t = 0
        guard posix_spawn(&pid, path, &actions, &attributes, &argv, &envp) == 0 else { throw RunError(path: path) }
        self.pid = pid
    }

    deinit {
        if finished == nil {
            kill(pid, SIGKILL)
            _ = end()
        }
    }

    /// Waits for the end.
    func end() -> Finished {
        if let finished { return finished }
        var raw: Int32 = 0
        while waitpid(pid, &raw, 0) < 0, errno == EINTR {}
        let status = raw & 0x7f == 0 ? (raw >> 8) & 0xff : 128 + (raw & 0x7f)
        let result = Finished(status: status, output: text(of: place + ".out"), errors: text(of: place + ".err"))
        unlink(place + ".out")
        unlink(place + ".err")
        finished = result
        return result
    }
}

/// Whether it becomes true within some seconds.
func eventually(_ condition: () -> Bool) -> Bool {
    for _ in 0..<6000 {
        if condition() { return true }
        usleep(10_000)
    }
    return condition()
}

struct RunError: Error {
    let path: String
}

/// Programs are built into the folder that this test's executable stands in.
func builtProgram(_ name: String) -> String {
    let own = executablePath()
    return own[...own.lastIndex(of: "/")!] + name
}

/// The package's folder: where `.build` is.
let packagePath: String = {
    let parts = executablePath().split(separator: "/", omittingEmptySubsequences: false)
    let build = parts.firstIndex { $0.hasPrefix(".build") } ?? parts.endIndex
    return parts[..<build].joined(separator: "/")
}()

private func executablePath() -> String {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = buffer.withUnsafeMutableBytes {
        readlink("/proc/self/exe", $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
    }
    return String(decoding: buffer.prefix(max(count, 0)), as: UTF8.self)
}

func text(of path: String) -> String {
    let descriptor = open(path, O_RDONLY)
    guard descriptor >= 0 else { return "" }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while case let count = read(descriptor, &chunk, chunk.count), count > 0 { bytes += chunk[..<count] }
    return String(decoding: bytes, as: UTF8.self)
}
