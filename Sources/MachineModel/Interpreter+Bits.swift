import X86

/// Shifts, rotates, bit tests and scans.
extension CPUState {
    mutating func shift(
        _ i: UnsafePointer<Instruction>, _ next: UInt64, _ machine: borrowing MachineAccess, _ trap: inout Trap
    ) {
        let size = Int(i.pointee.size)
        let (left, address) = destination(i, size, next, machine, &trap)
        // The count is CL or an immediate, never memory.
        let countHavoc = i.pointee.sourceKind == .register && isHavoc(i.pointee.source)
        let raw =
            i.pointee.sourceKind == .register
            ? register(i.pointee.source, 1) : UInt64(bitPattern: i.pointee.immediate) & 0xff
        guard trap == .none else { return }
        let count = raw & (size == 8 ? 0x3f : 0x1f)
        let havoc = left.isHavoc || countHavoc
        if count == 0 {
            // A 32-bit destination is zero-extended even when nothing is shifted.
            setDestination(i, address, left.value, size, isHavoc: havoc, machine, &trap)
            note(Loaded(value: 0, isHavoc: havoc))
            return
        }
        let (result, flags, kept) = Self.shifted(i.pointee.operation, left.value, count, size)
        if i.pointee.destinationKind == .register, i.pointee.destination == UInt8(RegisterNumber.sp), havoc {
            trap = .havocStack
            return
        }
        setDestination(i, address, result, size, isHavoc: havoc, machine, &trap)
        guard trap == .none else { return }
        setStatus(flags, isHavoc: havoc, keeping: kept)
        note(Loaded(value: 0, isHavoc: havoc))
    }

    /// Result, flags, and the status flags that stay as they are (rotates touch CF and OF only).
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
            overflow = value & sign != 0
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

    mutating func bitTest(
        _ i: UnsafePointer<Instruction>, _ next: UInt64, _ machine: borrowing MachineAccess, _ trap: inout Trap
    ) {
        let size = Int(i.pointee.size)
        let offset = source(i, size, next, machine, &trap)
        guard trap == .none else { return }
        var address: UInt64 = 0
        var left: Loaded
        if i.pointee.destinationKind == .memory {
            address = accessAddress(i, next: next)
            if i.pointee.sourceKind == .register {
                // The offset reaches beyond the operand, in steps of its size.
                let signed = Int64(bitPattern: Self.signExtend(offset.value, size))
                address &+= UInt64(bitPattern: (signed >> Int64(size == 8 ? 6 : size == 4 ? 5 : 4)) * Int64(size))
                if offset.isHavoc { address = arenaAddress(address) }
            }
            left = load(address, size, machine, &trap)
        } else {
            left = Loaded(value: register(i.pointee.destination, size), isHavoc: isHavoc(i.pointee.destination))
        }
        guard trap == .none else { return }
        let bit: UInt64 = 1 << (offset.value & UInt64(size * 8 - 1))
        let isSet = left.value & bit != 0
        let havoc = left.isHavoc || offset.isHavoc
        switch i.pointee.operation {
        case .bitTestSet: setDestination(i, address, left.value | bit, size, isHavoc: havoc, machine, &trap)
        case .bitTestReset: setDestination(i, address, left.value & ~bit, size, isHavoc: havoc, machine, &trap)
        case .bitTestComplement: setDestination(i, address, left.value ^ bit, size, isHavoc: havoc, machine, &trap)
        default: break
        }
        guard trap == .none else { return }
        setStatus(isSet ? FlagBit.carry : 0, isHavoc: havoc, keeping: FlagBit.status & ~FlagBit.carry)
        if havoc { context.flagsAreHavoc = true }
        note(Loaded(value: 0, isHavoc: havoc))
    }

    mutating func bitScan(
        _ i: UnsafePointer<Instruction>, _ next: UInt64, _ machine: borrowing MachineAccess, _ trap: inout Trap
    ) {
        let size = Int(i.pointee.size)
        let loaded = source(i, size, next, machine, &trap)
        guard trap == .none else { return }
        let isZero = loaded.value == 0
        switch i.pointee.operation {
        case .trailingZeroCount:
            let count = isZero ? UInt64(size * 8) : UInt64(loaded.value.trailingZeroBitCount)
            setRegister(i.pointee.destination, count, size, isHavoc: loaded.isHavoc)
            setStatus((count == 0 ? FlagBit.zero : 0) | (isZero ? FlagBit.carry : 0), isHavoc: loaded.isHavoc)
        default:
            // With a source of zero the destination keeps its value (AMD's manual; Intel leaves it undefined).
            if !isZero {
                let place =
                    i.pointee.operation == .bitScanForward
                    ? UInt64(loaded.value.trailingZeroBitCount) : UInt64(63 - loaded.value.leadingZeroBitCount)
                setRegister(i.pointee.destination, place, size, isHavoc: loaded.isHavoc)
            }
            setStatus(isZero ? FlagBit.zero : 0, isHavoc: loaded.isHavoc)
        }
        note(loaded)
    }
}
