import Ftrace
public import Simulation
import Spelling

extension KernelFileTree {
    /// A shell's `echo TEXT > path`, with `append` `echo TEXT >> path`: open, one write, close. A newline at the end may be
    /// left out.
    public static func write(
        _ path: String, _ text: String, append: Bool = false, in state: inout KernelState
    ) throws(KernelFileError) -> KernelWriteResult {
        let node = try KernelFileNode.find(path, in: state)
        guard !node.isDirectory else { throw KernelFileError(.EISDIR, path, "this is a directory") }
        guard case .array(let name, let file) = node, let array = state.ftrace.arrayIndex(named: name) else {
            throw KernelFileError(.EACCES, path, "this file can only be read")
        }
        switch file {
        case .currentTracer:
            return try writeTracer(path, text, array: array, in: &state)
        case .tracingOn:
            state.ftrace.setTracingOn(array: array, try switchValue(text, path))
            return .completed
        case .trace:
            // What is written doesn't matter: truncating the file empties the buffers.
            if !append { state.ftrace.clearTrace(array: array) }
            return .completed
        case .setFtraceFilter, .setFtraceNotrace:
            return try writeFilter(
                path, text, append: append, notrace: file == .setFtraceNotrace, array: array, in: &state)
        }
    }

    /// tracing_set_trace_write(): surrounding white space doesn't count.
    private static func writeTracer(
        _ path: String, _ text: String, array: Int, in state: inout KernelState
    ) throws(KernelFileError) -> KernelWriteResult {
        let name = trimmed(text)
        guard let tracer = Tracer(rawValue: name) else {
            let known = Tracer.allCases.map(\.rawValue)
            throw KernelFileError(
                .EINVAL, path,
                "there is no tracer \(quoted(name))\(NearestName.hint(for: name, among: known)) (available: \(known.joined(separator: " ")))"
            )
        }
        guard state.ftrace.arrays[array].currentTracer != tracer else { return .completed }
        if let ticket = state.updateInFlight { return .blocked(ticket) }
        let outcome = state.updateFtrace { ftrace, text in
            ftrace.setTracer(array: array, tracer, text: text)
        }
        return outcome.ticket.map { .pending($0) } ?? .completed
    }

    private static func writeFilter(
        _ path: String, _ text: String, append: Bool, notrace: Bool, array: Int, in state: inout KernelState
    ) throws(KernelFileError) -> KernelWriteResult {
        guard !state.ftrace.isDisabled else { throw disabled(path) }
        if let ticket = state.updateInFlight { return .blocked(ticket) }
        let outcome: (ticket: UpdateTicket?, failure: FtraceError?)
        do {
            outcome = try state.updateFtrace { ftrace, reading throws(FtraceError) in
                try ftrace.writeFilter(array: array, notrace: notrace, words: text, append: append, text: reading)
            }
        } catch {
            throw translated(error, path, nil, state)
        }
        if let failure = outcome.failure, failure != .disabled {
            throw translated(failure, path, outcome.ticket, state)
        }
        return outcome.ticket.map { .pending($0) } ?? .completed
    }

    /// kstrtoul(): decimal digits, one newline behind them allowed; every number but 0 is on.
    private static func switchValue(_ text: String, _ path: String) throws(KernelFileError) -> Bool {
        var digits = text[...]
        if digits.last == "\n" { digits.removeLast() }
        if digits.first == "+" { digits.removeFirst() }
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let value = UInt64(digits) else {
            throw KernelFileError(.EINVAL, path, "\(quoted(trimmed(text))) isn't a number; write 0 or 1")
        }
        return value != 0
    }

    /// mkdir: instances of tracefs are all that can be made.
    public static func makeDirectory(
        _ path: String, in state: inout KernelState
    ) throws(KernelFileError) -> KernelWriteResult {
        let name = try instanceName(path, in: state)
        guard name.utf8.count <= nameLengthMax else {
            throw KernelFileError(.ENAMETOOLONG, path, "a name has at most \(nameLengthMax) bytes")
        }
        guard state.ftrace.arrayIndex(named: name) == nil else {
            throw KernelFileError(.EEXIST, path, "this instance exists")
        }
        if let ticket = state.updateInFlight { return .blocked(ticket) }
        do {
            try state.ftrace.makeInstance(name)
        } catch {
            throw translated(error, path, nil, state)
        }
        return .completed
    }

