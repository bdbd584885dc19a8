import X86

/// Arithmetic of the loop: results and lazy flags, equal to those of `CPUState.step`.
extension HotState {
    @inline(__always)
    private static func cut(_ value: UInt64, _ size: Int) -> UInt64 {
        size == 8 ? value : size == 4 ? value & 0xffff_ffff : value & 0xff
    }

    @inline(__always)
    private static func isSame(_ i: UnsafePointer<Instruction>) -> Bool {
        i.pointee.destination == i.pointee.source
    }

    @inline(__always)
    mutating func add(_ a: Word, _ b: Word, _ size: Int) -> Word {
        let result = Self.cut(a.value &+ b.value, size)
        setCarries(a.value & b.value | (a.value | b.value) & ~result, size)
        let havoc = Variant.tracksHavoc && (a.isHavoc || b.isHavoc)
        setResult(result, size, isHavoc: havoc)
        note(havoc)
        return Word(value: result, isHavoc: havoc)
    }

    /// `isZeroing`: a register less itself is zero whatever was in it.
    @inline(__always)
    @discardableResult
    mutating func subtract(_ a: Word, _ b: Word, _ size: Int, isZeroing: Bool = false) -> Word {
        let result = Self.cut(a.value &- b.value, size)
        setCarries(~a.value & b.value | ~(a.value ^ b.value) & result, size)
        let havoc = Variant.tracksHavoc && (a.isHavoc || b.isHavoc) && !isZeroing
        setResult(result, size, isHavoc: havoc)
        note(havoc)
        return Word(value: result, isHavoc: havoc)
    }

    @inline(__always)
    mutating func logic(_ result: UInt64, _ a: Word, _ b: Word, _ size: Int, isZeroing: Bool = false) -> Word {
        carries = 0
        let havoc = Variant.tracksHavoc && (a.isHavoc || b.isHavoc) && !isZeroing
        setResult(result, size, isHavoc: havoc)
        note(havoc)
        return Word(value: result, isHavoc: havoc)
    }

    @inline(__always)
    func immediate(_ i: UnsafePointer<Instruction>, _ size: Int) -> Word {
        Word(Self.cut(UInt64(bitPattern: i.pointee.immediate), size))
    }

    // MARK: Register forms

    @inline(__always)
    mutating func addRegister(_ i: UnsafePointer<Instruction>, _ b: Word, _ size: Int) throws(Trap) {
        let result = add(word(i.pointee.destination, size), b, size)
        try set(i.pointee.destination, result, size)
    }

    @inline(__always)
    mutating func subtractRegister(
        _ i: UnsafePointer<Instruction>, _ b: Word, _ size: Int, isRegister: Bool = false
    ) throws(Trap) {
        let result = subtract(
            word(i.pointee.destination, size), b, size, isZeroing: isRegister && Self.isSame(i))
        try set(i.pointee.destination, result, size)
    }

    @inline(__always)
    mutating func compareRegister(
        _ i: UnsafePointer<Instruction>, _ b: Word, _ size: Int, isRegister: Bool = false
    ) {
        subtract(word(i.pointee.destination, size), b, size, isZeroing: isRegister && Self.isSame(i))
    }

    @inline(__always)
    mutating func andRegister(_ i: UnsafePointer<Instruction>, _ b: Word, _ size: Int) throws(Trap) {
        let a = word(i.pointee.destination, size)
        try set(i.pointee.destination, logic(a.value & b.value, a, b, size), size)
    }

    @inline(__always)
    mutating func testRegister(_ i: UnsafePointer<Instruction>, _ b: Word, _ size: Int) {
        let a = word(i.pointee.destination, size)
        _ = logic(a.value & b.value, a, b, size)
    }

    @inline(__always)
    mutating func orRegister(_ i: UnsafePointer<Instruction>, _ b: Word, _ size: Int) throws(Trap) {
        let a = word(i.pointee.destination, size)
        try set(i.pointee.destination, logic(a.value | b.value, a, b, size), size)
    }

    @inline(__always)
    mutating func xorRegister(
        _ i: UnsafePointer<Instruction>, _ b: Word, _ size: Int, isRegister: Bool = false
    ) throws(Trap) {
        let a = word(i.pointee.destination, size)
        let result = logic(a.value ^ b.value, a, b, size, isZeroing: isRegister && Self.isSame(i))
        try set(i.pointee.destination, result, size)
    }

    // MARK: One operand

    /// INC and DEC keep CF.
    @inline(__always)
    mutating func step(_ i: UnsafePointer<Instruction>, _ size: Int, isIncrement: Bool) throws(Trap) {
        let a = word(i.pointee.destination, size)
        let carry = carries & 1 &<< 63
        let wasHavoc = flagsAreHavoc
        let result = isIncrement ? add(a, Word(1), size) : subtract(a, Word(1), size)
        let overflow = (carries ^ carries &<< 1) & 1 &<< 63
        carries = carry | (carry ^ overflow) &>> 1 | carries & 8
        if Variant.tracksHavoc { flagsAreHavoc = flagsAreHavoc || wasHavoc }
        try set(i.pointee.destination, result, size)
    }

    @inline(__always)
    mutating func negate(_ i: UnsafePointer<Instruction>, _ size: Int) throws(Trap) {
        try set(i.pointee.destination, subtract(Word(0), word(i.pointee.destination, size), size), size)
    }

