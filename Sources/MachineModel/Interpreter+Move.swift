import X86

/// MOV and its relatives, exchanges, sign extension.
extension CPUState {
    mutating func move(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let size = Int(i.pointee.size)
        if i.pointee.hasThirdOperand { return try moveAbsolute(i, size, m) }
        let word = try source(i, size, m)
        let address = try target(i, size, m)
        try setDestination(i, address, word, size)
        note(word.isHavoc)
    }

    /// MOVABS: an address of 64 bits in the instruction.
    private mutating func moveAbsolute(
        _ i: UnsafePointer<Instruction>, _ size: Int, _ m: borrowing MachineAccess
    ) throws(Trap) {
        let address = linear(Word(UInt64(bitPattern: i.pointee.immediate)), i.pointee.segment)
        if i.pointee.destinationKind == .memory {
            try checkStore(address, size, m)
            store(address, word(i.pointee.source, size), size)
        } else {
            try setRegister(i.pointee.destination, try load(address, size, m), size)
        }
    }

    mutating func extend(
        _ i: UnsafePointer<Instruction>, signed: Bool, _ m: borrowing MachineAccess
    ) throws(Trap) {
        let size = Int(i.pointee.sourceSize)
        var word = try source(i, size, m)
        if signed { word.value = Self.signExtend(word.value, size) }
        try setRegister(i.pointee.destination, word, Int(i.pointee.size))
        note(word.isHavoc)
    }

    @inline(__always)
    static func signExtend(_ value: UInt64, _ size: Int) -> UInt64 {
        let shift = UInt64(64 - size * 8)
        return UInt64(bitPattern: Int64(bitPattern: value << shift) >> Int64(shift))
    }

    mutating func moveByteSwapped(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let size = Int(i.pointee.size)
        var word = try source(i, size, m)
        word.value = word.value.byteSwapped >> UInt64(64 - size * 8)
        let address = try target(i, size, m)
        try setDestination(i, address, word, size)
        note(word.isHavoc)
    }

    mutating func loadEffectiveAddress(_ i: UnsafePointer<Instruction>) throws(Trap) {
        let word = effectiveAddress(i)
        try setRegister(i.pointee.destination, word, Int(i.pointee.size))
        note(word.isHavoc)
    }

    /// XLAT: AL = [BX + AL].
    mutating func translate(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let index = word(RegisterNumber.ax, 1)
        let base = word(RegisterNumber.bx, 8)
        let sum = (base.value &+ index.value) & PrivateRegion.mask(i.pointee.addressSize)
        let address = linear(Word(value: sum, isHavoc: base.isHavoc || index.isHavoc), i.pointee.segment)
        let loaded = try load(address, 1, isStack: i.pointee.segment == .ss, m)
        try setRegister(RegisterNumber.ax, loaded, 1)
        note(loaded.isHavoc)
    }

    mutating func exchange(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let size = Int(i.pointee.size)
        if i.pointee.sourceKind == .memory {
            let address = accessAddress(i)
            try checkStore(address, size, isStack: i.pointee.segment == .ss, m)
            let old = try load(address, size, m)
            let new = word(i.pointee.destination, size)
            try setRegister(i.pointee.destination, old, size)
            store(address, new, size)
            note(old.isHavoc || new.isHavoc)
            return
        }
        let (left, address) = try modified(i, size, m)
        let right = word(i.pointee.source, size)
        try setRegister(i.pointee.source, left, size)
        try setDestination(i, address, right, size)
        note(left.isHavoc || right.isHavoc)
    }

    mutating func exchangeAdd(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let size = Int(i.pointee.size)
        let (left, address) = try modified(i, size, m)
        let right = word(i.pointee.source, size)
        let sum = (left.value &+ right.value) & PrivateRegion.mask(size)
        let havoc = left.isHavoc || right.isHavoc
        try setRegister(i.pointee.source, left, size)
        try setDestination(i, address, Word(value: sum, isHavoc: havoc), size)
        setStatus(Flags.ofAddition(left.value, right.value, sum, size), isHavoc: havoc)
        note(havoc)
    }

