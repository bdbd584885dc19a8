extension FtraceState {
    /// register_ftrace_function() → ftrace_startup()
    ///
    /// When verifying the sites fails the update carries the failure and what was poked before it was noticed.
    public mutating func register(
        _ id: FtraceOpsID, text: some TextReading
    ) throws(FtraceError) -> FtraceUpdate {
        let target = try requireTarget()
        let slot = id.slot
        guard let ops = opsBySlot[slot], !ops.isRegistered else { throw .busy }
        // The kernel marks the record after it has made the trampoline and rolls that back; checking first comes to the
        // same, but for the trampoline's brief life.
        try moveIPModify(slot, from: nil, to: ops.hash.filter)

        var update = FtraceUpdate()
        insertIntoList(slot, target: target, update: &update)
        opsBySlot[slot]!.flags.formUnion([.enabled, .adding])
        let calls = countRecords(of: slot, add: true)
        runUpdate(calls: calls, target: target, text: text, update: &update)
        opsBySlot[slot]!.flags.remove(.adding)
        if isDisabled {
            removeFromList(slot, target: target)
            opsBySlot[slot]!.flags.remove(.enabled)
        }
        return update
    }

    /// unregister_ftrace_function() → ftrace_shutdown()
    public mutating func unregister(
        _ id: FtraceOpsID, text: some TextReading
    ) throws(FtraceError) -> FtraceUpdate {
        let target = try requireTarget()
        let slot = id.slot
        guard let ops = opsBySlot[slot], ops.isRegistered else { throw .busy }
        var update = FtraceUpdate()
        removeFromList(slot, target: target)
        // Taking the flag away never fails.
        try moveIPModify(slot, from: ops.hash.filter, to: nil)
        let calls = countRecords(of: slot, add: false)
        opsBySlot[slot]!.flags.remove(.enabled)
        opsBySlot[slot]!.flags.insert(.removing)
        opsBySlot[slot]!.oldHash = ops.hash
        runUpdate(calls: calls, removed: slot, target: target, text: text, update: &update)
        opsBySlot[slot]!.oldHash = FtraceOpsHash()
        opsBySlot[slot]!.flags.remove(.removing)
        if ops.flags.contains(.dynamic) {
            // A task may have been preempted in the trampoline, or on its way to it.
            if !update.steps.isEmpty { update.steps.append(.synchronizeRCUTasks) }
            freeTrampoline(slot, update: &update)
        }
        return update
    }

    /// ftrace_hash_move_and_update_ops(): replaces a hash of an ops, registered or not.
    public mutating func setHash(
        _ id: FtraceOpsID, _ hash: FtraceHash, notrace: Bool, text: some TextReading
    ) throws(FtraceError) -> FtraceUpdate {
        guard var hashes = opsBySlot[id.slot]?.hash else { throw .busy }
        if notrace { hashes.notrace = hash } else { hashes.filter = hash }
        return try setHashes(id, hashes, text: text)
    }

    /// The same for both hashes at once. The kernel counts a changed notrace hash out and in by itself; counting the whole
    /// set that the ops wants comes to the same records.
    public mutating func setHashes(
        _ id: FtraceOpsID, _ hashes: FtraceOpsHash, text: some TextReading
    ) throws(FtraceError) -> FtraceUpdate {
        let target = try requireTarget()
        let slot = id.slot
        guard let ops = opsBySlot[slot] else { throw .busy }
        if ops.flags.contains(.ipModify) {
            guard hashes.notrace.isEmpty else { throw .ipModifyNeedsFilter }
            if ops.isRegistered { try moveIPModify(slot, from: ops.hash.filter, to: hashes.filter) }
        }
        // The old set is counted out, the new one in; records of both end as they were.
        _ = countRecords(of: slot, add: false)
        opsBySlot[slot]!.hash = hashes
        _ = countRecords(of: slot, add: true)

        var update = FtraceUpdate()
        guard ops.isRegistered else { return update }
        opsBySlot[slot]!.oldHash = ops.hash
        opsBySlot[slot]!.flags.insert(.modifying)
        modifyAllCode(
            FtraceCommand(calls: true, traceFunction: false), target: target, text: text, update: &update)
        opsBySlot[slot]!.flags.remove(.modifying)
        opsBySlot[slot]!.oldHash = FtraceOpsHash()
        return update
    }
}
