internal import ArgumentParser
internal import FoundationEssentials
internal import Glibc
internal import PatchsimInterface
internal import Varlink

/// A connection to a daemon, the user's or a private one, and how its replies are shown.
final class Session {
    private let client: VarlinkClient
    /// Ends with this session.
    private let daemon: PrivateService?
    private let json: Bool

    private init(client: VarlinkClient, daemon: PrivateService?, json: Bool) {
        self.client = client
        self.daemon = daemon
        self.json = json
    }

    /// Opens a session, runs `body`, and turns what went wrong into a line on stderr and an exit status. `command` is what
    /// the user typed, for that line.
    static func run(_ command: String, _ options: GlobalOptions, _ body: (Session) throws -> Void) throws {
        do {
            let session = try open(options)
            do {
                try body(session)
            } catch let error as VarlinkClientError {
                throw Complaint(error, daemonStatus: session.daemonStatus(after: error))
            }
        } catch let complaint as Complaint {
            throw complaint.report(command, json: options.json)
        }
    }

    private static func open(_ options: GlobalOptions) throws -> Session {
        if let path = options.socket {
            return Session(client: try connect(path), daemon: nil, json: options.json)
        }
        let runtime = getenv("XDG_RUNTIME_DIR").map { String(cString: $0) }
        for path in SocketPath.candidates(isRoot: geteuid() == 0, runtimeDirectory: runtime) {
            do {
                return Session(client: try VarlinkClient(path: path), daemon: nil, json: options.json)
            } catch .nobodyListens {
                continue
            } catch {
                throw Complaint(error, daemonStatus: nil)
            }
        }
        let executable = try privateDaemonPath()
        do {
            let (service, client) = try PrivateService.start(
                executable: executable, arguments: options.daemonArguments)
            return Session(client: client, daemon: service, json: options.json)
        } catch {
            throw Complaint(status: ExitStatus.noDaemon, text: "no daemon listens, and none can be started: \(error)")
        }
    }

    private static func connect(_ path: String) throws -> VarlinkClient {
        do {
            return try VarlinkClient(path: path)
        } catch {
            throw Complaint(error, daemonStatus: nil)
        }
    }

    /// $PATCHSIMD, or the daemon that was installed beside this program.
    private static func privateDaemonPath() throws -> String {
        if let path = getenv("PATCHSIMD") { return String(cString: path) }
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = buffer.withUnsafeMutableBytes {
            readlink("/proc/self/exe", $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
        }
        let own = String(decoding: buffer.prefix(max(count, 0)), as: UTF8.self)
        guard let slash = own.lastIndex(of: "/") else {
            throw Complaint(status: ExitStatus.noDaemon, text: "no daemon listens, and /proc is not there to find one")
        }
        return own[...slash] + "patchsimd"
    }

    /// How a private daemon ended, where that is why its connection closed.
    private func daemonStatus(after error: VarlinkClientError) -> Int32? {
        switch error {
        case .closed, .broken: daemon?.waitForEnd()
        default: nil
        }
    }

    // Calls

    /// Calls, and shows the reply: as JSON, or as `show` has it.
    func call<Method: InterfaceMethod>(
        _ method: Method.Type, _ parameters: Method.Parameters, show: (Method.Reply) throws -> Void
    ) throws {
        let reply = try client.call(Method.name, parameters, reply: Method.Reply.self)
        if json { try printJSON(reply) } else { try show(reply) }
    }

    /// As `call`, and returns the reply.
    func answer<Method: InterfaceMethod>(
        _ method: Method.Type, _ parameters: Method.Parameters, show: (Method.Reply) throws -> Void
    ) throws -> Method.Reply {
        let reply = try client.call(Method.name, parameters, reply: Method.Reply.self)
        if json { try printJSON(reply) } else { try show(reply) }
        return reply
    }

    /// Calls with `more`, and shows each reply as it comes, until nobody reads stdout; `show` is given whether it is the
    /// first.
    func stream<Method: InterfaceMethod>(
        _ method: Method.Type, _ parameters: Method.Parameters, show: (Method.Reply, Bool) throws -> Void
    ) throws {
        var isFirst = true
        do {
            try client.stream(Method.name, parameters, reply: Method.Reply.self, output: STDOUT_FILENO) { reply in
                if json { try printJSON(reply) } else { try show(reply, isFirst) }
                isFirst = false
                return true
            }
        } catch VarlinkClientError.outputClosed {
            // The reader has seen enough: `| head` is no error.
            return
        }
    }

    /// Calls with `more`, and hands each reply to `body`.
    func each<Method: InterfaceMethod>(
        _ method: Method.Type, _ parameters: Method.Parameters, _ body: (Method.Reply) throws -> Void
    ) throws {
        try client.stream(Method.name, parameters, reply: Method.Reply.self) { reply in
            try body(reply)
            return true
        }
    }

    func printJSON(_ reply: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        Output.write(String(decoding: try encoder.encode(reply), as: UTF8.self) + "\n")
    }
}

/// What is said on stderr before the program ends.
struct Complaint: Error {
    let status: Int32
    let text: String
    /// The daemon's error reply as it came.
    var reply: String?
    /// The text names its object first: it follows the command without a colon.
    var namesObject = false

