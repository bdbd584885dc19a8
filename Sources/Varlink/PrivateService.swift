internal import CPlatform
internal import Glibc

/// A service that runs for one client: Varlink's `exec:` address. The client makes the listening socket and hands it over,
/// so that it can connect at once and no file is left behind whatever happens to either.
public final class PrivateService {
    private static let digitsOfPid = 10

    private let pid: pid_t
    private var status: Int32?

    /// Starts `executable` with its listening socket as descriptor 3, and connects. It ends with this object, and with the
    /// calling thread.
    public static func start(
        executable: String, arguments: [String]
    ) throws(PrivateServiceError) -> (service: PrivateService, client: VarlinkClient) {
        guard access(executable, X_OK) == 0 else {
            throw .notStarted(executable: executable, errno: errno)
        }
        var template = Array("/tmp/patchsim-private.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw .notStarted(executable: "mkdtemp", errno: errno) }
        let directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let path = directory + "/socket"
        defer {
            unlink(path)
            rmdir(directory)
        }
        let listening: ListeningSocket
        let client: VarlinkClient
        do {
            listening = try ListeningSocket(path: path, mode: 0o600)
        } catch {
            throw .noSocket("\(error)")
        }
        defer { close(listening.descriptor) }
        do {
            client = try VarlinkClient(path: path)
        } catch {
            throw .noSocket("\(error)")
        }
        let pid = spawn(executable, arguments, listening.descriptor)
        guard pid > 0 else { throw .notStarted(executable: executable, errno: -pid) }
        return (PrivateService(pid: pid), client)
    }

    private init(pid: pid_t) {
        self.pid = pid
    }

    deinit {
        if status == nil {
            kill(pid, SIGTERM)
            _ = wait(WNOHANG)
        }
    }

    private static func spawn(_ executable: String, _ arguments: [String], _ listening: Int32) -> Int32 {
        var environment: [String] = []
        var entry = environ
        while let text = entry.pointee {
            let variable = String(cString: text)
            if !variable.hasPrefix("LISTEN_") && !variable.hasPrefix("NOTIFY_SOCKET=") { environment.append(variable) }
            entry += 1
        }
        environment += [
            "LISTEN_FDS=1", "LISTEN_FDNAMES=varlink", "LISTEN_PID=" + String(repeating: " ", count: digitsOfPid),
        ]
        var argv = ([executable] + arguments).map { strdup($0) } + [nil]
        var envp = environment.map { strdup($0) } + [nil]
        defer {
            for text in argv + envp { free(text) }
        }
        return patchsim_spawn_activated(executable, &argv, &envp, listening)
    }

    /// Waits until the service has ended. Its exit status, or 128 and the signal's number as shells have it.
    public func waitForEnd() -> Int32 {
        wait(0) ?? 0
    }

    private func wait(_ options: Int32) -> Int32? {
        if let status { return status }
        var raw: Int32 = 0
        var result: pid_t
        repeat { result = waitpid(pid, &raw, options) } while result < 0 && errno == EINTR
        guard result == pid else { return nil }
        let signal = raw & 0x7f
        status = signal == 0 ? (raw >> 8) & 0xff : 128 + signal
        return status
    }
}

/// Why there is no private service.
public enum PrivateServiceError: Error, Sendable, CustomStringConvertible {
    case notStarted(executable: String, errno: Int32)
    case noSocket(String)

    public var description: String {
        switch self {
        case .notStarted(let executable, let errno): "\(executable): \(String(cString: strerror(errno)))"
        case .noSocket(let message): message
        }
    }
}
