import Ftrace
import Simulation
import Spelling

/// What a path names.
enum KernelFileNode: Hashable {
    case root
    case proc
    case sys
    case sysKernel
    case tracing
    case instances
    /// An instance's directory.
    case instance(String)
    case kallsyms
    case kmsg
    case version
    case availableFilterFunctions
    case availableTracers
    case enabledFunctions
    case dynFtraceTotalInfo
    /// A file that each trace array has; the array's name is empty for the top level.
    case array(String, ArrayFile)

    enum ArrayFile: String, CaseIterable {
        case currentTracer = "current_tracer"
        case setFtraceFilter = "set_ftrace_filter"
        case setFtraceNotrace = "set_ftrace_notrace"
        case trace
        case tracingOn = "tracing_on"
    }

    var isDirectory: Bool {
        switch self {
        case .root, .proc, .sys, .sysKernel, .tracing, .instances, .instance: true
        default: false
        }
    }

    /// tracefs: 0640 and 0440 (TRACE_MODE_WRITE, TRACE_MODE_READ), directories 0750; its root 0700.
    var mode: UInt16 {
        switch self {
        case .root, .proc, .sys, .sysKernel: 0o555
        case .tracing: 0o700
        case .instances, .instance: 0o750
        case .kallsyms, .version: 0o444
        case .kmsg: 0o400
        case .availableFilterFunctions, .availableTracers, .enabledFunctions, .dynFtraceTotalInfo: 0o440
        case .array: 0o640
        }
    }

    /// A directory's entries by name, sorted.
    func children(in state: KernelState) -> [(name: String, node: KernelFileNode)] {
        switch self {
        case .root:
            return [("proc", .proc), ("sys", .sys)]
        case .proc:
            return [("kallsyms", .kallsyms), ("kmsg", .kmsg), ("version", .version)]
        case .sys:
            return [("kernel", .sysKernel)]
        case .sysKernel:
            return state.ftrace.target == nil ? [] : [("tracing", .tracing)]
        case .tracing:
            let own: [(String, KernelFileNode)] = [
                ("available_filter_functions", .availableFilterFunctions), ("available_tracers", .availableTracers),
                ("dyn_ftrace_total_info", .dynFtraceTotalInfo), ("enabled_functions", .enabledFunctions),
                ("instances", .instances),
            ]
            return (own + Self.arrayFiles("")).sorted { $0.0 < $1.0 }
        case .instances:
            return state.ftrace.arrays.dropFirst().map { ($0.name, .instance($0.name)) }.sorted { $0.0 < $1.0 }
        case .instance(let name):
            return Self.arrayFiles(name)
        default:
            return []
        }
    }

    private static func arrayFiles(_ name: String) -> [(String, KernelFileNode)] {
        ArrayFile.allCases.map { ($0.rawValue, .array(name, $0)) }.sorted { $0.0 < $1.0 }
    }

    /// Finds what `path` names. Paths are absolute; empty and `.` components are skipped, `..` goes up.
    static func find(_ path: String, in state: KernelState) throws(KernelFileError) -> KernelFileNode {
        var trail: [KernelFileNode] = [.root]
        for name in try components(of: path) {
            let here = trail[trail.count - 1]
            guard here.isDirectory else {
                throw KernelFileError(.ENOTDIR, path, "\(name) can't be below a file")
            }
            if name == ".." {
                if trail.count > 1 { trail.removeLast() }
                continue
            }
            let children = here.children(in: state)
            guard let child = children.first(where: { $0.name == name }) else {
                if case .sysKernel = here, name == "tracing" {
                    throw KernelFileError(.ENOENT, path, "this kernel was built without ftrace")
                }
                let hint = NearestName.hint(for: name, among: children.map(\.name))
                throw KernelFileError(.ENOENT, path, "there is no \(name)\(hint)")
            }
            trail.append(child.node)
        }
        return trail[trail.count - 1]
    }

    static func components(of path: String) throws(KernelFileError) -> [String] {
        guard path.hasPrefix("/") else {
            throw KernelFileError(.ENOENT, path, "a path starts with /, such as /sys/kernel/tracing")
        }
        guard path.utf8.count < KernelFileTree.pathLengthMax else {
            throw KernelFileError(
                .ENAMETOOLONG, String(path.prefix(64)) + "...",
                "a path has fewer than \(KernelFileTree.pathLengthMax) bytes")
        }
        return path.split(separator: "/").map(String.init).filter { $0 != "." }
    }
}
