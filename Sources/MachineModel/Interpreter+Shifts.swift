import X86

/// Shifts and rotates.
extension CPUState {
    /// The count of a shift: CL or an immediate, never memory. Five bits count, six for 64-bit operands.
    private func shiftCount(_ i: UnsafePointer<Instruction>) -> Word {
        let raw =
            i.pointee.sourceKind == .register
            ? word(i.pointee.source, 1) : Word(UInt64(bitPattern: i.pointee.immediate) & 0xff)
        return Word(value: raw.value & (i.pointee.size == 8 ? 0x3f : 0x1f), isHavoc: raw.isHavoc)
    }

    mutating func shift(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let size = Int(i.pointee.size)
        let (left, address) = try modified(i, size, m)
        let count = shiftCount(i)
        let havoc = left.isHavoc || count.isHavoc
        if count.value == 0 {
            // A 32-bit destination is zero-extended even when nothing is shifted.
            try setDestination(i, address, Word(value: left.value, isHavoc: havoc), size)
            note(havoc)
            return
        }
        let (result, flags, kept) = Self.shifted(i.pointee.operation, left.value, count.value, size)
        try setDestination(i, address, Word(value: result, isHavoc: havoc), size)
        setStatus(flags, isHavoc: havoc, keeping: kept)
        note(havoc)
    }

    /// Result, flags, and the status flags that stay as they are (rotates touch CF and OF only). The overflow flag of a
    /// shift by more than one is undefined; it is what the last single shift of the series would leave.
    private static func shifted(
        _ operation: Operation, _ value: UInt64, _ count: UInt64, _ size: Int
    ) -> (result: UInt64, flags: UInt64, kept: UInt64) {
        let bits = UInt64(size * 8)
        let mask = PrivateRegion.mask(size)
        let sign = Flags.signBit(size)
        var carry = false
        var overflow = false
        let result: UInt64
        switch operation {
        case .shiftLeft:
            result = count >= bits ? 0 : value << count & mask
            carry = count <= bits && value >> (bits - count) & 1 != 0
            overflow = (result & sign != 0) != carry
        case .shiftRight:
            result = count >= bits ? 0 : value >> count
            carry = count <= bits && value >> (count - 1) & 1 != 0
            overflow = count == 1 && value & sign != 0
        case .shiftArithmeticRight:
            let wide = Int64(bitPattern: signExtend(value, size))
            result = UInt64(bitPattern: wide >> Int64(min(count, 63))) & mask
            carry = wide >> Int64(min(count - 1, 63)) & 1 != 0
        case .rotateLeft:
            let turn = count % bits
            result = turn == 0 ? value : (value << turn | value >> (bits - turn)) & mask
            carry = result & 1 != 0
            overflow = (result & sign != 0) != carry
        default:
            let turn = count % bits
            result = turn == 0 ? value : (value >> turn | value << (bits - turn)) & mask
            carry = result & sign != 0
            overflow = carry != (result & sign >> 1 != 0)
        }
        let isRotate = operation == .rotateLeft || operation == .rotateRight
        let flags =
            (carry ? FlagBit.carry : 0) | (overflow ? FlagBit.overflow : 0)
            | (isRotate ? 0 : Flags.ofResult(result, size))
        let kept = isRotate ? FlagBit.status & ~(FlagBit.carry | FlagBit.overflow) : 0
        return (result, flags, kept)
    }

    /// RCL and RCR: a rotate through CF, of one bit more than the operand has.
    mutating func rotateCarry(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let size = Int(i.pointee.size)
        let bits = UInt64(size * 8)
        let (left, address) = try modified(i, size, m)
        let count = shiftCount(i)
        // Five bits of count exceed the nine or seventeen bits that turn.
        let turn = count.value % (bits + 1)
        let isLeft = i.pointee.operation == .rotateCarryLeft
        var value = left.value
        var carry = context.rflags & FlagBit.carry
        var step: UInt64 = 0
        while step < turn {
            let out = isLeft ? value >> (bits - 1) & 1 : value & 1
            value =
                isLeft
                ? (value << 1 | carry) & PrivateRegion.mask(size) : value >> 1 | carry << (bits - 1)
            carry = out
            step += 1
        }
        let havoc = left.isHavoc || count.isHavoc || context.flagsAreHavoc
        try setDestination(i, address, Word(value: value, isHavoc: havoc), size)
        note(havoc)
        guard count.value != 0 else { return }
        let top = value >> (bits - 1) & 1
        let overflow = isLeft ? top ^ carry : top ^ (value >> (bits - 2) & 1)
        setStatus(
            carry | (overflow != 0 ? FlagBit.overflow : 0), isHavoc: havoc,
            keeping: FlagBit.status & ~(FlagBit.carry | FlagBit.overflow))
    }

