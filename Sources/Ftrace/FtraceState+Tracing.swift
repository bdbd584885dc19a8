public import X86

extension FtraceState {
    /// function_trace_call(), reached with the address of an ops: its trace array gets the entry. Returns the ops that ran;
    /// none when `ops` is no longer the address of an ops (I7 is the caller's to judge).
    public mutating func functionTraceCall(ops address: VirtualAddress, cpu: Int, entry: TraceEntry) -> FtraceOpsSet {
        []
    }

    /// arch_ftrace_ops_list_func(): every registered ops that wants `entry.ip` runs, the newest first. A trace array's ops
    /// records; any other callback (a livepatch's) is the caller's to run, from the returned set.
    public mutating func opsListFunction(cpu: Int, entry: TraceEntry) -> FtraceOpsSet {
        []
    }

    /// tracing_set_tracer()
    public mutating func setTracer(
        array: Int, _ tracer: Tracer, text: some TextReading
    ) throws(FtraceError) -> FtraceUpdate {
        FtraceUpdate()
    }

    /// A write to set_ftrace_filter or set_ftrace_notrace: opening truncates unless `append`, then word after word is
    /// matched, and closing applies what was gathered, even after a word that failed.
    public mutating func writeFilter(
        array: Int, notrace: Bool, words text: String, append: Bool, text reading: some TextReading
    ) throws(FtraceError) -> FtraceUpdate {
        FtraceUpdate()
    }

    /// A write to tracing_on.
    public mutating func setTracingOn(array: Int, _ on: Bool) {}

    /// Opening `trace` for writing with truncation.
    public mutating func clearTrace(array: Int) {}

    /// mkdir instances/NAME
    public mutating func makeInstance(_ name: String) throws(FtraceError) {}

    /// rmdir instances/NAME; its tracer is set to nop first.
    public mutating func removeInstance(_ name: String, text: some TextReading) throws(FtraceError) -> FtraceUpdate {
        FtraceUpdate()
    }

    /// The index of an instance in `arrays`, or of the top level for the empty name.
    public func arrayIndex(named name: String) -> Int? {
        arrays.firstIndex { $0.name == name }
    }
}
