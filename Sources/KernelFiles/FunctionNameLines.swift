import Ftrace

/// available_filter_functions, set_ftrace_filter and set_ftrace_notrace (t_show).
struct FunctionNameLines: LineSource {
    private let names: FtraceNames
    /// Nil shows every record.
    private let selected: FtraceHash?
    private var header: String?
    private var trailer: ArraySlice<String>
    private var next = 0

    init(names: FtraceNames, selected: FtraceHash?, header: String? = nil, trailer: [String]) {
        self.names = names
        self.selected = selected
        self.header = header
        self.trailer = trailer[...]
    }

    /// A filter file; an empty one shows a line of its own. Filters that wait for a module come last.
    init(names: FtraceNames, filter: FtraceHash, modules: [TraceArray.ModuleFilter], whenEmpty: String) {
        self.init(
            names: names, selected: filter, header: filter.isEmpty ? whenEmpty : nil,
            trailer: modules.map { "\($0.function.isEmpty ? "*" : $0.function):mod:\($0.module)" })
    }

    mutating func appendNext(to bytes: inout [UInt8]) -> Bool {
        if let header {
            bytes.append(contentsOf: header.utf8)
            self.header = nil
        } else if let record = selected.map({ $0.next(from: next) }) ?? (next < names.count ? next : nil) {
            bytes.append(contentsOf: names[record])
            next = record + 1
        } else if let line = trailer.popFirst() {
            bytes.append(contentsOf: line.utf8)
        } else {
            return false
        }
        bytes.append(UInt8(ascii: "\n"))
        return true
    }
}
