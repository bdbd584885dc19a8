import X86

/// PUSH, POP, ENTER, LEAVE and the flags.
extension CPUState {
    mutating func push(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let size = Int(i.pointee.size)
        let value: Word
        switch i.pointee.destinationKind {
        case .memory: value = try memoryOperand(i, size, m)
        case .immediate: value = Word(UInt64(bitPattern: i.pointee.immediate) & PrivateRegion.mask(size))
        default: value = word(i.pointee.destination, size)
        }
        try push(value, size, m)
        note(value.isHavoc)
    }

    mutating func pop(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let size = Int(i.pointee.size)
        let value = try top(size, m)
        if i.pointee.destinationKind == .memory {
            // POP computes its address with the incremented stack pointer (SDM vol. 2, POP).
            let saved = context.rsp
            raiseStack(size)
            do {
                let address = try target(i, size, m)
                store(address, value, size)
            } catch {
                context.rsp = saved
                throw error
            }
        } else {
            // POP RSP: what was popped stays.
            if i.pointee.destination == UInt8(RegisterNumber.sp), value.isHavoc { throw .havocStack }
            raiseStack(size)
            try setRegister(i.pointee.destination, value, size)
        }
        note(value.isHavoc)
    }

    /// PUSHA: AX, CX, DX, BX, the SP from before, BP, SI, DI.
    mutating func pushAll(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let size = Int(i.pointee.size)
        let bottom = (context.rsp &- UInt64(size * 8)) & addressMask
        for number in 0..<8 { try checkStore(Self.slot(bottom, number, size) & addressMask, size, isStack: true, m) }
        for number in 0..<8 { store(Self.slot(bottom, number, size) & addressMask, word(number, size), size) }
        context.rsp = bottom
    }

    private static func slot(_ bottom: UInt64, _ number: Int, _ size: Int) -> UInt64 {
        bottom &+ UInt64((7 - number) * size)
    }

    /// POPA: the SP in the frame is skipped.
    mutating func popAll(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let size = Int(i.pointee.size)
        let bottom = context.rsp
        var words = InlineArray<8, UInt64>(repeating: 0)
        for number in 0..<8 {
            words[number] = try load(Self.slot(bottom, number, size) & addressMask, size, isStack: true, m).value
        }
        for number in 0..<8 where number != RegisterNumber.sp { try setRegister(number, Word(words[number]), size) }
        raiseStack(size * 8)
    }

    // MARK: Flags

    mutating func pushFlags(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        // VM and RF are pushed as zero. Whether the status flags derive from havoc does not taint IF, which is always
        // exact.
        let flags = context.rflags & ~(FlagBit.virtual8086 | FlagBit.resume)
        try push(Word(flags & PrivateRegion.mask(Int(i.pointee.size))), Int(i.pointee.size), m)
    }

    /// What POPF may change besides the status flags (SDM vol. 2, POPF).
    private func writableFlags(_ size: Int) -> UInt64 {
        var writable = FlagBit.status | FlagBit.trap | FlagBit.direction | FlagBit.nestedTask
        if size > 2 { writable |= FlagBit.alignmentCheck | FlagBit.identification }
        if system.privilegeLevel == 0 { writable |= FlagBit.privilegeLevel }
        if system.privilegeLevel <= Int(context.rflags & FlagBit.privilegeLevel) >> 12 { writable |= FlagBit.interrupt }
        return writable
    }

    mutating func popFlags(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let size = Int(i.pointee.size)
        let value = try top(size, m)
        if value.isHavoc { throw .havocStack }
        raiseStack(size)
        // A walk never single-steps itself, and nobody there checks alignment.
        let walked = FlagBit.status | FlagBit.interrupt | FlagBit.direction | FlagBit.alignmentCheck
        let writable = context.memory.isExplicit ? writableFlags(size) : walked
        context.rflags = context.rflags & ~writable & ~FlagBit.resume | value.value & writable | FlagBit.alwaysSet
        context.flagsAreHavoc = false
    }

    private static let flagsInAH: UInt64 =
        FlagBit.carry | FlagBit.parity | FlagBit.adjust | FlagBit.zero | FlagBit.sign

    /// LAHF.
    mutating func loadFlags() throws(Trap) {
        let flags = context.rflags & Self.flagsInAH | FlagBit.alwaysSet
        try setRegister(Instruction.highByteBase, Word(value: flags, isHavoc: context.flagsAreHavoc), 1)
    }

    /// SAHF.
    mutating func storeFlags() {
        let word = word(Instruction.highByteBase, 1)
        setStatus(word.value & Self.flagsInAH, isHavoc: word.isHavoc, keeping: FlagBit.overflow)
    }

    @inline(__always)
    mutating func setCarry(_ carry: UInt64, isHavoc: Bool) {
        setStatus(carry, isHavoc: isHavoc, keeping: FlagBit.status & ~FlagBit.carry)
    }

    // MARK: Frames

    /// ENTER with nesting levels 0 to 31.
    mutating func enter(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let size = Int(i.pointee.size)
        let step = UInt64(size)
        let room = UInt64(i.pointee.immediate & 0xffff)
        let level = Int(i.pointee.immediate >> 16) & 31
        let frame = (context.rsp &- step) & addressMask
        let pointer = word(RegisterNumber.bp, size)
        if pointer.isHavoc, level > 1 { throw .havocStack }
        try checkStore(frame, size, isStack: true, m)
        var words: [Word] = []
        if level > 1 {
            for number in 1..<level {
                let address = (context.registers[RegisterNumber.bp] &- UInt64(number) &* step) & addressMask
                words.append(try load(address, size, isStack: true, m))
            }
        }
        if level > 0 { words.append(Word(frame)) }
        for number in words.indices {
            try checkStore((frame &- UInt64(number + 1) &* step) & addressMask, size, isStack: true, m)
        }
        let bottom = (frame &- UInt64(words.count) &* step &- room) & addressMask
        // The processor checks that the new top of the stack could be written.
        try checkStore(bottom, size, isStack: true, m)
        store(frame, pointer, size)
        for (number, word) in words.enumerated() {
            store((frame &- UInt64(number + 1) &* step) & addressMask, word, size)
        }
        try setRegister(RegisterNumber.bp, Word(frame), size)
        context.rsp = bottom
    }

    mutating func leave(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        guard !isHavoc(RegisterNumber.bp) else { throw .havocStack }
        let size = Int(i.pointee.size)
        let frame = context.registers[RegisterNumber.bp] & addressMask
        let word = try load(frame, size, isStack: true, m)
        context.rsp = (frame &+ UInt64(size)) & addressMask
        try setRegister(RegisterNumber.bp, word, size)
        note(word.isHavoc)
    }
}
