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
    func register(_ number: Int, _ size: Int) -> UInt64 {
        context.registers[number & 15] & PrivateRegion.mask(size)
    }

    @inline(__always)
    func isHavoc(_ number: UInt8) -> Bool {
        let full = number >= Instruction.highByteBase ? number - Instruction.highByteBase : number
        return context.havocRegisters >> UInt16(full & 15) & 1 != 0
    }

    @inline(__always)
    func isHavoc(_ number: Int) -> Bool {
        context.havocRegisters >> UInt16(number & 15) & 1 != 0
    }

    @inline(__always)
    func word(_ number: UInt8, _ size: Int) -> Word {
        Word(value: register(number, size), isHavoc: isHavoc(number))
    }

    @inline(__always)
    func word(_ number: Int, _ size: Int) -> Word {
        Word(value: register(number, size), isHavoc: isHavoc(number))
    }

    /// Writes `size` bytes: four zero-extend, one and two leave the rest (SDM vol. 1, 3.4.1.1). Rule 3: never RSP from
    /// havoc.
    @inline(__always)
    mutating func setRegister(_ number: UInt8, _ word: Word, _ size: Int) throws(Trap) {
        if number >= Instruction.highByteBase {
            let full = Int(number - Instruction.highByteBase) & 15
            context.registers[full] = context.registers[full] & ~0xff00 | (word.value & 0xff) << 8
            if word.isHavoc { context.havocRegisters |= 1 << UInt16(full) }
            return
        }
        let full = Int(number) & 15
        if word.isHavoc, full == RegisterNumber.sp { throw .havocStack }
        if size >= 4 {
            context.registers[full] = word.value & PrivateRegion.mask(size)
            mark(full, word.isHavoc)
        } else {
            let mask = PrivateRegion.mask(size)
            context.registers[full] = context.registers[full] & ~mask | word.value & mask
            if word.isHavoc { context.havocRegisters |= 1 << UInt16(full) }
        }
    }

    @inline(__always)
    mutating func setRegister(_ number: Int, _ word: Word, _ size: Int) throws(Trap) {
        try setRegister(UInt8(number), word, size)
    }

    @inline(__always)
    mutating func mark(_ number: Int, _ isHavoc: Bool) {
        let bit: UInt16 = 1 << UInt16(number)
        context.havocRegisters = isHavoc ? context.havocRegisters | bit : context.havocRegisters & ~bit
    }

    // MARK: Effective addresses

    /// Base + index * scale + displacement in the address size, and whether it derives from havoc.
    @inline(__always)
    func effectiveAddress(_ i: UnsafePointer<Instruction>) -> Word {
        let base = i.pointee.base
        let index = i.pointee.index
        var address =
            context.registers[Int(base) & 31] &+ context.registers[Int(index) & 31] << UInt64(i.pointee.scale)
            &+ UInt64(bitPattern: Int64(i.pointee.displacement))
        address &= PrivateRegion.mask(i.pointee.addressSize)
        let havoc = (context.havocRegisters >> UInt16(base) | context.havocRegisters >> UInt16(index)) & 1 != 0
        return Word(value: address, isHavoc: havoc)
    }

    /// The linear address that an effective address stands for: rule 1 sends havoc'd ones into the task's arena.
    @inline(__always)
    mutating func linear(_ effective: Word, _ segment: SegmentRegister) -> UInt64 {
        var address = effective.value
        if segment == .gs { address &+= system.gsBase } else if segment == .fs { address &+= system.fsBase }
        if effective.isHavoc {
            counts.havoc.addresses += 1
            return arenaAddress(address)
        }
        return address & addressMask
    }

    @inline(__always)
    mutating func accessAddress(_ i: UnsafePointer<Instruction>) -> UInt64 {
        linear(effectiveAddress(i), i.pointee.segment)
    }

    @inline(__always)
    func arenaAddress(_ address: UInt64) -> UInt64 {
        let offset = address & UInt64(GuestMemory.arenaSize - 1)
        return context.memory.arenaBase + min(offset, UInt64(GuestMemory.arenaSize - 64))
    }

    // MARK: Operands

    /// The memory operand's value.
    @inline(__always)
    mutating func memoryOperand(
        _ i: UnsafePointer<Instruction>, _ size: Int, _ m: borrowing MachineAccess
    ) throws(Trap) -> Word {
        try load(accessAddress(i), size, isStack: i.pointee.segment == .ss, m)
    }

    /// The source operand, an immediate cut to `size`.
    @inline(__always)
    mutating func source(
        _ i: UnsafePointer<Instruction>, _ size: Int, _ m: borrowing MachineAccess
    ) throws(Trap) -> Word {
        switch i.pointee.sourceKind {
        case .register: return word(i.pointee.source, size)
        case .memory: return try memoryOperand(i, size, m)
        case .immediate, .none: return Word(UInt64(bitPattern: i.pointee.immediate) & PrivateRegion.mask(size))
        }
    }

    /// The destination operand where it is only read.
    @inline(__always)
    mutating func destination(
        _ i: UnsafePointer<Instruction>, _ size: Int, _ m: borrowing MachineAccess
    ) throws(Trap) -> Word {
        i.pointee.destinationKind == .memory ? try memoryOperand(i, size, m) : word(i.pointee.destination, size)
    }

    /// The destination operand where it is read and written: a fault says that it was to be written, and comes before
    /// anything has changed.
    @inline(__always)
    mutating func modified(
        _ i: UnsafePointer<Instruction>, _ size: Int, _ m: borrowing MachineAccess
    ) throws(Trap) -> (word: Word, address: UInt64) {
        guard i.pointee.destinationKind == .memory else { return (word(i.pointee.destination, size), 0) }
        let address = accessAddress(i)
        let isStack = i.pointee.segment == .ss
        try checkStore(address, size, isStack: isStack, m)
        return (try load(address, size, isStack: isStack, m), address)
    }

    /// Where the destination operand is written but not read: its address, checked.
    @inline(__always)
    mutating func target(
        _ i: UnsafePointer<Instruction>, _ size: Int, _ m: borrowing MachineAccess
    ) throws(Trap) -> UInt64 {
        guard i.pointee.destinationKind == .memory else { return 0 }
        let address = accessAddress(i)
        try checkStore(address, size, isStack: i.pointee.segment == .ss, m)
        return address
    }

    /// Writes a result to the destination, whose address has been checked.
    @inline(__always)
    mutating func setDestination(
        _ i: UnsafePointer<Instruction>, _ address: UInt64, _ word: Word, _ size: Int
    ) throws(Trap) {
        if i.pointee.destinationKind == .memory {
            store(address, word, size)
        } else {
            try setRegister(i.pointee.destination, word, size)
        }
    }

    // MARK: Stack

    @inline(__always)
    mutating func push(_ word: Word, _ size: Int, _ m: borrowing MachineAccess) throws(Trap) {
        let address = (context.rsp &- UInt64(size)) & addressMask
        try checkStore(address, size, isStack: true, m)
        store(address, word, size)
        context.rsp = address
    }

    /// The word at the top of the stack; the caller raises RSP.
    @inline(__always)
    mutating func top(_ size: Int, at offset: Int = 0, _ m: borrowing MachineAccess) throws(Trap) -> Word {
        try load((context.rsp &+ UInt64(offset)) & addressMask, size, isStack: true, m)
    }

    @inline(__always)
    mutating func raiseStack(_ bytes: Int) {
        context.rsp = (context.rsp &+ UInt64(bitPattern: Int64(bytes))) & addressMask
    }

    @inline(__always)
    mutating func note(_ isHavoc: Bool) {
        if isHavoc { counts.havocInputs &+= 1 }
    }
}
