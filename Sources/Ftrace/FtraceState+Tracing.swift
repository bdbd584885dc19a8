public import X86

// MARK: - Callbacks, run by simulated CPUs

extension FtraceState {
    /// function_trace_call(), reached with the address of an ops: its trace array gets the entry. Returns the ops that ran;
    /// none when no ops lies at that address (whether that is I7, the caller judges).
    public mutating func functionTraceCall(ops address: VirtualAddress, cpu: Int, entry: TraceEntry) -> FtraceOpsSet {
        for array in arrays.indices where arrays[array].opsAddress == address {
            let ops = arrays[array].ops
            arrays[array].record(cpu: cpu, entry: entry)
            return FtraceOpsSet(ops)
        }
        return opsID(at: address).map { FtraceOpsSet($0) } ?? []
    }

    /// arch_ftrace_ops_list_func(): every registered ops that wants `entry.ip` runs, the newest first. A trace array's ops
    /// records; any other callback (a livepatch's) is the caller's to run, from the returned set.
    public mutating func opsListFunction(cpu: Int, entry: TraceEntry) -> FtraceOpsSet {
        guard let record = recordIndex(at: entry.ip) else { return [] }
        var ran: FtraceOpsSet = []
        for slot in opsList {
            guard opsBySlot[slot]!.hash.admits(record), !opsBySlot[slot]!.flags.contains(.stub) else { continue }
            ran.insert(FtraceOpsSet(FtraceOpsID(slot: slot)))
            let array = arrayBySlot[slot]
            if array >= 0 { arrays[array].record(cpu: cpu, entry: entry) }
        }
        return ran
    }
}

// MARK: - Control, by whoever writes tracefs files

extension FtraceState {
    /// Trace arrays that can exist beside the top level.
    public static let instancesMax = 32
    /// Where the ops of instances are allocated: objects of a slab for 512 bytes.
    static let instanceOpsBase64 = VirtualAddress(0xffff_8880_03c8_2000)
    static let instanceOpsBase32 = VirtualAddress(0xc3c8_2000)
    static let instanceOpsStride = 0x200

    /// tracing_set_tracer(): both halves' code updates in one. The kernel ignores what registering returns, so a tracer
    /// can be current although ftrace is disabled; `failure` tells the first time.
    public mutating func setTracer(array: Int, _ tracer: Tracer, text: some TextReading) -> FtraceUpdate {
        var update = FtraceUpdate()
        guard arrays[array].currentTracer != tracer, target != nil else { return update }
        let ops = arrays[array].ops
        if arrays[array].currentTracer == .function {
            arrays[array].isFunctionEnabled = false
            if let stopped = try? unregister(ops, text: text) { update = stopped }
        }
        // tracer_init() starts every tracer, nop too, with empty buffers.
        arrays[array].resetRings()
        arrays[array].currentTracer = tracer
        if tracer == .function {
            if let started = try? register(ops, text: text) { update = started }
            arrays[array].isFunctionEnabled = true
        }
        return update
    }

    /// A write to tracing_on (rb_simple_write): the function tracer's start callback empties the buffers.
    public mutating func setTracingOn(array: Int, _ on: Bool) {
        guard arrays[array].isTracingOn != on else { return }
        arrays[array].isTracingOn = on
        if on, arrays[array].currentTracer == .function { arrays[array].resetRings() }
    }

    /// Opening `trace` for writing with truncation.
    public mutating func clearTrace(array: Int) {
        arrays[array].resetRings()
    }

    /// The index of an instance in `arrays`, or of the top level for the empty name.
    public func arrayIndex(named name: String) -> Int? {
        arrays.firstIndex { $0.name == name }
    }

    /// mkdir instances/NAME. The ops is allocated memory, so registering makes it DYNAMIC.
    public mutating func makeInstance(_ name: String) throws(FtraceError) {
        guard let target else { throw .disabled }
        precondition(!name.isEmpty, "an instance has a name")
        guard arrayIndex(named: name) == nil else { throw .instanceExists(name) }
        guard arrays.count <= Self.instancesMax else { throw .tooManyOps }
        let base = target.mode == .x86_64 ? Self.instanceOpsBase64 : Self.instanceOpsBase32
        var address = base
        while arrays.contains(where: { $0.opsAddress == address }) { address = address + Self.instanceOpsStride }
        let ops = try makeOps(name: name, function: target.functionTraceCall, address: address, flags: .dynamic)
        arrays.append(TraceArray(name: name, ops: ops, opsAddress: address, cpuCount: arrays[0].rings.count))
        arrayBySlot[ops.slot] = arrays.count - 1
    }

    /// rmdir instances/NAME; its tracer is set to nop first.
    public mutating func removeInstance(_ name: String, text: some TextReading) throws(FtraceError) -> FtraceUpdate {
        guard !name.isEmpty, let index = arrayIndex(named: name) else { throw .noSuchInstance(name) }
        let update = setTracer(array: index, .nop, text: text)
        let ops = arrays[index].ops
        // Where ftrace is disabled, unregistering fails and the ops would stay on the list for ever.
        opsList.removeAll { $0 == ops.slot }
        arrayBySlot[ops.slot] = -1
        if update.steps.isEmpty { freeOps(ops) } else { departed.append(ops) }
        arrays.remove(at: index)
        for array in arrays.indices { arrayBySlot[arrays[array].ops.slot] = array }
        return update
    }
}
