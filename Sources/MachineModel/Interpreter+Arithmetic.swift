import X86

/// Two-operand arithmetic and logic, the one-operand forms, multiplication and division.
extension CPUState {
    mutating func add(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let size = Int(i.pointee.size)
        let right = try source(i, size, m)
        let (left, address) = try modified(i, size, m)
        let usesCarry = i.pointee.operation == .addWithCarry
        let carry = usesCarry ? context.rflags & FlagBit.carry : 0
        let result = (left.value &+ right.value &+ carry) & PrivateRegion.mask(size)
        let havoc = left.isHavoc || right.isHavoc || usesCarry && context.flagsAreHavoc
        try setDestination(i, address, Word(value: result, isHavoc: havoc), size)
        setStatus(Flags.ofAddition(left.value, right.value, result, size), isHavoc: havoc)
        note(havoc)
    }

    mutating func subtract(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let size = Int(i.pointee.size)
        let right = try source(i, size, m)
        let isComparison = i.pointee.operation == .compare
        let (left, address) = isComparison ? (try destination(i, size, m), 0) : try modified(i, size, m)
        let usesCarry = i.pointee.operation == .subtractWithBorrow
        let borrow = usesCarry ? context.rflags & FlagBit.carry : 0
        let result = (left.value &- right.value &- borrow) & PrivateRegion.mask(size)
        // SUB r, r yields zero whatever was in r; so does XOR below.
        let isZeroing = !usesCarry && isSameRegister(i)
        let havoc = (left.isHavoc || right.isHavoc) && !isZeroing || usesCarry && context.flagsAreHavoc
        if !isComparison { try setDestination(i, address, Word(value: result, isHavoc: havoc), size) }
        setStatus(Flags.ofSubtraction(left.value, right.value, result, size), isHavoc: havoc)
        note(havoc)
    }

    @inline(__always)
    private func isSameRegister(_ i: UnsafePointer<Instruction>) -> Bool {
        i.pointee.destinationKind == .register && i.pointee.sourceKind == .register
            && i.pointee.destination == i.pointee.source
    }

    mutating func logic(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let size = Int(i.pointee.size)
        let right = try source(i, size, m)
        let isTest = i.pointee.operation == .test
        let (left, address) = isTest ? (try destination(i, size, m), 0) : try modified(i, size, m)
        let isZeroing = i.pointee.operation == .exclusiveOr && isSameRegister(i)
        let havoc = (left.isHavoc || right.isHavoc) && !isZeroing
        let result: UInt64
        switch i.pointee.operation {
        case .and, .test: result = left.value & right.value
        case .or: result = left.value | right.value
        default: result = left.value ^ right.value
        }
        if !isTest { try setDestination(i, address, Word(value: result, isHavoc: havoc), size) }
        // AF is undefined; it is cleared, as most processors do.
        setStatus(Flags.ofResult(result, size), isHavoc: havoc)
        note(havoc)
    }

    mutating func increment(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let size = Int(i.pointee.size)
        let (left, address) = try modified(i, size, m)
        let isIncrement = i.pointee.operation == .increment
        let result = (isIncrement ? left.value &+ 1 : left.value &- 1) & PrivateRegion.mask(size)
        try setDestination(i, address, Word(value: result, isHavoc: left.isHavoc), size)
        let flags =
            isIncrement
            ? Flags.ofAddition(left.value, 1, result, size) : Flags.ofSubtraction(left.value, 1, result, size)
        setStatus(flags, isHavoc: left.isHavoc, keeping: FlagBit.carry)
        note(left.isHavoc)
    }

    mutating func negate(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let size = Int(i.pointee.size)
        let (left, address) = try modified(i, size, m)
        let result = (0 &- left.value) & PrivateRegion.mask(size)
        try setDestination(i, address, Word(value: result, isHavoc: left.isHavoc), size)
        setStatus(Flags.ofSubtraction(0, left.value, result, size), isHavoc: left.isHavoc)
        note(left.isHavoc)
    }

    mutating func not(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let size = Int(i.pointee.size)
        let (left, address) = try modified(i, size, m)
        try setDestination(i, address, Word(value: ~left.value & PrivateRegion.mask(size), isHavoc: left.isHavoc), size)
        note(left.isHavoc)
    }

    // MARK: Multiplication

    mutating func signedMultiply(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let size = Int(i.pointee.size)
        let left = try source(i, size, m)
        let right =
            i.pointee.hasThirdOperand
            ? Word(UInt64(bitPattern: i.pointee.immediate)) : word(i.pointee.destination, size)
        let a = Int64(bitPattern: Self.signExtend(left.value, size))
        let b = Int64(bitPattern: Self.signExtend(right.value & PrivateRegion.mask(size), size))
        let (low, overflowed) = a.multipliedReportingOverflow(by: b)
        let result = UInt64(bitPattern: low) & PrivateRegion.mask(size)
        let fits = !overflowed && Self.signExtend(result, size) == UInt64(bitPattern: low)
        let havoc = left.isHavoc || right.isHavoc
        try setRegister(i.pointee.destination, Word(value: result, isHavoc: havoc), size)
        setStatus(Flags.ofResult(result, size) | (fits ? 0 : FlagBit.carry | FlagBit.overflow), isHavoc: havoc)
        note(havoc)
    }