    /// rmdir: takes an instance away, with its tracer off first.
    public static func removeDirectory(
        _ path: String, in state: inout KernelState
    ) throws(KernelFileError) -> KernelWriteResult {
        let node = try KernelFileNode.find(path, in: state)
        guard node.isDirectory else { throw KernelFileError(.ENOTDIR, path, "this is a file") }
        guard case .instance(let name) = node else {
            throw KernelFileError(.EPERM, path, "only what is below \(tracing)/instances can be removed")
        }
        if let ticket = state.updateInFlight { return .blocked(ticket) }
        do {
            let outcome = try state.updateFtrace { ftrace, text throws(FtraceError) in
                try ftrace.removeInstance(name, text: text)
            }
            return outcome.ticket.map { .pending($0) } ?? .completed
        } catch {
            throw translated(error, path, nil, state)
        }
    }

    /// The last component of a path whose parent is the directory `instances`.
    private static func instanceName(_ path: String, in state: KernelState) throws(KernelFileError) -> String {
        var components = try KernelFileNode.components(of: path)
        let last = components.popLast()
        let parent = try KernelFileNode.find("/" + components.joined(separator: "/"), in: state)
        guard parent.isDirectory else { throw KernelFileError(.ENOTDIR, path, "a file has nothing below it") }
        guard parent == .instances, let last, last != ".." else {
            if (try? KernelFileNode.find(path, in: state)) != nil {
                throw KernelFileError(.EEXIST, path, "this exists")
            }
            throw KernelFileError(.EPERM, path, "directories can only be made below \(tracing)/instances")
        }
        return last
    }

    // MARK: - Words

    private static func trimmed(_ text: String) -> String {
        let isSpace: (UInt8) -> Bool = { $0 == 0x20 || (0x09...0x0d).contains($0) }
        var bytes = Array(text.utf8)[...]
        while let first = bytes.first, isSpace(first) { bytes.removeFirst() }
        while let last = bytes.last, isSpace(last) { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// At most 64 bytes of what somebody wrote.
    private static func quoted(_ text: String) -> String {
        text.utf8.count <= 64 ? "\"\(text)\"" : "\"\(text.prefix(60))...\""
    }

    private static func translated(
        _ error: FtraceError, _ path: String, _ ticket: UpdateTicket?, _ state: KernelState
    ) -> KernelFileError {
        switch error {
        case .disabled:
            disabled(path)
        case .busy:
            KernelFileError(.EBUSY, path, "the ops is in use", pending: ticket)
        case .ipModifyTaken(let function):
            KernelFileError(.EBUSY, path, "another ops already redirects \(function)", pending: ticket)
        case .ipModifyNeedsFilter:
            KernelFileError(.EINVAL, path, "an ops that redirects functions needs a filter", pending: ticket)
        case .noMatch(let pattern):
            KernelFileError(.EINVAL, path, noMatchMessage(pattern, state), pending: ticket)
        case .unknownCommand(let command):
            KernelFileError(
                .EINVAL, path, "there is no command \(quoted(command)); function:mod:module is the only one",
                pending: ticket)
        case .unknownTracer(let name):
            KernelFileError(.EINVAL, path, "there is no tracer \(quoted(name))", pending: ticket)
        case .instanceExists(let name):
            KernelFileError(.EEXIST, path, "the instance \(quoted(name)) exists")
        case .noSuchInstance(let name):
            KernelFileError(.ENOENT, path, "there is no instance \(quoted(name))")
        case .tooManyOps:
            KernelFileError(.ENOMEM, path, "there are as many instances as can be, \(FtraceState.instancesMax)")
        case .wordTooLong:
            KernelFileError(
                .EINVAL, path, "a word has at most \(FtraceState.filterWordLengthMax) bytes", pending: ticket)
        }
    }

    private static func noMatchMessage(_ pattern: String, _ state: KernelState) -> String {
        let names = state.ftrace.names
        let glob = FtraceGlob(pattern)
        if glob.kind == .index {
            return "\(quoted(pattern)) isn't a line of available_filter_functions, which has \(names.count)"
        }
        var search = NearestName(to: glob.search)
        if glob.kind == .full, !pattern.contains(":") {
            for index in 0..<names.count { search.consider(names[index]) }
        }
        return "no function matches \(quoted(pattern))\(search.hint)"
    }
}
