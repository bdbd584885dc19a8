import X86

/// Decimal adjustment, BOUND and SALC of 32-bit mode.
extension CPUState {
    private var al: Word { word(RegisterNumber.ax, 1) }

    /// AAA and AAS.
    mutating func adjustASCII(_ i: UnsafePointer<Instruction>) throws(Trap) {
        let isAddition = i.pointee.operation == .adjustAfterAddition
        let ax = word(RegisterNumber.ax, 2)
        let adjusts = ax.value & 0xf > 9 || context.rflags & FlagBit.adjust != 0
        let havoc = ax.isHavoc || context.flagsAreHavoc
        var value = ax.value
        // AX as a whole is changed, so that a carry out of AL reaches AH (SDM vol. 2, AAA).
        if adjusts { value = isAddition ? value &+ 0x106 : (value &- 6) &- 0x100 }
        value = value & 0xff00 | value & 0xf
        try setRegister(RegisterNumber.ax, Word(value: value, isHavoc: havoc), 2)
        let kept = FlagBit.status & ~(FlagBit.carry | FlagBit.adjust)
        setStatus(adjusts ? FlagBit.carry | FlagBit.adjust : 0, isHavoc: havoc, keeping: kept)
    }

    /// AAM with any base.
    mutating func adjustAfterMultiplication(_ i: UnsafePointer<Instruction>) throws(Trap) {
        let base = UInt64(bitPattern: i.pointee.immediate) & 0xff
        guard base != 0 else { throw .divideError }
        let value = al
        let result = (value.value / base) << 8 | value.value % base
        try setRegister(RegisterNumber.ax, Word(value: result, isHavoc: value.isHavoc), 2)
        setStatus(Flags.ofResult(result & 0xff, 1), isHavoc: value.isHavoc)
    }

    /// AAD with any base.
    mutating func adjustBeforeDivision(_ i: UnsafePointer<Instruction>) throws(Trap) {
        let base = UInt64(bitPattern: i.pointee.immediate) & 0xff
        let ax = word(RegisterNumber.ax, 2)
        let result = (ax.value & 0xff &+ (ax.value >> 8) &* base) & 0xff
        try setRegister(RegisterNumber.ax, Word(value: result, isHavoc: ax.isHavoc), 2)
        setStatus(Flags.ofResult(result, 1), isHavoc: ax.isHavoc)
    }

    /// DAA and DAS.
    mutating func adjustDecimal(_ i: UnsafePointer<Instruction>) throws(Trap) {
        let isAddition = i.pointee.operation == .decimalAdjustAddition
        let old = al
        let oldCarry = context.rflags & FlagBit.carry != 0
        let havoc = old.isHavoc || context.flagsAreHavoc
        var value = old.value
        var flags: UInt64 = 0
        if old.value & 0xf > 9 || context.rflags & FlagBit.adjust != 0 {
            let borrows = isAddition ? old.value > 0xff - 6 : old.value < 6
            value = (isAddition ? value &+ 6 : value &- 6) & 0xff
            flags |= FlagBit.adjust
            if oldCarry || borrows { flags |= FlagBit.carry }
        }
        if old.value > 0x99 || oldCarry {
            value = (isAddition ? value &+ 0x60 : value &- 0x60) & 0xff
            flags |= FlagBit.carry
        } else if isAddition {
            flags &= ~FlagBit.carry
        }
        try setRegister(RegisterNumber.ax, Word(value: value, isHavoc: havoc), 1)
        setStatus(Flags.ofResult(value, 1) | flags, isHavoc: havoc)
    }

    /// SALC: AL = CF ? 0xff : 0.
    mutating func setFromCarry() throws(Trap) {
        let value: UInt64 = context.rflags & FlagBit.carry != 0 ? 0xff : 0
        try setRegister(RegisterNumber.ax, Word(value: value, isHavoc: context.flagsAreHavoc), 1)
    }

    /// BOUND: #BR unless lower <= index <= upper, all signed.
    mutating func checkBound(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let size = Int(i.pointee.size)
        let address = accessAddress(i)
        let isStack = i.pointee.segment == .ss
        let lower = try load(address, size, isStack: isStack, m)
        let upper = try load((address &+ UInt64(size)) & addressMask, size, isStack: isStack, m)
        func signed(_ value: UInt64) -> Int64 { Int64(bitPattern: Self.signExtend(value, size)) }
        let index = signed(register(i.pointee.destination, size))
        if index < signed(lower.value) || index > signed(upper.value) { throw .boundRange }
    }
}