    /// MUL and one-operand IMUL: the double-width product into DX:AX (AX for bytes).
    mutating func multiplyAccumulator(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let size = Int(i.pointee.size)
        let factor = try destination(i, size, m)
        let accumulator = word(RegisterNumber.ax, size)
        let havoc = factor.isHavoc || accumulator.isHavoc
        let isSigned = i.pointee.operation == .signedMultiplyAccumulator
        let (low, high) = Self.product(accumulator.value, factor.value, size, isSigned: isSigned)
        if size == 1 {
            try setRegister(RegisterNumber.ax, Word(value: low | high << 8, isHavoc: havoc), 2)
        } else {
            try setRegister(RegisterNumber.ax, Word(value: low, isHavoc: havoc), size)
            try setRegister(RegisterNumber.dx, Word(value: high, isHavoc: havoc), size)
        }
        let extended = isSigned && low & Flags.signBit(size) != 0 ? PrivateRegion.mask(size) : 0
        let fits = high == extended
        setStatus(Flags.ofResult(low, size) | (fits ? 0 : FlagBit.carry | FlagBit.overflow), isHavoc: havoc)
        note(havoc)
    }

    static func product(_ a: UInt64, _ b: UInt64, _ size: Int, isSigned: Bool) -> (low: UInt64, high: UInt64) {
        if size == 8 {
            if isSigned {
                let full = Int64(bitPattern: a).multipliedFullWidth(by: Int64(bitPattern: b))
                return (full.low, UInt64(bitPattern: full.high))
            }
            let full = a.multipliedFullWidth(by: b)
            return (full.low, full.high)
        }
        let mask = PrivateRegion.mask(size)
        let full = isSigned ? signExtend(a, size) &* signExtend(b, size) : a &* b
        return (full & mask, full >> UInt64(size * 8) & mask)
    }

    // MARK: Division

    mutating func divide(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let size = Int(i.pointee.size)
        let divisor = try destination(i, size, m)
        let low = word(RegisterNumber.ax, size == 1 ? 2 : size)
        let high = size == 1 ? Word(0) : word(RegisterNumber.dx, size)
        let havoc = divisor.isHavoc || low.isHavoc || high.isHavoc
        let isSigned = i.pointee.operation == .signedDivide
        var quotient: UInt64 = 0
        var remainder: UInt64 = 0
        if let result = Self.quotient(high.value, low.value, divisor.value, size, isSigned: isSigned) {
            (quotient, remainder) = result
        } else if havoc {
            // An arbitrary divisor that happens to be zero says nothing about the code.
            quotient = SeededSource.arbitrary(context.source.next())
            remainder = SeededSource.arbitrary(context.source.next())
        } else {
            throw .divideError
        }
        if size == 1 {
            let both = quotient & 0xff | (remainder & 0xff) << 8
            try setRegister(RegisterNumber.ax, Word(value: both, isHavoc: havoc), 2)
        } else {
            try setRegister(RegisterNumber.ax, Word(value: quotient, isHavoc: havoc), size)
            try setRegister(RegisterNumber.dx, Word(value: remainder, isHavoc: havoc), size)
        }
        note(havoc)
    }

    /// Quotient and remainder of the double-width dividend; nil where the quotient does not fit: #DE.
    private static func quotient(
        _ high: UInt64, _ low: UInt64, _ divisor: UInt64, _ size: Int, isSigned: Bool
    ) -> (UInt64, UInt64)? {
        if divisor == 0 { return nil }
        let mask = PrivateRegion.mask(size)
        if size == 8 { return isSigned ? signedQuotient(high, low, divisor) : wideQuotient(high, low, divisor) }
        let bits = UInt64(size * 8)
        if isSigned {
            let dividend = Int64(bitPattern: size == 1 ? signExtend(low, 2) : signExtend(high << bits | low, size * 2))
            let (quotient, overflowed) = dividend.dividedReportingOverflow(
                by: Int64(bitPattern: signExtend(divisor, size)))
            let result = UInt64(bitPattern: quotient) & mask
            if overflowed || signExtend(result, size) != UInt64(bitPattern: quotient) { return nil }
            let remainder = dividend % Int64(bitPattern: signExtend(divisor, size))
            return (result, UInt64(bitPattern: remainder) & mask)
        }
        let dividend = size == 1 ? low : high << bits | low
        return dividend / divisor > mask ? nil : (dividend / divisor, dividend % divisor)
    }

    private static func wideQuotient(_ high: UInt64, _ low: UInt64, _ divisor: UInt64) -> (UInt64, UInt64)? {
        if high >= divisor { return nil }
        let (quotient, remainder) = divisor.dividingFullWidth((high, low))
        return (quotient, remainder)
    }

    private static func signedQuotient(_ high: UInt64, _ low: UInt64, _ divisor: UInt64) -> (UInt64, UInt64)? {
        let isNegative = Int64(bitPattern: high) < 0
        let divisorIsNegative = Int64(bitPattern: divisor) < 0
        // The magnitude of the dividend: two's complement over 128 bits.
        let lowMagnitude = isNegative ? 0 &- low : low
        let highMagnitude = isNegative ? ~high &+ (low == 0 ? 1 : 0) : high
        let magnitude = divisorIsNegative ? 0 &- divisor : divisor
        guard let (quotient, remainder) = wideQuotient(highMagnitude, lowMagnitude, magnitude) else { return nil }
        let quotientIsNegative = isNegative != divisorIsNegative
        let limit: UInt64 = quotientIsNegative ? 1 << 63 : (1 << 63) - 1
        if quotient > limit { return nil }
        return (quotientIsNegative ? 0 &- quotient : quotient, isNegative ? 0 &- remainder : remainder)
    }
}
