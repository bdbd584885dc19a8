public import X86

/// The whole API as one type: what a client can ask of the daemon, checked against the limits.
public enum ServiceAction: Sendable, Hashable {
    // io.patchsim.Service
    case ping
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
}

extension ServiceAction {
    /// Whether it changes what other clients see. These are logged, and will be what rights are about.
    public var isChange: Bool {
        switch self {
        case .pause, .resume, .step, .writeFile, .makeDirectory, .removeDirectory, .setTracing: true
        case .ping, .getState, .listCPUs, .listTasks, .readText, .disassemble, .lookupSymbol, .listFunctions,
            .listFiles,
            .readFile, .listSites, .recentEvents, .subscribe, .getVerdict, .replay:
            false
        }
    }

    /// What it does, for the log.
    var summary: String {
        switch self {
        case .pause: "pause"
        case .resume: "resume"
        case .step(let cpu, let count, let back):
            "step \(back ? "back " : "")\(count)" + (cpu.map { " on CPU \($0)" } ?? "")
        case .writeFile(let path, let text, let append): "write \(text.utf8.count) bytes \(append ? ">>" : ">") \(path)"
        case .makeDirectory(let path): "mkdir \(path)"
        case .removeDirectory(let path): "rmdir \(path)"
        case .setTracing(let enabled, let glob): "\(enabled ? "enable" : "disable") tracing of \(glob)"
        default: "\(self)"
        }
    }
}
