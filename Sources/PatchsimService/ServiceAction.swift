public import Configuration
public import X86

/// The whole API as one type: what a client can ask of the daemon, checked against the limits.
public enum ServiceAction: Sendable, Hashable {
    // io.patchsim.Service
    case ping
    case getConfiguration
    case reload
    case setLogLevel(LogSettings.Level)
    // io.patchsim.Machine
    case getState
    case listCPUs
    case listTasks
    case pause
    case resume
    case step(cpu: Int?, count: Int, back: Bool)
    // io.patchsim.Text
    case readText(VirtualAddress, length: Int)
    case disassemble(TextPlace, count: Int?)
    case lookupSymbol(TextPlace)
    case listFunctions(glob: String?)
    // io.patchsim.Files
    case listFiles(path: String)
    case readFile(path: String, offset: Int, count: Int)
    case writeFile(path: String, text: String, append: Bool)
    case makeDirectory(path: String)
    case removeDirectory(path: String)
    // io.patchsim.Ftrace
    case setTracing(Bool, glob: String)
    case listSites(glob: String?)
    // io.patchsim.Events
    case recentEvents(count: Int, kinds: Set<String>?)
    case subscribe(from: Int?, kinds: Set<String>?)
    // io.patchsim.Invariants
    case getVerdict
    case replay(line: String)
    // io.patchsim.Findings
    case listFindings(before: Int?, count: Int)
    case getFinding(id: Int)
    case exportFindings(ids: [Int]?)
    /// Nil deletes all.
    case deleteFindings(ids: [Int]?)
}

extension ServiceAction {
    /// Whether it changes what other clients see. The one place that says so: `AccessRules` goes by it, and the log.
    public var isChange: Bool {
        switch self {
        case .pause, .resume, .step, .writeFile, .makeDirectory, .removeDirectory, .setTracing, .deleteFindings,
            .reload,
            .setLogLevel:
            true
        case .ping, .getConfiguration, .getState, .listCPUs, .listTasks, .readText, .disassemble, .lookupSymbol,
            .listFunctions,
            .listFiles,
            .readFile, .listSites, .recentEvents, .subscribe, .getVerdict, .replay, .listFindings,
            .getFinding, .exportFindings:
            false
        }
    }

    /// Whether it may take a processor for long or make a large reply; `HeavyCalls` bounds these.
    var isHeavy: Bool {
        switch self {
        case .replay, .listFunctions, .listSites, .readFile, .listFindings, .exportFindings: true
        case .step(_, let count, let back): back || count > Self.stepsLightMax
        default: false
        }
    }

    /// Steps that are done before anybody else would notice.
    private static let stepsLightMax = 1000

    /// What it does, for the log.
    var summary: String {
        switch self {
        case .pause: "pause"
        case .reload: "read the configuration again"
        case .setLogLevel(let level): "log from level \(level.rawValue) on"
        case .resume: "resume"
        case .step(let cpu, let count, let back):
            "step \(back ? "back " : "")\(count)" + (cpu.map { " on CPU \($0)" } ?? "")
        case .writeFile(let path, let text, let append): "write \(text.utf8.count) bytes \(append ? ">>" : ">") \(path)"
        case .makeDirectory(let path): "mkdir \(path)"
        case .removeDirectory(let path): "rmdir \(path)"
        case .setTracing(let enabled, let glob): "\(enabled ? "enable" : "disable") tracing of \(glob)"
        case .deleteFindings(let ids):
            ids.map { "delete findings " + $0.map(String.init).joined(separator: ", ") } ?? "delete all findings"
        default: "\(self)"
        }
    }
}
