/// A tracer that can be current in a trace array.
public enum Tracer: String, Sendable, Hashable, CaseIterable {
    case function
    case nop
}

/// struct trace_array: the top-level directory of tracefs, or one of instances/.
public struct TraceArray: Sendable {
    /// Empty for the top level.
    public let name: String
    public let ops: FtraceOpsID
    public internal(set) var currentTracer = Tracer.nop
    public internal(set) var isTracingOn = true
    /// function_enabled: the callback records. The kernel sets it when registering returns, that is after the last site was
    /// patched; here it is set with the registration, so that calls which are emulated during the update can be seen.
    public internal(set) var isFunctionEnabled = false
    /// mod_trace, mod_notrace: filters that wait for their module.
    public internal(set) var moduleFilters: [ModuleFilter] = []
    public internal(set) var moduleNotraces: [ModuleFilter] = []
    /// A buffer per CPU.
    public internal(set) var rings: [TraceRing]

    /// struct ftrace_mod_load
    public struct ModuleFilter: Sendable, Hashable {
        public let function: String
        public let module: String
    }

    init(name: String, ops: FtraceOpsID, cpuCount: Int) {
        self.name = name
        self.ops = ops
        rings = [TraceRing](repeating: TraceRing(), count: cpuCount)
    }

    mutating func resetRings() {
        for cpu in rings.indices { rings[cpu].reset() }
    }
}
