import X86

/// Branches, calls, returns; havoc.
extension CPUState {
    /// What a near branch leaves of an instruction pointer.
    @inline(__always)
    private func branchTarget(_ address: UInt64, _ size: Int) -> UInt64 {
        size >= 4 ? address & addressMask : address & 0xffff
    }

    /// A branch to an address that is not canonical takes #GP where it stands.
    @inline(__always)
    private mutating func checkTarget(_ address: UInt64) throws(Trap) {
        if context.memory.isExplicit, mode == .x86_64, !Self.isCanonical(address) { throw fault(.generalProtection) }
    }

    private var next: UInt64 { context.registers[Int(Instruction.instructionPointer)] }

    mutating func call(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let size = Int(i.pointee.size)
        let goal = branchTarget(next &+ UInt64(bitPattern: i.pointee.immediate), size)
        try checkTarget(goal)
        try push(Word(next), size, m)
        target = goal
    }

    mutating func jump(_ i: UnsafePointer<Instruction>) {
        target = branchTarget(next &+ UInt64(bitPattern: i.pointee.immediate), Int(i.pointee.size))
    }

    mutating func jumpCondition(_ i: UnsafePointer<Instruction>) {
        if Flags.holds(i.pointee.condition, context.rflags) { jump(i) }
        note(context.flagsAreHavoc)
    }

    mutating func branchIndirect(
        _ i: UnsafePointer<Instruction>, isCall: Bool, _ m: borrowing MachineAccess
    ) throws(Trap) {
        let size = Int(i.pointee.size)
        let word = try destination(i, size, m)
        var goal = branchTarget(word.value, size)
        if word.isHavoc {
            // Rule 2: some function whose address is taken somewhere.
            let targets = m.environment.havocTargets
            guard !targets.isEmpty else { throw .undefinedOpcode }
            goal = targets[context.source.next(below: targets.count)]
            counts.havoc.branches += 1
        }
        try checkTarget(goal)
        if isCall { try push(Word(next), size, m) }
        target = goal
        context.lastIndirectTarget = goal
        note(word.isHavoc)
    }

    mutating func ret(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let size = Int(i.pointee.size)
        let word = try top(size, m)
        guard !word.isHavoc else { throw .havocStack }
        try checkTarget(word.value)
        raiseStack(size)
        if i.pointee.destinationKind == .immediate { raiseStack(Int(i.pointee.immediate & 0xffff)) }
        target = branchTarget(word.value, size)
        context.lastIndirectTarget = target
    }

    /// LOOP, LOOPE, LOOPNE, JCXZ: the counter has the address size.
    mutating func loop(_ i: UnsafePointer<Instruction>) throws(Trap) {
        let size = i.pointee.addressSize
        var counter = word(RegisterNumber.cx, size)
        var havoc = counter.isHavoc
        let isTaken: Bool
        if i.pointee.operation == .jumpIfCounterZero {
            isTaken = counter.value == 0
        } else {
            counter.value = (counter.value &- 1) & PrivateRegion.mask(size)
            try setRegister(RegisterNumber.cx, counter, size)
            let isZero = context.rflags & FlagBit.zero != 0
            switch i.pointee.operation {
            case .loopIfEqual: isTaken = counter.value != 0 && isZero
            case .loopIfNotEqual: isTaken = counter.value != 0 && !isZero
            default: isTaken = counter.value != 0
            }
            if i.pointee.operation != .loop { havoc = havoc || context.flagsAreHavoc }
        }
        if isTaken { jump(i) }
        note(havoc)
    }

    // MARK: Far

    mutating func branchFar(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let size = Int(i.pointee.size)
        let isCall = i.pointee.operation == .callFar || i.pointee.operation == .callFarIndirect
        var offset: UInt64
        let selector: UInt16
        if i.pointee.destinationKind == .memory {
            let address = accessAddress(i)
            let isStack = i.pointee.segment == .ss
            let word = try load(address, size, isStack: isStack, m)
            let high = try load((address &+ UInt64(size)) & addressMask, 2, isStack: isStack, m)
            if word.isHavoc || high.isHavoc { throw .undefinedOpcode }
            (offset, selector) = (word.value, UInt16(truncatingIfNeeded: high.value))
        } else {
            offset = UInt64(bitPattern: i.pointee.immediate) & 0xffff_ffff
            selector = UInt16(truncatingIfNeeded: i.pointee.immediate >> 32)
        }
        offset = branchTarget(offset, size)
        try checkCode(selector, privilegeLevel: system.privilegeLevel)
        try checkTarget(offset)
        if isCall {
            let low = (context.rsp &- UInt64(2 * size)) & addressMask
            try checkStore(low, size, isStack: true, m)
            try checkStore((low &+ UInt64(size)) & addressMask, size, isStack: true, m)
            try push(Word(UInt64(system[.cs])), size, m)
            try push(Word(next), size, m)
        }
        system[.cs] = selector & ~3 | UInt16(system.privilegeLevel)
        target = offset
    }

