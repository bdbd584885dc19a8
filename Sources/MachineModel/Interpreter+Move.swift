import X86

/// MOV and its relatives, PUSH, POP, exchanges.
extension CPUState {
    @inline(__always)
    mutating func note(_ loaded: Loaded) {
        if loaded.isHavoc { counts.havocInputs &+= 1 }
    }

    @inline(__always)
    mutating func move(
        _ i: UnsafePointer<Instruction>, _ next: UInt64, _ machine: borrowing MachineAccess, _ trap: inout Trap
    ) {
        let size = Int(i.pointee.size)
        let loaded = source(i, size, next, machine, &trap)
        guard trap == .none else { return }
        if i.pointee.destinationKind == .memory {
            let address = accessAddress(i, next: next)
            guard checkStore(address, size, machine, &trap) else { return }
            store(address, loaded.value, size, isHavoc: loaded.isHavoc)
        } else {
            setDestination(i, 0, loaded.value, size, loaded, machine, &trap)
        }
        note(loaded)
    }

    /// Rule 3: the stack pointer is never taken from havoc.
    @inline(__always)
    private mutating func setDestination(
        _ i: UnsafePointer<Instruction>, _ address: UInt64, _ value: UInt64, _ size: Int, _ loaded: Loaded,
        _ machine: borrowing MachineAccess, _ trap: inout Trap
    ) {
        if i.pointee.destination == UInt8(RegisterNumber.sp), loaded.isHavoc {
            trap = .havocStack
            return
        }
        setRegister(i.pointee.destination, value, size, isHavoc: loaded.isHavoc)
    }

    mutating func extend(
        _ i: UnsafePointer<Instruction>, _ next: UInt64, signed: Bool, _ machine: borrowing MachineAccess,
        _ trap: inout Trap
    ) {
        let size = Int(i.pointee.sourceSize)
        let loaded = source(i, size, next, machine, &trap)
        guard trap == .none else { return }
        let value = signed ? Self.signExtend(loaded.value, size) : loaded.value
        setRegister(i.pointee.destination, value, Int(i.pointee.size), isHavoc: loaded.isHavoc)
        note(loaded)
    }

    @inline(__always)
    static func signExtend(_ value: UInt64, _ size: Int) -> UInt64 {
        let shift = UInt64(64 - size * 8)
        return UInt64(bitPattern: Int64(bitPattern: value << shift) >> Int64(shift))
    }

    mutating func loadEffectiveAddress(_ i: UnsafePointer<Instruction>, _ next: UInt64, _ trap: inout Trap) {
        let (address, havoc) = effectiveAddress(i, next: next)
        if i.pointee.destination == UInt8(RegisterNumber.sp), havoc {
            trap = .havocStack
            return
        }
        setRegister(i.pointee.destination, address, Int(i.pointee.size), isHavoc: havoc)
        if havoc { counts.havocInputs &+= 1 }
    }

    mutating func exchange(
        _ i: UnsafePointer<Instruction>, _ next: UInt64, _ machine: borrowing MachineAccess, _ trap: inout Trap
    ) {
        let size = Int(i.pointee.size)
        let (left, address) = destination(i, size, next, machine, &trap)
        let right = source(i, size, next, machine, &trap)
        guard trap == .none else { return }
        let memory =
            i.pointee.destinationKind == .memory
            ? address : i.pointee.sourceKind == .memory ? accessAddress(i, next: next) : 0
        if i.pointee.destinationKind == .memory || i.pointee.sourceKind == .memory {
            guard checkStore(memory, size, machine, &trap) else { return }
        }
        if i.pointee.destinationKind == .memory {
            store(memory, right.value, size, isHavoc: right.isHavoc)
        } else {
            setRegister(i.pointee.destination, right.value, size, isHavoc: right.isHavoc)
        }
        if i.pointee.sourceKind == .memory {
            store(memory, left.value, size, isHavoc: left.isHavoc)
        } else {
            setRegister(i.pointee.source, left.value, size, isHavoc: left.isHavoc)
        }
        note(Loaded(value: 0, isHavoc: left.isHavoc || right.isHavoc))
    }

