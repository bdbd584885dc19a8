import X86

extension CPUState {
    // MARK: Registers

    @inline(__always)
    func register(_ number: UInt8, _ size: Int) -> UInt64 {
        if number >= Instruction.highByteBase {
            return context.registers[Int(number - Instruction.highByteBase) & 15] >> 8 & 0xff
        }
        return context.registers[Int(number) & 15] & PrivateRegion.mask(size)
    }

    @inline(__always)
    func isHavoc(_ number: UInt8) -> Bool {
        let full = number >= Instruction.highByteBase ? number - Instruction.highByteBase : number
        return context.havocRegisters >> UInt16(full & 15) & 1 != 0
    }

    /// Writes `size` bytes: four zero-extend, one and two leave the rest (SDM vol. 1, 3.4.1.1).
    @inline(__always)
    mutating func setRegister(_ number: UInt8, _ value: UInt64, _ size: Int, isHavoc: Bool) {
        if number >= Instruction.highByteBase {
            let full = Int(number - Instruction.highByteBase) & 15
            context.registers[full] = context.registers[full] & ~0xff00 | (value & 0xff) << 8
            if isHavoc { context.havocRegisters |= 1 << UInt16(full) }
            return
        }
        let full = Int(number) & 15
        if size >= 4 {
            context.registers[full] = value & PrivateRegion.mask(size)
            mark(full, isHavoc)
        } else {
            let mask = PrivateRegion.mask(size)
            context.registers[full] = context.registers[full] & ~mask | value & mask
            if isHavoc { context.havocRegisters |= 1 << UInt16(full) }
        }
    }

    @inline(__always)
    mutating func mark(_ number: Int, _ isHavoc: Bool) {
        let bit: UInt16 = 1 << UInt16(number)
        context.havocRegisters = isHavoc ? context.havocRegisters | bit : context.havocRegisters & ~bit
    }

    // MARK: Effective addresses

    /// Base + index * scale + displacement, and whether it derives from havoc. `next` is RIP behind the instruction.
    @inline(__always)
    func effectiveAddress(_ instruction: UnsafePointer<Instruction>, next: UInt64) -> (address: UInt64, isHavoc: Bool) {
        var address = UInt64(bitPattern: Int64(instruction.pointee.displacement))
        var havoc = false
        if instruction.pointee.base == Instruction.instructionPointer {
            address &+= next
        } else if instruction.pointee.base != Instruction.noRegister {
            address &+= context.registers[Int(instruction.pointee.base) & 15]
            havoc = isHavoc(instruction.pointee.base)
        }
        if instruction.pointee.index != Instruction.noRegister {
            address &+= context.registers[Int(instruction.pointee.index) & 15] << UInt64(instruction.pointee.scale)
            havoc = havoc || isHavoc(instruction.pointee.index)
        }
        return (address, havoc)
    }

    /// The address that a memory access uses: rule 1 sends havoc'd ones into the task's arena.
    @inline(__always)
    mutating func accessAddress(_ instruction: UnsafePointer<Instruction>, next: UInt64) -> UInt64 {
        var (address, havoc) = effectiveAddress(instruction, next: next)
        if instruction.pointee.usesGS { address &+= gsBase }
        if havoc {
            counts.havoc.addresses += 1
            address = arenaAddress(address)
        }
        return address
    }

    @inline(__always)
    func arenaAddress(_ address: UInt64) -> UInt64 {
        let offset = address & UInt64(GuestMemory.arenaSize - 1)
        return context.memory.arenaBase + min(offset, UInt64(GuestMemory.arenaSize - 64))
    }

    // MARK: Operands

    /// The source operand, sign-extended where it is an immediate.
    @inline(__always)
    mutating func source(
        _ instruction: UnsafePointer<Instruction>, _ size: Int, _ next: UInt64, _ machine: borrowing MachineAccess,
        _ trap: inout Trap
    ) -> Loaded {
        switch instruction.pointee.sourceKind {
        case .register:
            return Loaded(
                value: register(instruction.pointee.source, size), isHavoc: isHavoc(instruction.pointee.source))
        case .memory:
            return load(accessAddress(instruction, next: next), size, machine, &trap)
        case .immediate, .none:
            return Loaded(
                value: UInt64(bitPattern: instruction.pointee.immediate) & PrivateRegion.mask(size), isHavoc: false)
        }
    }

    /// The destination operand's present value, and its address where it is memory.
    @inline(__always)
    mutating func destination(
        _ instruction: UnsafePointer<Instruction>, _ size: Int, _ next: UInt64, _ machine: borrowing MachineAccess,
        _ trap: inout Trap
    ) -> (loaded: Loaded, address: UInt64) {
        if instruction.pointee.destinationKind == .memory {
            let address = accessAddress(instruction, next: next)
            return (load(address, size, machine, &trap), address)
        }
        return (
            Loaded(
                value: register(instruction.pointee.destination, size),
                isHavoc: isHavoc(instruction.pointee.destination)), 0
        )
    }

    /// Writes a result to the destination; a fault leaves everything as it was.
    @inline(__always)
    mutating func setDestination(
        _ instruction: UnsafePointer<Instruction>, _ address: UInt64, _ value: UInt64, _ size: Int, isHavoc: Bool,
        _ machine: borrowing MachineAccess, _ trap: inout Trap
    ) {
        if instruction.pointee.destinationKind == .memory {
            guard checkStore(address, size, machine, &trap) else { return }
            store(address, value, size, isHavoc: isHavoc)
        } else {
            setRegister(instruction.pointee.destination, value, size, isHavoc: isHavoc)
        }
    }

    // MARK: Stack

    @inline(__always)
    mutating func pushWord(
        _ value: UInt64, isHavoc: Bool, _ machine: borrowing MachineAccess, _ trap: inout Trap
    ) {
        let address = context.rsp &- 8
        guard checkStore(address, 8, machine, &trap) else { return }
        store(address, value, 8, isHavoc: isHavoc)
        context.rsp = address
    }

    @inline(__always)
    mutating func popWord(_ machine: borrowing MachineAccess, _ trap: inout Trap) -> Loaded {
        let loaded = load(context.rsp, 8, machine, &trap)
        if trap == .none { context.rsp &+= 8 }
        return loaded
    }
}