    /// Whether a far branch may go to `selector` from a privilege level that stays.
    private mutating func checkCode(_ selector: UInt16, privilegeLevel: Int) throws(Trap) {
        if selector & ~3 == 0 { throw fault(.generalProtection) }
        let code = UInt32(selector & ~3)
        guard let descriptor = descriptors.descriptor(selector), descriptor.kind == .code,
            descriptor.privilegeLevel == privilegeLevel, Int(selector & 3) <= privilegeLevel
        else { throw fault(.generalProtection, code) }
        // A change between 64-bit and compatibility mode is not modelled.
        if descriptor.is64Bit != (mode == .x86_64) { throw fault(.generalProtection, code) }
    }

    mutating func retFar(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let size = Int(i.pointee.size)
        let offset = try top(size, m)
        let selectorWord = try top(size, at: size, m)
        if offset.isHavoc || selectorWord.isHavoc { throw .havocStack }
        let selector = UInt16(truncatingIfNeeded: selectorWord.value)
        let released = i.pointee.destinationKind == .immediate ? Int(i.pointee.immediate & 0xffff) : 0
        let level = Int(selector & 3)
        if level < system.privilegeLevel { throw fault(.generalProtection, UInt32(selector & ~3)) }
        try checkReturnCode(selector)
        try checkTarget(offset.value)
        if level > system.privilegeLevel {
            let stack = try top(size, at: 2 * size + released, m)
            let stackSelector = UInt16(truncatingIfNeeded: try top(size, at: 3 * size + released, m).value)
            try checkReturnStack(stackSelector, level)
            context.rsp = (stack.value &+ UInt64(released)) & addressMask
            system[.ss] = stackSelector
            system.privilegeLevel = level
            dropPrivilegedSegments()
        } else {
            raiseStack(2 * size + released)
        }
        system[.cs] = selector
        target = branchTarget(offset.value, size)
        context.lastIndirectTarget = target
    }

    // MARK: Havoc

    mutating func noteInexact(_ i: UnsafePointer<Instruction>) {
        counts.havoc.instructions &+= 1
        counts.havocInputs &+= 1
        let number =
            i.pointee.hasArbitraryOutputs
            ? i.pointee.mnemonic : Coverage.operationBase | UInt16(i.pointee.operation.rawValue)
        coverage?.note(number, at: context.rip)
    }

    /// An instruction without semantics: seeded arbitrary values in everything that it writes, marked as such.
    mutating func havoc(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        // Rule 3.
        guard i.pointee.writtenRegisters >> UInt16(RegisterNumber.sp) & 1 == 0 else { throw .havocStack }
        let isMarked = !context.memory.isExplicit
        if i.pointee.writtenMemorySize > 0 {
            let address = accessAddress(i)
            let size = Int(i.pointee.writtenMemorySize)
            var offset = 0
            while offset < size {
                try checkStore((address &+ UInt64(offset)) & addressMask, min(8, size - offset), m)
                offset += 8
            }
            offset = 0
            while offset < size {
                let length = min(8, size - offset)
                let value = SeededSource.arbitrary(context.source.next()) & PrivateRegion.mask(length)
                store((address &+ UInt64(offset)) & addressMask, Word(value: value, isHavoc: isMarked), length)
                offset += length
            }
        }
        var written = i.pointee.writtenRegisters
        while written != 0 {
            let number = written.trailingZeroBitCount
            written &= written - 1
            context.registers[number] = SeededSource.arbitrary(context.source.next()) & addressMask
            mark(number, isMarked)
        }
        if i.pointee.writesFlags {
            context.rflags = context.rflags & ~FlagBit.status | context.source.next() & FlagBit.status
            context.flagsAreHavoc = isMarked
        }
        noteInexact(i)
    }
}
