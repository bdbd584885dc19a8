import X86

/// Two-operand arithmetic and logic, and the one-operand forms.
extension CPUState {
    @inline(__always)
    private mutating func operands(
        _ i: UnsafePointer<Instruction>, _ next: UInt64, _ machine: borrowing MachineAccess, _ trap: inout Trap
    ) -> (left: Loaded, right: Loaded, address: UInt64) {
        let size = Int(i.pointee.size)
        let (left, address) = destination(i, size, next, machine, &trap)
        let right = source(i, size, next, machine, &trap)
        return (left, right, address)
    }

    /// Writes a result unless it would put a havoc'd value into RSP.
    @inline(__always)
    private mutating func finish(
        _ i: UnsafePointer<Instruction>, _ address: UInt64, _ value: UInt64, isHavoc: Bool,
        _ machine: borrowing MachineAccess,
        _ trap: inout Trap
    ) {
        if i.pointee.destinationKind == .register, i.pointee.destination == UInt8(RegisterNumber.sp), isHavoc {
            trap = .havocStack
            return
        }
        setDestination(i, address, value, Int(i.pointee.size), isHavoc: isHavoc, machine, &trap)
    }

    mutating func add(
        _ i: UnsafePointer<Instruction>, _ next: UInt64, _ machine: borrowing MachineAccess, _ trap: inout Trap
    ) {
        let (left, right, address) = operands(i, next, machine, &trap)
        guard trap == .none else { return }
        let usesCarry = i.pointee.operation == .addWithCarry
        let carry = usesCarry ? context.rflags & FlagBit.carry : 0
        let result = (left.value &+ right.value &+ carry) & PrivateRegion.mask(Int(i.pointee.size))
        let havoc = left.isHavoc || right.isHavoc || usesCarry && context.flagsAreHavoc
        finish(i, address, result, isHavoc: havoc, machine, &trap)
        guard trap == .none else { return }
        setStatus(Flags.ofAddition(left.value, right.value, result, Int(i.pointee.size)), isHavoc: havoc)
        note(Loaded(value: 0, isHavoc: havoc))
    }

    mutating func subtract(
        _ i: UnsafePointer<Instruction>, _ next: UInt64, _ machine: borrowing MachineAccess, _ trap: inout Trap
    ) {
        let (left, right, address) = operands(i, next, machine, &trap)
        guard trap == .none else { return }
        let usesCarry = i.pointee.operation == .subtractWithBorrow
        let borrow = usesCarry ? context.rflags & FlagBit.carry : 0
        let result = (left.value &- right.value &- borrow) & PrivateRegion.mask(Int(i.pointee.size))
        // SUB r, r yields zero whatever was in r; so does XOR below.
        let isZeroing = !usesCarry && isSameRegister(i)
        let havoc = (left.isHavoc || right.isHavoc) && !isZeroing || usesCarry && context.flagsAreHavoc
        if i.pointee.operation != .compare {
            finish(i, address, result, isHavoc: havoc, machine, &trap)
            guard trap == .none else { return }
        }
        setStatus(Flags.ofSubtraction(left.value, right.value, result, Int(i.pointee.size)), isHavoc: havoc)
        note(Loaded(value: 0, isHavoc: havoc))
    }

    @inline(__always)
    private func isSameRegister(_ i: UnsafePointer<Instruction>) -> Bool {
        i.pointee.destinationKind == .register && i.pointee.sourceKind == .register
            && i.pointee.destination == i.pointee.source
    }

    mutating func logic(
        _ i: UnsafePointer<Instruction>, _ next: UInt64, _ machine: borrowing MachineAccess, _ trap: inout Trap
    ) {
        let (left, right, address) = operands(i, next, machine, &trap)
        guard trap == .none else { return }
        let isZeroing = i.pointee.operation == .exclusiveOr && isSameRegister(i)
        let havoc = (left.isHavoc || right.isHavoc) && !isZeroing
        let result: UInt64
        switch i.pointee.operation {
        case .and, .test: result = left.value & right.value
        case .or: result = left.value | right.value
        default: result = left.value ^ right.value
        }
        if i.pointee.operation != .test {
            finish(i, address, result, isHavoc: havoc, machine, &trap)
            guard trap == .none else { return }
        }
        // AF is undefined; it is cleared, as most processors do.
        setStatus(Flags.ofResult(result, Int(i.pointee.size)), isHavoc: havoc)
        note(Loaded(value: 0, isHavoc: havoc))
    }

