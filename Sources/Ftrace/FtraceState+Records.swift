extension FtraceState {
    /// __ftrace_hash_rec_update(): counts an ops in or out of the records that it wants: those of its filter, or all
    /// without one, less those of its notrace hash. Returns whether the text of any of them has to change.
    mutating func countRecords(of slot: Int, add: Bool) -> Bool {
        guard let ops = opsBySlot[slot], ops.isRegistered else { return false }
        let (filter, notrace) = (ops.hash.filter, ops.hash.notrace)
        var changed = false
        if filter.isEmpty {
            for record in records.indices where !notrace.contains(record) {
                if countRecord(record, ops: ops, add: add) { changed = true }
            }
            return changed
        }
        var next = filter.next(from: 0)
        while let record = next {
            if !notrace.contains(record), countRecord(record, ops: ops, add: add) { changed = true }
            next = filter.next(from: record + 1)
        }
        return changed
    }

    /// One record's part of it.
    private mutating func countRecord(_ index: Int, ops: FtraceOps, add: Bool) -> Bool {
        var record = records[index]
        if record.isSkipped { return false }
        if add {
            precondition(record.count < DynFtrace.countMax, "fewer ops than a record can count")
            record.word += 1
            // A trampoline of its own serves a single ops only; a second one sends the record back to ftrace_caller.
            record.set(.trampoline, record.count == 1 && ops.trampoline != nil)
            if ops.flags.contains(.saveRegs) { record.set(.regs) }
        } else {
            precondition(record.count > 0, "an ops leaves a record that it was counted in")
            record.word -= 1
            if record.count > 0, record.has(.regs), ops.flags.contains(.saveRegs) {
                record.set(.regs, someOpsNeedsRegs(index))
            }
            record.set(.trampoline, record.count == 1 && hasTrampolineOps(index, except: ops.id.slot))
        }
        records[index] = record
        return record.updateKind() != .ignore
    }

    /// test_rec_ops_needs_regs()
    private func someOpsNeedsRegs(_ record: Int) -> Bool {
        opsList.contains { slot in
            guard let ops = opsBySlot[slot] else { return false }
            return ops.flags.contains(.saveRegs) && ops.hash.admits(record)
        }
    }

    /// ftrace_find_tramp_ops_any_other()
    private func hasTrampolineOps(_ record: Int, except excluded: Int) -> Bool {
        opsList.contains { slot in
            guard slot != excluded, let ops = opsBySlot[slot] else { return false }
            return ops.trampoline != nil && ops.hash.admits(record)
        }
    }

    /// ftrace_find_tramp_ops_new()
    func trampolineOpsNew(_ record: Int) -> FtraceOps? {
        for slot in opsList {
            if let ops = opsBySlot[slot], ops.trampoline != nil, ops.hash.admits(record) { return ops }
        }
        return nil
    }

    /// ftrace_find_tramp_ops_curr(): whose trampoline the text calls now. An ops that is being removed comes first, one
    /// that is being added hasn't reached the text yet, and one that is being changed still has its old hash there.
    func trampolineOpsCurrent(_ record: Int, removed: Int?) -> FtraceOps? {
        if let removed, let ops = opsBySlot[removed], ops.oldHash.admits(record) { return ops }
        for slot in opsList {
            guard let ops = opsBySlot[slot], ops.trampoline != nil, !ops.flags.contains(.adding) else { continue }
            let hash = ops.flags.contains(.modifying) ? ops.oldHash : ops.hash
            if hash.admits(record) { return ops }
        }
        return nil
    }

    // MARK: - IPMODIFY

    /// __ftrace_hash_update_ipmodify(): moves the IPMODIFY flag from the records of `old` to those of `new`; nil stands for
    /// no record at all. Nothing is changed when it throws.
    mutating func moveIPModify(
        _ slot: Int, from old: FtraceHash?, to new: FtraceHash?
    ) throws(FtraceError) {
        guard let ops = opsBySlot[slot], ops.flags.contains(.ipModify) else { return }
        // Changing where every function goes on can't be meant.
        if let new, new.isEmpty { throw .ipModifyNeedsFilter }
        if let new {
            var next = new.next(from: 0)
            while let record = next {
                if old?.contains(record) != true, records[record].has(.ipModify) {
                    throw .ipModifyTaken(function: names.string(at: record))
                }
                next = new.next(from: record + 1)
            }
            next = new.next(from: 0)
            while let record = next {
                if !records[record].isSkipped { records[record].set(.ipModify) }
                next = new.next(from: record + 1)
            }
        }
        var next = old?.next(from: 0)
        while let record = next {
            if new?.contains(record) != true { records[record].set(.ipModify, false) }
            next = old?.next(from: record + 1)
        }
    }
}