    /// SHLD and SHRD.
    mutating func shiftDouble(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let size = Int(i.pointee.size)
        let bits = UInt64(size * 8)
        let (left, address) = try modified(i, size, m)
        let right = word(i.pointee.source, size)
        let raw =
            i.pointee.hasThirdOperand
            ? Word(UInt64(bitPattern: i.pointee.immediate)) : word(RegisterNumber.cx, 1)
        let count = raw.value & (size == 8 ? 0x3f : 0x1f)
        let havoc = left.isHavoc || right.isHavoc || raw.isHavoc
        let isLeft = i.pointee.operation == .shiftLeftDouble
        guard count != 0 else {
            try setDestination(i, address, Word(value: left.value, isHavoc: havoc), size)
            note(havoc)
            return
        }
        let (result, carry) = Self.doubleShifted(left.value, right.value, count, bits, isLeft: isLeft)
        let masked = result & PrivateRegion.mask(size)
        // The sign that the last single shift of the series would have changed.
        let (before, _) = Self.doubleShifted(left.value, right.value, count - 1, bits, isLeft: isLeft)
        let changed = (before ^ masked) & Flags.signBit(size) != 0
        try setDestination(i, address, Word(value: masked, isHavoc: havoc), size)
        setStatus(
            Flags.ofResult(masked, size) | (carry ? FlagBit.carry : 0) | (changed ? FlagBit.overflow : 0),
            isHavoc: havoc)
        note(havoc)
    }

    /// A count beyond 16 bits, which the manual leaves undefined, goes on with the destination's bits behind the source's.
    private static func doubleShifted(
        _ left: UInt64, _ right: UInt64, _ count: UInt64, _ bits: UInt64, isLeft: Bool
    ) -> (result: UInt64, carry: Bool) {
        if count == 0 { return (left, false) }
        if bits == 16 {
            if isLeft {
                let all = left << 32 | right << 16 | left
                return ((all << count) >> 32, all >> (48 - count) & 1 != 0)
            }
            let all = left << 32 | right << 16 | left
            return (all >> count, all >> (count - 1) & 1 != 0)
        }
        if isLeft {
            return (left << count | right >> (bits - count), left >> (bits - count) & 1 != 0)
        }
        return (left >> count | right << (bits - count), left >> (count - 1) & 1 != 0)
    }

    /// SHLX, SHRX, SARX, RORX: no flags.
    mutating func shiftWithoutFlags(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let size = Int(i.pointee.size)
        let bits = UInt64(size * 8)
        let left = try source(i, size, m)
        let raw =
            i.pointee.hasThirdOperand
            ? Word(UInt64(bitPattern: i.pointee.immediate)) : word(i.pointee.auxiliary, size)
        let count = raw.value & (bits - 1)
        let result: UInt64
        switch i.pointee.operation {
        case .shiftLeftWithoutFlags: result = left.value << count
        case .shiftRightWithoutFlags: result = left.value >> count
        case .shiftArithmeticRightWithoutFlags:
            let wide = Int64(bitPattern: Self.signExtend(left.value, size))
            result = UInt64(bitPattern: wide >> Int64(count))
        default: result = count == 0 ? left.value : left.value >> count | left.value << (bits - count)
        }
        let havoc = left.isHavoc || raw.isHavoc
        try setRegister(i.pointee.destination, Word(value: result, isHavoc: havoc), size)
        note(havoc)
    }
}