    mutating func exchangeAdd(
        _ i: UnsafePointer<Instruction>, _ next: UInt64, _ machine: borrowing MachineAccess, _ trap: inout Trap
    ) {
        let size = Int(i.pointee.size)
        let (left, address) = destination(i, size, next, machine, &trap)
        let right = source(i, size, next, machine, &trap)
        guard trap == .none else { return }
        let mask = PrivateRegion.mask(size)
        let sum = (left.value &+ right.value) & mask
        let havoc = left.isHavoc || right.isHavoc
        if i.pointee.destinationKind == .memory { guard checkStore(address, size, machine, &trap) else { return } }
        setRegister(i.pointee.source, left.value, size, isHavoc: left.isHavoc)
        setDestination(i, address, sum, size, isHavoc: havoc, machine, &trap)
        setStatus(Flags.ofAddition(left.value, right.value, sum, size), isHavoc: havoc)
        note(Loaded(value: 0, isHavoc: havoc))
    }

    mutating func compareExchange(
        _ i: UnsafePointer<Instruction>, _ next: UInt64, _ machine: borrowing MachineAccess, _ trap: inout Trap
    ) {
        let size = Int(i.pointee.size)
        let (left, address) = destination(i, size, next, machine, &trap)
        let right = source(i, size, next, machine, &trap)
        guard trap == .none else { return }
        if i.pointee.destinationKind == .memory { guard checkStore(address, size, machine, &trap) else { return } }
        let expected = register(UInt8(RegisterNumber.ax), size)
        let havoc = left.isHavoc || isHavoc(UInt8(RegisterNumber.ax))
        let difference = (expected &- left.value) & PrivateRegion.mask(size)
        if expected == left.value {
            setDestination(i, address, right.value, size, isHavoc: right.isHavoc, machine, &trap)
        } else {
            setRegister(UInt8(RegisterNumber.ax), left.value, size, isHavoc: left.isHavoc)
        }
        setStatus(Flags.ofSubtraction(expected, left.value, difference, size), isHavoc: havoc)
        note(Loaded(value: 0, isHavoc: havoc))
    }

    mutating func push(
        _ i: UnsafePointer<Instruction>, _ next: UInt64, _ machine: borrowing MachineAccess, _ trap: inout Trap
    ) {
        let loaded: Loaded
        switch i.pointee.destinationKind {
        case .memory: loaded = load(accessAddress(i, next: next), 8, machine, &trap)
        case .immediate: loaded = Loaded(value: UInt64(bitPattern: i.pointee.immediate), isHavoc: false)
        default: loaded = Loaded(value: register(i.pointee.destination, 8), isHavoc: isHavoc(i.pointee.destination))
        }
        guard trap == .none else { return }
        pushWord(loaded.value, isHavoc: loaded.isHavoc, machine, &trap)
        note(loaded)
    }

    mutating func pop(
        _ i: UnsafePointer<Instruction>, _ next: UInt64, _ machine: borrowing MachineAccess, _ trap: inout Trap
    ) {
        let loaded = popWord(machine, &trap)
        guard trap == .none else { return }
        if i.pointee.destinationKind == .memory {
            // POP computes its address with the incremented stack pointer (SDM vol. 2, POP).
            let address = accessAddress(i, next: next)
            guard checkStore(address, 8, machine, &trap) else {
                context.rsp &-= 8
                return
            }
            store(address, loaded.value, 8, isHavoc: loaded.isHavoc)
        } else if i.pointee.destination == UInt8(RegisterNumber.sp), loaded.isHavoc {
            context.rsp &-= 8
            trap = .havocStack
        } else {
            setRegister(i.pointee.destination, loaded.value, 8, isHavoc: loaded.isHavoc)
        }
        note(loaded)
    }

