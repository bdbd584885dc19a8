public import X86

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
    /// Where the ops' object lies; the callback gets this address and finds the trace array by it (ops->private).
    public let opsAddress: VirtualAddress
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

    init(name: String, ops: FtraceOpsID, opsAddress: VirtualAddress, cpuCount: Int) {
        self.name = name
        self.ops = ops
        self.opsAddress = opsAddress
        rings = [TraceRing](repeating: TraceRing(), count: cpuCount)
    }

    /// function_trace_call()'s work, with the checks of ring_buffer_lock_reserve().
    mutating func record(cpu: Int, entry: TraceEntry) {
        guard isFunctionEnabled, isTracingOn else { return }
        rings[cpu].append(entry)
    }

    mutating func resetRings() {
        for cpu in rings.indices { rings[cpu].reset() }
    }
}