    @inline(__always)
    mutating func not(_ i: UnsafePointer<Instruction>, _ size: Int) throws(Trap) {
        let a = word(i.pointee.destination, size)
        note(a.isHavoc)
        try set(i.pointee.destination, Word(value: Self.cut(~a.value, size), isHavoc: a.isHavoc), size)
    }

    // MARK: Shifts by 1 ... bits - 1

    @inline(__always)
    mutating func shiftLeft(
        _ i: UnsafePointer<Instruction>, _ size: Int, by count: UInt64, countIsHavoc: Bool = false
    ) throws(Trap) {
        let a = word(i.pointee.destination, size)
        let bits = UInt64(size * 8)
        let result = Self.cut(a.value &<< count, size)
        let carry = a.value &>> (bits &- count) & 1
        setShift(carry: carry, overflow: carry ^ result &>> (bits &- 1))
        try finishShift(i, a, result, size, countIsHavoc)
    }

    @inline(__always)
    mutating func shiftRight(
        _ i: UnsafePointer<Instruction>, _ size: Int, by count: UInt64, countIsHavoc: Bool = false
    ) throws(Trap) {
        let a = word(i.pointee.destination, size)
        let overflow = count == 1 ? a.value &>> UInt64(size * 8 - 1) & 1 : 0
        setShift(carry: a.value &>> (count &- 1) & 1, overflow: overflow)
        try finishShift(i, a, a.value &>> count, size, countIsHavoc)
    }

    @inline(__always)
    mutating func shiftArithmeticRight(
        _ i: UnsafePointer<Instruction>, _ size: Int, by count: UInt64
    ) throws(Trap) {
        let a = word(i.pointee.destination, size)
        let wide = size == 8 ? Int64(bitPattern: a.value) : Int64(Int32(truncatingIfNeeded: a.value))
        setShift(carry: UInt64(bitPattern: wide &>> Int64(count &- 1)) & 1, overflow: 0)
        try finishShift(i, a, Self.cut(UInt64(bitPattern: wide &>> Int64(count)), size), size, false)
    }

    @inline(__always)
    private mutating func finishShift(
        _ i: UnsafePointer<Instruction>, _ a: Word, _ result: UInt64, _ size: Int, _ countIsHavoc: Bool
    ) throws(Trap) {
        let havoc = a.isHavoc || countIsHavoc
        setResult(result, size, isHavoc: havoc)
        note(havoc)
        try set(i.pointee.destination, Word(value: result, isHavoc: havoc), size)
    }

    /// ROL changes CF and OF alone.
    @inline(__always)
    mutating func rotateLeft(_ i: UnsafePointer<Instruction>, _ size: Int, by count: UInt64) throws(Trap) {
        let a = word(i.pointee.destination, size)
        let bits = UInt64(size * 8)
        let result = Self.cut(a.value &<< count | a.value &>> (bits &- count), size)
        let carry = result & 1
        carries = carries & 8 | carry &<< 63 | (result &>> (bits &- 1)) &<< 62
        if Variant.tracksHavoc { flagsAreHavoc = flagsAreHavoc || a.isHavoc }
        note(a.isHavoc)
        try set(i.pointee.destination, Word(value: result, isHavoc: a.isHavoc), size)
    }

    @inline(__always)
    mutating func multiply(_ i: UnsafePointer<Instruction>, _ b: Word, _ size: Int) throws(Trap) {
        let a = word(i.pointee.source, size)
        let result: UInt64
        let overflows: Bool
        if size == 8 {
            let (low, flag) = Int64(bitPattern: a.value).multipliedReportingOverflow(by: Int64(bitPattern: b.value))
            (result, overflows) = (UInt64(bitPattern: low), flag)
        } else {
            let wide = Int64(Int32(truncatingIfNeeded: a.value)) &* Int64(Int32(truncatingIfNeeded: b.value))
            result = UInt64(bitPattern: wide) & 0xffff_ffff
            overflows = wide != Int64(Int32(truncatingIfNeeded: wide))
        }
        let havoc = a.isHavoc || b.isHavoc
        carries = overflows ? 1 &<< 63 : 0
        setResult(result, size, isHavoc: havoc)
        note(havoc)
        try set(i.pointee.destination, Word(value: result, isHavoc: havoc), size)
    }

    @inline(__always)
    mutating func moveIf(_ i: UnsafePointer<Instruction>, _ size: Int) throws(Trap) {
        var word = word(holds(i.pointee.condition) ? i.pointee.source : i.pointee.destination, size)
        if Variant.tracksHavoc { word.isHavoc = word.isHavoc || flagsAreHavoc }
        note(word.isHavoc)
        try set(i.pointee.destination, word, size)
    }

    @inline(__always)
    mutating func setIf(_ i: UnsafePointer<Instruction>) throws(Trap) {
        let number = i.pointee.destination
        if Variant.tracksHavoc, flagsAreHavoc {
            if number == UInt8(RegisterNumber.sp) { throw .havocStack }
            havoc |= 1 &<< UInt32(number)
        }
        let place = Int(number & 31)
        registers[place] = registers[place] & ~0xff | (holds(i.pointee.condition) ? 1 : 0)
        note(flagsAreHavoc)
    }
}
