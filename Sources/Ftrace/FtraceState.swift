public import X86

/// ftrace's state: records, ops, trampolines and trace arrays.
///
/// Operations return steps for the patcher task and change the state at once, as the kernel changes its records while it
/// queues text. So the state is ahead of the text until the steps are done, and whoever holds the state must let no second
/// operation start before that: the kernel's ftrace_lock, which `updateInFlight` stands for.
public struct FtraceState: Sendable {
    /// Ops that can exist at a time: one bit each in `FtraceOpsSet`.
    public static let opsMax = 64

    /// Nil in a kernel without ftrace.
    public let target: FtraceTarget?
    public let totals: FtraceTotals
    public let names: FtraceNames
    /// Ascending.
    public internal(set) var records: [DynFtrace]
    /// Records whose site is a CALL, or becomes one with the update in flight.
    public internal(set) var enabledCount = 0
    /// By slot.
    var opsBySlot: [FtraceOps?] = []
    /// ftrace_ops_list: slots of the registered ops, the newest first.
    var opsList: [Int] = []
    /// ftrace_trace_function
    public internal(set) var traceFunction: VirtualAddress
    /// saved_ftrace_func
    var savedTraceFunction: VirtualAddress
    /// set_function_trace_op: what function_trace_op becomes with the next trace function.
    var pendingTraceOp: VirtualAddress
    /// function_trace_op: the ops that ftrace_caller itself loads.
    public internal(set) var functionTraceOp: VirtualAddress
    /// Where ftrace_call and ftrace_regs_call lead once every returned step is done.
    public internal(set) var callTarget: VirtualAddress
    /// ftrace_disabled: ftrace met text that it didn't expect, and never patches again.
    public internal(set) var isDisabled = false
    var arena = FtraceTrampolineArena()
    /// ftrace_ops_trampoline_list: slots in the order of /proc/kallsyms.
    var trampolineSlots: [Int] = []
    /// The top level first, then the instances as they were made.
    public internal(set) var arrays: [TraceArray] = []
    /// The trace array of each ops slot, or -1.
    var arrayBySlot: [Int] = []
    /// Ops of instances that are gone, whose trampolines may run until the update that frees them is done.
    var departed: [FtraceOpsID] = []
    /// The number of the submitted update that holds ftrace_lock, or nil. Kept for the owner, who knows when it is done.
    public var updateInFlight: UInt64?

    /// A kernel without ftrace.
    public init() {
        target = nil
        totals = FtraceTotals(mode: .x86_64, sitesInFile: 0, sites: 0)
        names = FtraceNames()
        records = []
        traceFunction = VirtualAddress(0)
        savedTraceFunction = VirtualAddress(0)
        pendingTraceOp = VirtualAddress(0)
        functionTraceOp = VirtualAddress(0)
        callTarget = VirtualAddress(0)
    }

    /// ftrace_init(): `sites` ascending with their names; a name of `FtraceNames.invalidPrefix` marks a site that isn't a
    /// function's.
    public init(target: FtraceTarget, sites: [VirtualAddress], names: FtraceNames, sitesInFile: Int, cpuCount: Int) {
        precondition(names.count == sites.count, "a name for each site")
        self.target = target
        self.names = names
        totals = FtraceTotals(mode: target.mode, sitesInFile: sitesInFile, sites: sites.count)
        let invalid = Array(FtraceNames.invalidPrefix.utf8)
        records = sites.enumerated().map { index, address in
            let isInvalid = names[index].starts(with: invalid)
            return DynFtrace(address: address, word: isInvalid ? DynFtrace.Flags.disabled.rawValue : 0)
        }
        traceFunction = target.stub
        savedTraceFunction = target.stub
        pendingTraceOp = target.listEnd
        functionTraceOp = target.listEnd
        callTarget = target.stub
        // global_ops is core kernel data, so it isn't DYNAMIC: its trampoline is made once and stays.
        let global = insertOps(
            name: "global_ops", function: target.functionTraceCall, address: target.globalOps, flags: [])
        arrays = [TraceArray(name: "", ops: global, opsAddress: target.globalOps, cpuCount: cpuCount)]
        arrayBySlot[global.slot] = 0
    }

    func requireTarget() throws(FtraceError) -> FtraceTarget {
        guard let target, !isDisabled else { throw .disabled }
        return target
    }
}

// MARK: - Lookups

extension FtraceState {
    /// The record at exactly this address.
    public func recordIndex(at address: VirtualAddress) -> Int? {
        var low = 0
        var high = records.count
        while low < high {
            let middle = (low + high) / 2
            if records[middle].address < address { low = middle + 1 } else { high = middle }
        }
        return low < records.count && records[low].address == address ? low : nil
    }

    public func ops(_ id: FtraceOpsID) -> FtraceOps {
        guard let ops = opsBySlot[id.slot] else { preconditionFailure("an ops that exists") }
        return ops
    }

    /// The registered ops, newest first.
    public var registeredOps: [FtraceOps] {
        opsList.map { opsBySlot[$0]! }
    }

    /// The ops whose object lies at `address`.
    public func opsID(at address: VirtualAddress) -> FtraceOpsID? {
        for slot in opsBySlot.indices where opsBySlot[slot]?.address == address { return FtraceOpsID(slot: slot) }
        return nil
    }

    /// The trampolines that exist, in the order of /proc/kallsyms.
    public var trampolines: [VirtualAddress] {
        trampolineSlots.compactMap { opsBySlot[$0]?.trampoline }
    }

    /// ftrace_ops_trampoline(): the ops whose trampoline covers `address`.
    public func opsOfTrampoline(covering address: VirtualAddress) -> FtraceOps? {
        for slot in trampolineSlots {
            guard let ops = opsBySlot[slot], let start = ops.trampoline, let caller = callerCopied(by: ops) else {
                continue
            }
            let size = caller.bytes.count + FtraceTrampoline.returnSize + 8
            if address >= start && address < start + size { return ops }
        }
        return nil
    }

    /// Every ops with a trampoline that uses the record (ftrace_find_tramp_ops_any and its next).
    public func trampolineOps(ofRecord record: Int) -> [FtraceOps] {
        opsList.compactMap { slot in
            guard let ops = opsBySlot[slot], ops.trampoline != nil, ops.hash.admits(record) else { return nil }
            return ops
        }
    }

    func callerCopied(by ops: FtraceOps) -> FtraceCaller? {
        ops.flags.contains(.saveRegs) ? target?.regsCaller : target?.caller
    }

    /// The CALL inside a trampoline, which leads to the ops' callback.
    public func trampolineCall(of ops: FtraceOps) -> VirtualAddress? {
        guard let start = ops.trampoline, let caller = callerCopied(by: ops) else { return nil }
        return start + (caller.call - caller.start)
    }
}
