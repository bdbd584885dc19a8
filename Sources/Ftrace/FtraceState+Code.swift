import TextPatching
import X86

/// FTRACE_UPDATE_CALLS and FTRACE_UPDATE_TRACE_FUNC: what ftrace_modify_all_code() is asked to do.
struct FtraceCommand {
    var calls: Bool
    var traceFunction: Bool
}

extension FtraceState {
    /// ftrace_startup_enable(): adds the trace function to the command when it has changed, and runs it.
    mutating func runUpdate(
        calls: Bool, removed: Int? = nil, target: FtraceTarget, text: some TextReading, update: inout FtraceUpdate
    ) {
        var command = FtraceCommand(calls: calls, traceFunction: false)
        if savedTraceFunction != traceFunction {
            savedTraceFunction = traceFunction
            command.traceFunction = true
        }
        modifyAllCode(command, removed: removed, target: target, text: text, update: &update)
    }

    /// ftrace_modify_all_code(): the list function first, since it alone asks whether an ops wants a function; then the
    /// sites; then the function that is really wanted.
    ///
    /// The recorded kernel pokes the list function even where it stands already (from 6.2 on it doesn't).
    mutating func modifyAllCode(
        _ command: FtraceCommand, removed: Int? = nil, target: FtraceTarget, text: some TextReading,
        update: inout FtraceUpdate
    ) {
        if command.traceFunction { pokeTraceFunction(target.listFunction, target: target, update: &update) }
        if command.calls { replaceCode(removed: removed, target: target, text: text, update: &update) }
        if command.traceFunction, traceFunction != target.listFunction {
            functionTraceOp = pendingTraceOp
            pokeTraceFunction(traceFunction, target: target, update: &update)
        }
    }

    /// ftrace_update_ftrace_func(): two pokes of their own, ftrace_call and ftrace_regs_call.
    private mutating func pokeTraceFunction(
        _ function: VirtualAddress, target: FtraceTarget, update: inout FtraceUpdate
    ) {
        for caller in [target.caller, target.regsCaller] {
            guard let call = caller?.call else { continue }
            let location = TextPokeLocation(
                address: call, old: .call(from: call, to: callTarget), new: .call(from: call, to: function))
            update.steps.append(.poke(.single(location)))
        }
        callTarget = function
    }

    /// ftrace_replace_code(): every site's old bytes are verified before the first one is queued.
    private mutating func replaceCode(
        removed: Int?, target: FtraceTarget, text: some TextReading, update: inout FtraceUpdate
    ) {
        let nop = InstructionBytes.nop5(target.mode)
        var locations: [TextPokeLocation] = []
        var touched: [Int] = []
        for index in records.indices {
            let record = records[index]
            let old: InstructionBytes
            let new: InstructionBytes
            switch record.updateKind() {
            case .ignore:
                continue
            case .makeCall:
                old = nop
                new = .call(from: record.address, to: addressNew(index, target))
            case .modifyCall:
                old = .call(from: record.address, to: addressCurrent(index, removed: removed, target))
                new = .call(from: record.address, to: addressNew(index, target))
            case .makeNop:
                old = .call(from: record.address, to: addressCurrent(index, removed: removed, target))
                new = nop
            }
            let actual = text.instruction(at: record.address, count: old.count)
            guard actual == old else {
                reportBug(
                    record: index, actual: actual, expected: old,
                    expectedTarget: addressCurrent(index, removed: removed, target), target: target, text: text,
                    update: &update)
                return
            }
            locations.append(TextPokeLocation(address: record.address, old: old, new: new))
            touched.append(index)
        }
        for index in touched {
            let was = records[index].has(.enabled)
            _ = records[index].update()
            enabledCount += (records[index].has(.enabled) ? 1 : 0) - (was ? 1 : 0)
        }
        if !locations.isEmpty { update.steps.append(.poke(.queued(locations))) }
    }

    /// ftrace_get_addr_new(): trampolines take precedence over saved registers.
    private func addressNew(_ index: Int, _ target: FtraceTarget) -> VirtualAddress {
        let record = records[index]
        if record.has(.trampoline) {
            guard let trampoline = trampolineOpsNew(index)?.trampoline else {
                preconditionFailure("a record marked TRAMP has an ops with a trampoline")
            }
            return trampoline
        }
        return address(regs: record.has(.regs), target)
    }

    /// ftrace_get_addr_curr()
    func addressCurrent(_ index: Int, removed: Int?, _ target: FtraceTarget) -> VirtualAddress {
        let record = records[index]
        if record.has(.trampolineEnabled) {
            guard let trampoline = trampolineOpsCurrent(index, removed: removed)?.trampoline else {
                preconditionFailure("a record marked TRAMP_EN has an ops with a trampoline")
            }
            return trampoline
        }
        return address(regs: record.has(.regsEnabled), target)
    }

    private func address(regs: Bool, _ target: FtraceTarget) -> VirtualAddress {
        regs ? target.regsCaller?.start ?? target.caller.start : target.caller.start
    }
}
