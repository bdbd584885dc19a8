public import X86

extension FtraceState {
    /// Makes an ops, not yet registered.
    public mutating func makeOps(
        name: String, function: VirtualAddress, address: VirtualAddress, flags: FtraceOps.Flags,
        hash: FtraceOpsHash = FtraceOpsHash()
    ) throws(FtraceError) -> FtraceOpsID {
        _ = try requireTarget()
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
}
