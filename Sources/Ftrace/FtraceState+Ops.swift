import TextPatching
public import X86

extension FtraceState {
    /// Makes an ops, not yet registered.
    public mutating func makeOps(
        name: String, function: VirtualAddress, address: VirtualAddress, flags: FtraceOps.Flags,
        hash: FtraceOpsHash = FtraceOpsHash()
    ) throws(FtraceError) -> FtraceOpsID {
        guard target != nil else { throw .disabled }
        // Whoever makes an ops has waited for the update that let the departed ones go.
        for id in departed { freeOps(id) }
        departed = []
        guard opsBySlot.count < Self.opsMax || opsBySlot.contains(where: { $0 == nil }) else { throw .tooManyOps }
        let id = insertOps(name: name, function: function, address: address, flags: flags)
        opsBySlot[id.slot]!.hash = hash
        return id
    }

    mutating func insertOps(
        name: String, function: VirtualAddress, address: VirtualAddress, flags: FtraceOps.Flags
    ) -> FtraceOpsID {
        let slot = opsBySlot.firstIndex { $0 == nil } ?? opsBySlot.count
        let id = FtraceOpsID(slot: slot)
        let ops = FtraceOps(id: id, name: name, address: address, function: function, flags: flags)
        if slot == opsBySlot.count {
            opsBySlot.append(ops)
            arrayBySlot.append(-1)
        } else {
            opsBySlot[slot] = ops
        }
        return id
    }

    /// Frees an ops that isn't registered.
    public mutating func freeOps(_ id: FtraceOpsID) {
        precondition(!opsList.contains(id.slot), "a registered ops can't be freed")
        opsBySlot[id.slot] = nil
        arrayBySlot[id.slot] = -1
    }

    // MARK: - ftrace_ops_list and the trace function

    /// __register_ftrace_function(): the ops heads the list, gets its trampoline, and the trace function follows.
    mutating func insertIntoList(_ slot: Int, target: FtraceTarget, update: inout FtraceUpdate) {
        opsList.insert(slot, at: 0)
        updateTrampoline(slot, target: target, update: &update)
        updateTraceFunction(target)
    }

    /// __unregister_ftrace_function()
    mutating func removeFromList(_ slot: Int, target: FtraceTarget) {
        opsList.removeAll { $0 == slot }
        if !isDisabled { updateTraceFunction(target) }
    }

    /// arch_ftrace_update_trampoline(): made at the first registration; one that is there already has its inner CALL
    /// poked, although the callback is the same.
    private mutating func updateTrampoline(_ slot: Int, target: FtraceTarget, update: inout FtraceUpdate) {
        guard target.makesTrampolines, let ops = opsBySlot[slot] else { return }
        if let call = trampolineCall(of: ops) {
            let bytes = InstructionBytes.call(from: call, to: ops.function)
            update.steps.append(.poke(.single(TextPokeLocation(address: call, old: bytes, new: bytes))))
            return
        }
        guard let caller = callerCopied(by: ops) else { return }
        let address = arena.allocate()
        guard
            let bytes = FtraceTrampoline.bytes(
                at: address, copying: caller, ops: ops.address, function: ops.function, returnThunk: target.returnThunk)
        else {
            arena.free(address)
            return
        }
        update.steps.append(.mapTrampoline(address: address, bytes: bytes))
        opsBySlot[slot]!.trampoline = address
        opsBySlot[slot]!.flags.insert(.allocatedTrampoline)
        trampolineSlots.insert(slot, at: 0)
    }

    /// ftrace_trampoline_free()
    mutating func freeTrampoline(_ slot: Int, update: inout FtraceUpdate) {
        guard let address = opsBySlot[slot]?.trampoline else { return }
        trampolineSlots.removeAll { $0 == slot }
        arena.free(address)
        opsBySlot[slot]!.trampoline = nil
        opsBySlot[slot]!.flags.remove(.allocatedTrampoline)
        update.steps.append(.unmapTrampoline(address: address))
    }

    /// update_ftrace_function(): the stub without ops; a single static ops' own callback; else the list function, which a
    /// dynamic ops needs even when alone, as it may be freed while the callback is on its way.
    private mutating func updateTraceFunction(_ target: FtraceTarget) {
        guard let first = opsList.first, let ops = opsBySlot[first] else {
            pendingTraceOp = target.listEnd
            traceFunction = target.stub
            return
        }
        if opsList.count == 1 {
            pendingTraceOp = ops.address
            traceFunction = ops.flags.contains(.dynamic) ? target.listFunction : ops.function
        } else {
            pendingTraceOp = target.listEnd
            traceFunction = target.listFunction
        }
    }
}
