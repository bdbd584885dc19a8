import X86

/// String instructions: one iteration a step, so that interrupts and faults come between iterations.
extension CPUState {
    /// Iterations that a havoc'd count is cut down to.
    private static let havocRepeatMask: UInt64 = 0x3f

    mutating func string(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        if i.pointee.operation == .inputString || i.pointee.operation == .outputString {
            try requireInputOutput()
        }
        guard hasIteration(i) else { return }
        let size = Int(i.pointee.size)
        var goesOn = true
        switch i.pointee.operation {
        case .storeString: try store(i, word(RegisterNumber.ax, size), size, m)
        case .moveString:
            let word = try load(i, size, m)
            try store(i, word, size, m)
            advance(i, RegisterNumber.si, size)
        case .loadString:
            let word = try load(i, size, m)
            try setRegister(RegisterNumber.ax, word, size)
            advance(i, RegisterNumber.si, size)
        case .compareString:
            let left = try load(i, size, m)
            let right = try load(destinationAddress(i), size, m)
            compare(left, right, size)
            advance(i, RegisterNumber.si, size)
            advance(i, RegisterNumber.di, size)
            goesOn = matches(i)
        case .scanString:
            let right = try load(destinationAddress(i), size, m)
            compare(word(RegisterNumber.ax, size), right, size)
            advance(i, RegisterNumber.di, size)
            goesOn = matches(i)
        case .inputString:
            let arbitrary = SeededSource.arbitrary(context.source.next())
            try store(i, Word(value: arbitrary, isHavoc: !context.memory.isExplicit), size, m)
            noteInexact(i)
        default:
            _ = try load(i, size, m)
            advance(i, RegisterNumber.si, size)
            noteInexact(i)
        }
        endIteration(i, goesOn)
    }

    /// False where a repeated instruction is finished. A havoc'd count is first made small.
    private mutating func hasIteration(_ i: UnsafePointer<Instruction>) -> Bool {
        guard i.pointee.isRepeated else { return true }
        if isHavoc(RegisterNumber.cx) {
            context.registers[RegisterNumber.cx] &= Self.havocRepeatMask
            mark(RegisterNumber.cx, false)
        }
        return register(RegisterNumber.cx, i.pointee.addressSize) != 0
    }

    /// Steps the counter; the instruction stands again until it reaches zero or the comparison ends it.
    private mutating func endIteration(_ i: UnsafePointer<Instruction>, _ goesOn: Bool) {
        guard i.pointee.isRepeated else { return }
        let size = i.pointee.addressSize
        let left = (register(RegisterNumber.cx, size) &- 1) & PrivateRegion.mask(size)
        setPointer(RegisterNumber.cx, left, size)
        if left != 0, goesOn {
            target = context.rip
            isRepeating = true
        }
    }

    /// REPE goes on while equal, REPNE while unequal.
    private func matches(_ i: UnsafePointer<Instruction>) -> Bool {
        (context.rflags & FlagBit.zero != 0) == i.pointee.hasREP
    }

    private mutating func compare(_ left: Word, _ right: Word, _ size: Int) {
        let result = (left.value &- right.value) & PrivateRegion.mask(size)
        let havoc = left.isHavoc || right.isHavoc
        setStatus(Flags.ofSubtraction(left.value, right.value, result, size), isHavoc: havoc)
        note(havoc)
    }

    private func pointer(_ number: Int, _ i: UnsafePointer<Instruction>) -> Word {
        word(number, i.pointee.addressSize)
    }

    /// Destinations are always in ES.
    private mutating func destinationAddress(_ i: UnsafePointer<Instruction>) -> UInt64 {
        let word = pointer(RegisterNumber.di, i)
        return word.isHavoc ? arenaAddress(word.value) : word.value
    }

    private mutating func load(
        _ i: UnsafePointer<Instruction>, _ size: Int, _ m: borrowing MachineAccess
    ) throws(Trap) -> Word {
        let word = pointer(RegisterNumber.si, i)
        var address = word.value
        if i.pointee.segment == .gs {
            address &+= system.gsBase
        } else if i.pointee.segment == .fs {
            address &+= system.fsBase
        }
        address = word.isHavoc ? arenaAddress(address) : address & addressMask
        return try load(address, size, isStack: i.pointee.segment == .ss, m)
    }

    /// Stores at [DI] and advances it.
    private mutating func store(
        _ i: UnsafePointer<Instruction>, _ word: Word, _ size: Int, _ m: borrowing MachineAccess
    ) throws(Trap) {
        let address = destinationAddress(i)
        try checkStore(address, size, m)
        store(address, word, size)
        advance(i, RegisterNumber.di, size)
        note(word.isHavoc)
    }

    private mutating func advance(_ i: UnsafePointer<Instruction>, _ number: Int, _ size: Int) {
        let isDown = context.rflags & FlagBit.direction != 0
        let old = register(number, i.pointee.addressSize)
        setPointer(number, isDown ? old &- UInt64(size) : old &+ UInt64(size), i.pointee.addressSize)
    }

    /// A pointer or counter keeps its mark: it still derives from what it derived from.
    private mutating func setPointer(_ number: Int, _ value: UInt64, _ size: Int) {
        let mask = PrivateRegion.mask(size)
        let kept = size >= 4 ? 0 : context.registers[number] & ~mask
        context.registers[number] = kept | value & mask
    }
}