    init(status: Int32, text: String) {
        self.status = status
        self.text = text
    }

    init(_ error: VarlinkClientError, daemonStatus: Int32?) {
        switch error {
        case .nobodyListens, .connect:
            status = ExitStatus.noDaemon
            text = error.description
        case .broken, .closed:
            status = ExitStatus.noDaemon
            text = daemonStatus.map { "the private daemon ended with status \($0)" } ?? error.description
        case .notAReply:
            status = ExitStatus.protocolError
            text = error.description
        case .outputClosed:
            status = ExitStatus.refused
            text = error.description
        case .refused(let refusal):
            status = ExitStatus.refused
            reply = refusal.description
            let fault = Self.fault(refusal)
            text = fault?.message ?? Self.standardText(refusal)
            namesObject = fault is FilesFault
        }
    }

    private static func fault(_ error: VarlinkError) -> (any InterfaceFault)? {
        func decoded<Fault: InterfaceFault>(_ type: Fault.Type) -> (any InterfaceFault)? {
            error.parameters(as: type)
        }
        guard let type = interfaceFaults.first(where: { $0.name == error.name }) else { return nil }
        return decoded(type)
    }

    private struct StandardParameters: Decodable {
        let interface: String?
        let method: String?
        let parameter: String?
        let message: String?
    }

    /// Errors of org.varlink.service, and whatever else has no type here.
    private static func standardText(_ error: VarlinkError) -> String {
        let word = error.name.split(separator: ".").last.map(String.init) ?? error.name
        guard let parameters = error.parameters(as: StandardParameters.self) else { return error.name }
        let about = parameters.parameter ?? parameters.method ?? parameters.interface
        switch (word, about) {
        case ("PermissionDenied", _): return parameters.message ?? "you may not do this"
        case ("InvalidParameter", let parameter?):
            return parameter + (parameters.message.map { ": \($0)" } ?? " has no valid value")
        case (_, let about?): return "\(word): \(about)"
        default: return parameters.message.map { "\(word): \($0)" } ?? word
        }
    }

    private struct Report: Encodable {
        let command: String?
        let message: String
        let status: Int32
    }

    /// Writes the complaint to stderr: as a line for people, or as an object in one line. `command` is empty where none was
    /// recognized.
    @discardableResult
    func report(_ command: String, json: Bool) -> ExitCode {
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            let report = Report(command: command.isEmpty ? nil : command, message: text, status: status)
            let bytes = (try? encoder.encode(report)) ?? Data("{}".utf8)
            var object = String(decoding: bytes, as: UTF8.self)
            // The reply is an object of JSON already.
            if let reply { object = object.dropLast() + ",\"reply\":\(reply)}" }
            Output.complain(object)
        } else {
            Output.complain("patchsimctl: " + (command.isEmpty ? "" : command + (namesObject ? " " : ": ")) + text)
        }
        return ExitCode(status)
    }
}