    mutating func compareExchange(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let size = Int(i.pointee.size)
        let (left, address) = try modified(i, size, m)
        let right = word(i.pointee.source, size)
        let expected = word(RegisterNumber.ax, size)
        let havoc = left.isHavoc || expected.isHavoc
        let difference = (expected.value &- left.value) & PrivateRegion.mask(size)
        if expected.value == left.value {
            try setDestination(i, address, right, size)
        } else {
            try setRegister(RegisterNumber.ax, left, size)
        }
        setStatus(Flags.ofSubtraction(expected.value, left.value, difference, size), isHavoc: havoc)
        note(havoc)
    }

    /// CMPXCHG8B and CMPXCHG16B.
    mutating func compareExchangePair(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let half = Int(i.pointee.size) / 2
        let isStack = i.pointee.segment == .ss
        let address = accessAddress(i)
        if half == 8, address & 15 != 0 { throw fault(.generalProtection) }
        let highAddress = (address &+ UInt64(half)) & addressMask
        try checkStore(address, half, isStack: isStack, m)
        try checkStore(highAddress, half, isStack: isStack, m)
        let low = try load(address, half, isStack: isStack, m)
        let high = try load(highAddress, half, isStack: isStack, m)
        let (ax, dx) = (word(RegisterNumber.ax, half), word(RegisterNumber.dx, half))
        let havoc = low.isHavoc || high.isHavoc || ax.isHavoc || dx.isHavoc
        let isEqual = ax.value == low.value && dx.value == high.value
        if isEqual {
            store(address, word(RegisterNumber.bx, half), half)
            store(highAddress, word(RegisterNumber.cx, half), half)
        } else {
            try setRegister(RegisterNumber.ax, low, half)
            try setRegister(RegisterNumber.dx, high, half)
        }
        setStatus(isEqual ? FlagBit.zero : 0, isHavoc: havoc, keeping: FlagBit.status & ~FlagBit.zero)
        note(havoc)
    }

    mutating func setCondition(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let address = try target(i, 1, m)
        let value: UInt64 = Flags.holds(i.pointee.condition, context.rflags) ? 1 : 0
        try setDestination(i, address, Word(value: value, isHavoc: context.flagsAreHavoc), 1)
        note(context.flagsAreHavoc)
    }

    mutating func moveCondition(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let size = Int(i.pointee.size)
        // The source is read, and may fault, whether it is moved or not.
        let new = try source(i, size, m)
        let old = word(i.pointee.destination, size)
        var word = Flags.holds(i.pointee.condition, context.rflags) ? new : old
        word.isHavoc = word.isHavoc || context.flagsAreHavoc
        try setRegister(i.pointee.destination, word, size)
        note(word.isHavoc)
    }

    mutating func signExtendAccumulator(_ i: UnsafePointer<Instruction>) throws(Trap) {
        let size = Int(max(i.pointee.size, 2))
        var word = word(RegisterNumber.ax, size / 2)
        word.value = Self.signExtend(word.value, size / 2)
        try setRegister(RegisterNumber.ax, word, size)
        note(word.isHavoc)
    }

    mutating func signExtendIntoData(_ i: UnsafePointer<Instruction>) throws(Trap) {
        let size = Int(max(i.pointee.size, 2))
        var word = word(RegisterNumber.ax, size)
        word.value = word.value & Flags.signBit(size) != 0 ? ~0 : 0
        try setRegister(RegisterNumber.dx, word, size)
        note(word.isHavoc)
    }

    mutating func byteSwap(_ i: UnsafePointer<Instruction>) throws(Trap) {
        let size = Int(i.pointee.size)
        var word = word(i.pointee.destination, size)
        // BSWAP of 16 bits is undefined; processors give zero.
        word.value = size == 2 ? 0 : word.value.byteSwapped >> UInt64(64 - size * 8)
        try setRegister(i.pointee.destination, word, size)
        note(word.isHavoc)
    }
}
