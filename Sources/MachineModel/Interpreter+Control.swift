import X86

/// Indirect branches, returns, string instructions, and havoc.
extension CPUState {
    mutating func branchIndirect(
        _ i: UnsafePointer<Instruction>, _ next: UInt64, isCall: Bool, _ target: inout UInt64,
        _ machine: borrowing MachineAccess,
        _ trap: inout Trap
    ) {
        let (loaded, _) = destination(i, 8, next, machine, &trap)
        guard trap == .none else { return }
        var goal = loaded.value
        if loaded.isHavoc {
            // Rule 2: some function whose address is taken somewhere.
            let targets = machine.environment.havocTargets
            guard !targets.isEmpty else {
                trap = .undefinedOpcode
                return
            }
            goal = targets[context.source.next(below: targets.count)]
            counts.havoc.branches += 1
        }
        if isCall { pushWord(next, isHavoc: false, machine, &trap) }
        target = goal
        context.lastIndirectTarget = goal
        note(loaded)
    }

    mutating func ret(
        _ i: UnsafePointer<Instruction>, _ target: inout UInt64, _ machine: borrowing MachineAccess, _ trap: inout Trap
    ) {
        let loaded = load(context.rsp, 8, machine, &trap)
        guard trap == .none else { return }
        guard !loaded.isHavoc else {
            trap = .havocStack
            return
        }
        context.rsp &+= 8
        if i.pointee.destinationKind == .immediate { context.rsp &+= UInt64(bitPattern: i.pointee.immediate) }
        target = loaded.value
        context.lastIndirectTarget = loaded.value
        note(loaded)
    }

    // MARK: Strings

    /// Iterations that a havoc'd count is cut down to.
    private static let havocRepeatMask: UInt64 = 0x3f

    /// False where a repeated instruction is finished. A havoc'd count is first made small.
    private mutating func hasIteration(_ i: UnsafePointer<Instruction>) -> Bool {
        guard i.pointee.isRepeated else { return true }
        if isHavoc(UInt8(RegisterNumber.cx)) {
            context.registers[RegisterNumber.cx] &= Self.havocRepeatMask
            mark(RegisterNumber.cx, false)
        }
        return context.registers[RegisterNumber.cx] != 0
    }

    /// Steps RCX; the instruction stands again until it reaches zero.
    private mutating func endIteration(_ i: UnsafePointer<Instruction>, _ target: inout UInt64) {
        guard i.pointee.isRepeated else { return }
        context.registers[RegisterNumber.cx] &-= 1
        if context.registers[RegisterNumber.cx] != 0 { target = context.rip }
    }

    private func pointer(_ number: Int) -> UInt64 {
        let address = context.registers[number]
        return isHavoc(UInt8(number)) ? arenaAddress(address) : address
    }

    private mutating func advance(_ number: Int, _ size: Int) {
        let isDown = context.rflags & FlagBit.direction != 0
        context.registers[number] =
            isDown
            ? context.registers[number] &- UInt64(size) : context.registers[number] &+ UInt64(size)
    }

    mutating func storeString(
        _ i: UnsafePointer<Instruction>, _ target: inout UInt64, _ machine: borrowing MachineAccess, _ trap: inout Trap
    ) {
        guard hasIteration(i) else { return }
        let size = Int(i.pointee.size)
        let address = pointer(RegisterNumber.di)
        guard checkStore(address, size, machine, &trap) else { return }
        let ax = UInt8(RegisterNumber.ax)
        store(address, register(ax, size), size, isHavoc: isHavoc(ax))
        advance(RegisterNumber.di, size)
        endIteration(i, &target)
        note(Loaded(value: 0, isHavoc: isHavoc(ax)))
    }

    mutating func moveString(
        _ i: UnsafePointer<Instruction>, _ target: inout UInt64, _ machine: borrowing MachineAccess, _ trap: inout Trap
    ) {
        guard hasIteration(i) else { return }
        let size = Int(i.pointee.size)
        let loaded = load(pointer(RegisterNumber.si), size, machine, &trap)
        guard trap == .none else { return }
        let address = pointer(RegisterNumber.di)
        guard checkStore(address, size, machine, &trap) else { return }
        store(address, loaded.value, size, isHavoc: loaded.isHavoc)
        advance(RegisterNumber.si, size)
        advance(RegisterNumber.di, size)
        endIteration(i, &target)
        note(loaded)
    }

    // MARK: Havoc

    /// An instruction without semantics: seeded arbitrary values in everything that it writes, marked as such.
    mutating func havoc(
        _ i: UnsafePointer<Instruction>, _ next: UInt64, _ machine: borrowing MachineAccess, _ trap: inout Trap
    ) {
        // Rule 3.
        guard i.pointee.writtenRegisters >> UInt16(RegisterNumber.sp) & 1 == 0 else {
            trap = .havocStack
            return
        }
        if i.pointee.writtenMemorySize > 0 {
            let address = accessAddress(i, next: next)
            let size = Int(i.pointee.writtenMemorySize)
            guard checkStore(address, size, machine, &trap) else { return }
            var offset = 0
            while offset < size {
                let length = min(8, size - offset)
                store(address &+ UInt64(offset), SeededSource.arbitrary(context.source.next()), length, isHavoc: true)
                offset += length
            }
        }
        var written = i.pointee.writtenRegisters
        while written != 0 {
            let number = written.trailingZeroBitCount
            written &= written - 1
            context.registers[number] = SeededSource.arbitrary(context.source.next())
            mark(number, true)
        }
        if i.pointee.writesFlags {
            context.rflags = context.rflags & ~FlagBit.status | context.source.next() & FlagBit.status
            context.flagsAreHavoc = true
        }
        counts.havoc.instructions &+= 1
        counts.havocInputs &+= 1
    }
}