    mutating func leave(_ machine: borrowing MachineAccess, _ trap: inout Trap) {
        guard !isHavoc(UInt8(RegisterNumber.bp)) else {
            trap = .havocStack
            return
        }
        let saved = context.rsp
        context.rsp = context.registers[RegisterNumber.bp]
        let loaded = popWord(machine, &trap)
        guard trap == .none else {
            context.rsp = saved
            return
        }
        setRegister(UInt8(RegisterNumber.bp), loaded.value, 8, isHavoc: loaded.isHavoc)
        note(loaded)
    }

    mutating func pushFlags(_ machine: borrowing MachineAccess, _ trap: inout Trap) {
        // Whether the status flags derive from havoc does not taint IF, which is always exact.
        pushWord(context.rflags, isHavoc: false, machine, &trap)
    }

    mutating func popFlags(_ machine: borrowing MachineAccess, _ trap: inout Trap) {
        let loaded = load(context.rsp, 8, machine, &trap)
        guard trap == .none else { return }
        guard !loaded.isHavoc else {
            trap = .havocStack
            return
        }
        context.rsp &+= 8
        let writable = FlagBit.status | FlagBit.interrupt | FlagBit.direction
        context.rflags = loaded.value & writable | FlagBit.alwaysSet
        context.flagsAreHavoc = false
        note(loaded)
    }

    mutating func setCondition(
        _ i: UnsafePointer<Instruction>, _ next: UInt64, _ machine: borrowing MachineAccess, _ trap: inout Trap
    ) {
        let address = i.pointee.destinationKind == .memory ? accessAddress(i, next: next) : 0
        let value: UInt64 = Flags.holds(i.pointee.condition, context.rflags) ? 1 : 0
        setDestination(i, address, value, 1, isHavoc: context.flagsAreHavoc, machine, &trap)
        note(Loaded(value: 0, isHavoc: context.flagsAreHavoc))
    }

    mutating func moveCondition(
        _ i: UnsafePointer<Instruction>, _ next: UInt64, _ machine: borrowing MachineAccess, _ trap: inout Trap
    ) {
        let size = Int(i.pointee.size)
        let loaded = source(i, size, next, machine, &trap)
        guard trap == .none else { return }
        let old = register(i.pointee.destination, size)
        let isTaken = Flags.holds(i.pointee.condition, context.rflags)
        let oldHavoc = isHavoc(i.pointee.destination)
        let havoc = context.flagsAreHavoc || (isTaken ? loaded.isHavoc : oldHavoc)
        if havoc, i.pointee.destination == UInt8(RegisterNumber.sp) {
            trap = .havocStack
            return
        }
        setRegister(i.pointee.destination, isTaken ? loaded.value : old, size, isHavoc: havoc)
        note(Loaded(value: 0, isHavoc: havoc))
    }

    mutating func signExtendAccumulator(_ i: UnsafePointer<Instruction>) {
        let ax = UInt8(RegisterNumber.ax)
        let size = Int(max(i.pointee.size, 2))
        setRegister(ax, Self.signExtend(register(ax, size / 2), size / 2), size, isHavoc: isHavoc(ax))
        note(Loaded(value: 0, isHavoc: isHavoc(ax)))
    }

    mutating func signExtendIntoData(_ i: UnsafePointer<Instruction>) {
        let ax = UInt8(RegisterNumber.ax)
        let size = Int(max(i.pointee.size, 2))
        let isNegative = register(ax, size) & Flags.signBit(size) != 0
        setRegister(UInt8(RegisterNumber.dx), isNegative ? ~0 : 0, size, isHavoc: isHavoc(ax))
        note(Loaded(value: 0, isHavoc: isHavoc(ax)))
    }

    mutating func byteSwap(_ i: UnsafePointer<Instruction>) {
        let value = register(i.pointee.destination, Int(i.pointee.size))
        let swapped = i.pointee.size == 8 ? value.byteSwapped : UInt64(UInt32(truncatingIfNeeded: value).byteSwapped)
        setRegister(i.pointee.destination, swapped, Int(i.pointee.size), isHavoc: isHavoc(i.pointee.destination))
        note(Loaded(value: 0, isHavoc: isHavoc(i.pointee.destination)))
    }
}