    mutating func step(
        _ i: UnsafePointer<Instruction>, _ next: UInt64, _ machine: borrowing MachineAccess, _ trap: inout Trap
    ) {
        let size = Int(i.pointee.size)
        let (left, address) = destination(i, size, next, machine, &trap)
        guard trap == .none else { return }
        let isIncrement = i.pointee.operation == .increment
        let result = (isIncrement ? left.value &+ 1 : left.value &- 1) & PrivateRegion.mask(size)
        finish(i, address, result, isHavoc: left.isHavoc, machine, &trap)
        guard trap == .none else { return }
        let flags =
            isIncrement
            ? Flags.ofAddition(left.value, 1, result, size) : Flags.ofSubtraction(left.value, 1, result, size)
        setStatus(flags, isHavoc: left.isHavoc, keeping: FlagBit.carry)
        note(left)
    }

    mutating func negate(
        _ i: UnsafePointer<Instruction>, _ next: UInt64, _ machine: borrowing MachineAccess, _ trap: inout Trap
    ) {
        let size = Int(i.pointee.size)
        let (left, address) = destination(i, size, next, machine, &trap)
        guard trap == .none else { return }
        let result = (0 &- left.value) & PrivateRegion.mask(size)
        finish(i, address, result, isHavoc: left.isHavoc, machine, &trap)
        guard trap == .none else { return }
        setStatus(Flags.ofSubtraction(0, left.value, result, size), isHavoc: left.isHavoc)
        note(left)
    }

    mutating func not(
        _ i: UnsafePointer<Instruction>, _ next: UInt64, _ machine: borrowing MachineAccess, _ trap: inout Trap
    ) {
        let (left, address) = destination(i, Int(i.pointee.size), next, machine, &trap)
        guard trap == .none else { return }
        finish(i, address, ~left.value & PrivateRegion.mask(Int(i.pointee.size)), isHavoc: left.isHavoc, machine, &trap)
        note(left)
    }

    // MARK: Multiplication

    mutating func signedMultiply(
        _ i: UnsafePointer<Instruction>, _ next: UInt64, _ machine: borrowing MachineAccess, _ trap: inout Trap
    ) {
        let size = Int(i.pointee.size)
        let right: Loaded
        let left: Loaded
        if i.pointee.hasThirdOperand {
            left = source(i, size, next, machine, &trap)
            right = Loaded(value: UInt64(bitPattern: i.pointee.immediate), isHavoc: false)
        } else {
            left = Loaded(value: register(i.pointee.destination, size), isHavoc: isHavoc(i.pointee.destination))
            right = source(i, size, next, machine, &trap)
        }
        guard trap == .none else { return }
        let a = Int64(bitPattern: Self.signExtend(left.value, size))
        let b = Int64(bitPattern: Self.signExtend(right.value, size))
        let (low, overflowed) = a.multipliedReportingOverflow(by: b)
        let result = UInt64(bitPattern: low) & PrivateRegion.mask(size)
        let fits = !overflowed && Self.signExtend(result, size) == UInt64(bitPattern: low)
        let havoc = left.isHavoc || right.isHavoc
        setRegister(i.pointee.destination, result, size, isHavoc: havoc)
        setStatus(Flags.ofResult(result, size) | (fits ? 0 : FlagBit.carry | FlagBit.overflow), isHavoc: havoc)
        note(Loaded(value: 0, isHavoc: havoc))
    }

    /// MUL and one-operand IMUL: the double-width product into DX:AX (AX for bytes).
    mutating func multiplyAccumulator(
        _ i: UnsafePointer<Instruction>, _ next: UInt64, _ machine: borrowing MachineAccess, _ trap: inout Trap
    ) {
        let size = Int(i.pointee.size)
        let (factor, _) = destination(i, size, next, machine, &trap)
        guard trap == .none else { return }
        let (ax, dx) = (UInt8(RegisterNumber.ax), UInt8(RegisterNumber.dx))
        let havoc = factor.isHavoc || isHavoc(ax)
        let accumulator = register(ax, size)
        let isSigned = i.pointee.operation == .signedMultiplyAccumulator
        let (low, high) = Self.product(accumulator, factor.value, size, isSigned: isSigned)
        if size == 1 {
            setRegister(ax, low | high << 8, 2, isHavoc: havoc)
        } else {
            setRegister(ax, low, size, isHavoc: havoc)
            setRegister(dx, high, size, isHavoc: havoc)
        }
        let extension_ = isSigned && low & Flags.signBit(size) != 0 ? PrivateRegion.mask(size) : 0
        let fits = high == extension_
        setStatus(Flags.ofResult(low, size) | (fits ? 0 : FlagBit.carry | FlagBit.overflow), isHavoc: havoc)
        note(Loaded(value: 0, isHavoc: havoc))
    }

    private static func product(
        _ a: UInt64, _ b: UInt64, _ size: Int, isSigned: Bool
    ) -> (low: UInt64, high: UInt64) {
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
}
