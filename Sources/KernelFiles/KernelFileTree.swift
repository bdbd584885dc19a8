import Ftrace
import KernelImage
public import Simulation

/// tracefs, the two files of /proc and the kernel log, as a tree of text files with the kernel's formats and errnos.
public enum KernelFileTree {
    /// PATH_MAX
    public static let pathLengthMax = 4096
    /// NAME_MAX
    static let nameLengthMax = 255
    /// Where tracefs is.
    public static let tracing = "/sys/kernel/tracing"

    /// The entries of a directory, sorted; a file lists itself.
    public static func list(_ path: String, in state: KernelState) throws(KernelFileError) -> [KernelFileEntry] {
        let node = try KernelFileNode.find(path, in: state)
        guard node.isDirectory else {
            return [KernelFileEntry(name: path, isDirectory: false, mode: node.mode)]
        }
        return node.children(in: state).map {
            KernelFileEntry(name: $0.name, isDirectory: $0.node.isDirectory, mode: $0.node.mode)
        }
    }

    /// Opens a file for reading: its text is that of this moment.
    public static func open(_ path: String, in state: KernelState) throws(KernelFileError) -> KernelFileReader {
        KernelFileReader(try source(try KernelFileNode.find(path, in: state), path: path, in: state))
    }

    /// A file's whole text.
    public static func read(_ path: String, in state: KernelState) throws(KernelFileError) -> String {
        var reader = try open(path, in: state)
        return String(decoding: reader.read(count: .max), as: UTF8.self)
    }

    private static func source(
        _ node: KernelFileNode, path: String, in state: KernelState
    ) throws(KernelFileError) -> any LineSource {
        let ftrace = state.ftrace
        switch node {
        case .root, .proc, .sys, .sysKernel, .tracing, .instances, .instance:
            throw KernelFileError(.EISDIR, path, "this is a directory; list it instead")
        case .kallsyms:
            return KallsymsLines(state)
        case .kmsg:
            return LogLines(state.log.lines)
        case .version:
            return WholeText(state.image.banner + "\n")
        case .availableFilterFunctions:
            guard !ftrace.isDisabled else { throw disabled(path) }
            return FunctionNameLines(names: ftrace.names, selected: nil, trailer: [])
        case .availableTracers:
            return WholeText(Tracer.allCases.map(\.rawValue).joined(separator: " ") + "\n")
        case .enabledFunctions:
            return EnabledFunctionLines(state)
        case .dynFtraceTotalInfo:
            let totals = ftrace.totals
            return WholeText("\(totals.records) pages:\(totals.pages) groups: \(totals.groups)\n")
        case .array(let name, let file):
            guard let index = ftrace.arrayIndex(named: name) else {
                preconditionFailure("a node that was found belongs to a trace array that exists")
            }
            return try source(ftrace.arrays[index], file, path: path, in: state)
        }
    }

    private static func source(
        _ array: TraceArray, _ file: KernelFileNode.ArrayFile, path: String, in state: KernelState
    ) throws(KernelFileError) -> any LineSource {
        let ftrace = state.ftrace
        switch file {
        case .currentTracer:
            return WholeText(array.currentTracer.rawValue + "\n")
        case .tracingOn:
            return WholeText(array.isTracingOn ? "1\n" : "0\n")
        case .setFtraceFilter:
            guard !ftrace.isDisabled else { throw disabled(path) }
            return FunctionNameLines(
                names: ftrace.names, filter: ftrace.ops(array.ops).hash.filter, modules: array.moduleFilters,
                whenEmpty: "#### all functions enabled ####")
        case .setFtraceNotrace:
            guard !ftrace.isDisabled else { throw disabled(path) }
            return FunctionNameLines(
                names: ftrace.names, filter: ftrace.ops(array.ops).hash.notrace, modules: array.moduleNotraces,
                whenEmpty: "#### no functions disabled ####")
        case .trace:
            return TraceLines(array, state)
        }
    }

    static func disabled(_ path: String) -> KernelFileError {
        KernelFileError(
            .ENODEV, path,
            "ftrace met unexpected text and is disabled for good; /proc/kmsg says where, a new world starts afresh")
    }
}
