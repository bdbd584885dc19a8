import X86

/// Loads and stores of segment registers, and what leads between privilege levels.
extension CPUState {
    /// Checks and loads a data or stack segment register (SDM vol. 3, 5.5 and 5.7).
    private mutating func loadSegment(_ number: UInt8, _ selector: UInt16) throws(Trap) {
        guard let name = SystemRegisters.SegmentName(rawValue: Int(number)), name != .cs else {
            throw .undefinedOpcode
        }
        let code = UInt32(selector & ~3)
        let isNull = selector & ~3 == 0
        let requested = Int(selector & 3)
        var base: UInt64 = 0
        if name == .ss {
            if isNull {
                // 64-bit mode knows a NULL stack segment at CPL 0 to 2.
                guard mode == .x86_64, system.privilegeLevel != 3, requested == system.privilegeLevel else {
                    throw fault(.generalProtection)
                }
            } else {
                guard let descriptor = descriptors.descriptor(selector), descriptor.kind == .data,
                    requested == system.privilegeLevel, descriptor.privilegeLevel == system.privilegeLevel
                else { throw fault(.generalProtection, code) }
            }
        } else if !isNull {
            guard let descriptor = descriptors.descriptor(selector), descriptor.kind != .taskState,
                descriptor.privilegeLevel >= max(requested, system.privilegeLevel)
            else { throw fault(.generalProtection, code) }
            base = descriptor.base
        }
        system[name] = selector
        if name == .fs { system.fsBase = base }
        if name == .gs { system.gsBase = base }
    }

    mutating func moveToSegment(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let number = i.pointee.destination
        if number == SegmentRegister.cs.rawValue || number > SegmentRegister.gs.rawValue { throw .undefinedOpcode }
        let word = try source(i, 2, m)
        guard context.memory.isExplicit else { return noteInexact(i) }
        try loadSegment(number, UInt16(truncatingIfNeeded: word.value))
        if number == SegmentRegister.ss.rawValue { stackShadow = true }
    }

    mutating func moveFromSegment(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        guard i.pointee.source <= SegmentRegister.gs.rawValue else { throw .undefinedOpcode }
        let size = i.pointee.destinationKind == .memory ? 2 : Int(i.pointee.size)
        let address = try target(i, size, m)
        try setDestination(i, address, Word(UInt64(system.selectors[Int(i.pointee.source)])), size)
    }

    mutating func pushSegment(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let size = Int(i.pointee.size)
        let selector = UInt64(system.selectors[Int(i.pointee.destination)])
        guard options.pushesSegmentsAs16Bits, size > 2 else { return try push(Word(selector), size, m) }
        // The upper bytes of the slot stay as they are (SDM vol. 2, PUSH).
        let address = (context.rsp &- UInt64(size)) & addressMask
        try checkStore(address, 2, isStack: true, m)
        store(address, Word(selector), 2)
        context.rsp = address
    }

    mutating func popSegment(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let size = Int(i.pointee.size)
        let word = try top(size, m)
        if word.isHavoc { throw .havocStack }
        if context.memory.isExplicit {
            try loadSegment(i.pointee.destination, UInt16(truncatingIfNeeded: word.value))
            if i.pointee.destination == SegmentRegister.ss.rawValue { stackShadow = true }
        } else {
            noteInexact(i)
        }
        raiseStack(size)
    }

    /// LDS, LES, LFS, LGS, LSS.
    mutating func loadFarPointer(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let size = Int(i.pointee.size)
        let address = accessAddress(i)
        let isStack = i.pointee.segment == .ss
        let offset = try load(address, size, isStack: isStack, m)
        let selector = try load((address &+ UInt64(size)) & addressMask, 2, isStack: isStack, m)
        if context.memory.isExplicit {
            try loadSegment(i.pointee.auxiliary, UInt16(truncatingIfNeeded: selector.value))
        } else {
            noteInexact(i)
        }
        try setRegister(i.pointee.destination, offset, size)
    }

    // MARK: Returns to the same or an outer privilege level

    mutating func checkReturnCode(_ selector: UInt16) throws(Trap) {
        let code = UInt32(selector & ~3)
        if code == 0 { throw fault(.generalProtection) }
        guard let descriptor = descriptors.descriptor(selector), descriptor.kind == .code,
            descriptor.privilegeLevel == Int(selector & 3), descriptor.is64Bit == (mode == .x86_64)
        else { throw fault(.generalProtection, code) }
    }

    mutating func checkReturnStack(_ selector: UInt16, _ level: Int) throws(Trap) {
        let code = UInt32(selector & ~3)
        if code == 0 {
            if mode == .x86_64, level != 3, Int(selector & 3) == level { return }
            throw fault(.generalProtection)
        }
        guard let descriptor = descriptors.descriptor(selector), descriptor.kind == .data,
            descriptor.privilegeLevel == level, Int(selector & 3) == level
        else { throw fault(.generalProtection, code) }
    }

    /// Data segments that the outer level may not use become NULL (SDM vol. 2, RET and IRET).
    mutating func dropPrivilegedSegments() {
        for name in [SystemRegisters.SegmentName.es, .ds, .fs, .gs] {
            guard let descriptor = descriptors.descriptor(system[name]),
                descriptor.privilegeLevel < system.privilegeLevel
            else { continue }
            system[name] = 0
            if name == .fs { system.fsBase = 0 }
            if name == .gs { system.gsBase = 0 }
        }
    }

    /// What IRET restores of the flags (SDM vol. 2, IRET).
    private func flagsRestored(_ size: Int) -> UInt64 {
        var restored = FlagBit.status | FlagBit.trap | FlagBit.direction | FlagBit.nestedTask
        if size > 2 { restored |= FlagBit.resume | FlagBit.alignmentCheck | FlagBit.identification }
        if system.privilegeLevel <= Int(context.rflags & FlagBit.privilegeLevel) >> 12 { restored |= FlagBit.interrupt }
        if system.privilegeLevel == 0 {
            restored |= FlagBit.privilegeLevel
            if size > 2 { restored |= FlagBit.virtualInterrupt | FlagBit.virtualInterruptPending }
        }
        return restored
    }

    mutating func interruptReturn(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        // IRET outside of entry code is a walk that lost its way: rule 6.
        guard context.memory.isExplicit || m.environment.isEntryText(context.rip) else { throw .undefinedOpcode }
        // An IRET ends the masking of NMIs even where it faults (SDM vol. 3, 25.3).
        nmiMasked = false
        // Task returns and virtual-8086 mode are not modelled.
        if context.rflags & FlagBit.nestedTask != 0 { throw fault(.generalProtection) }
        let size = Int(i.pointee.size)
        let address = try top(size, m).value
        let selector = UInt16(truncatingIfNeeded: try top(size, at: size, m).value)
        let flags = try top(size, at: 2 * size, m).value
        let level = Int(selector & 3)
        if selector & ~3 == 0 { throw fault(.generalProtection) }
        if level < system.privilegeLevel { throw fault(.generalProtection, UInt32(selector & ~3)) }
        try checkReturnCode(selector)
        if mode == .x86_64, !Self.isCanonical(address) { throw fault(.generalProtection) }
        let restored = flagsRestored(size)
        if mode == .x86_64 || level > system.privilegeLevel {
            let stack = try top(size, at: 3 * size, m).value
            let stackSelector = UInt16(truncatingIfNeeded: try top(size, at: 4 * size, m).value)
            try checkReturnStack(stackSelector, level)
            context.rsp = stack & addressMask
            system[.ss] = stackSelector
        } else {
            raiseStack(3 * size)
        }
        let isOuter = level > system.privilegeLevel
        system.privilegeLevel = level
        system[.cs] = selector
        if isOuter { dropPrivilegedSegments() }
        context.rflags = context.rflags & ~restored | flags & restored | FlagBit.alwaysSet
        target = size == 2 ? address & 0xffff : address & addressMask
        outcome = .serialized
    }

    // MARK: System calls

    private func stackOf(_ code: UInt64) -> UInt16 { UInt16(truncatingIfNeeded: code) &+ 8 }

    /// SYSCALL, of 64-bit mode only as Intel has it.
    mutating func systemCall() throws(Trap) {
        guard context.memory.isExplicit, mode == .x86_64, system.efer & 1 != 0 else { throw .undefinedOpcode }
        context.registers[RegisterNumber.cx] = context.registers[Int(Instruction.instructionPointer)]
        context.registers[11] = context.rflags & ~FlagBit.resume
        context.rflags = context.rflags & ~system.sfmask & ~FlagBit.resume | FlagBit.alwaysSet
        let code = system.star >> 32 & 0xfffc
        (system[.cs], system[.ss]) = (UInt16(truncatingIfNeeded: code), stackOf(code))
        system.privilegeLevel = 0
        target = system.lstar
    }

    /// The flags that SYSRET takes from R11.
    private static let systemReturnFlags: UInt64 = 0x3c7fd7

    mutating func systemReturn(_ i: UnsafePointer<Instruction>) throws(Trap) {
        guard context.memory.isExplicit, mode == .x86_64, system.efer & 1 != 0 else { throw .undefinedOpcode }
        let address = context.registers[RegisterNumber.cx]
        // A return to compatibility mode is not modelled.
        if i.pointee.size != 8 || !Self.isCanonical(address) { throw fault(.generalProtection) }
        context.rflags = context.registers[11] & Self.systemReturnFlags | FlagBit.alwaysSet
        let base = UInt16(truncatingIfNeeded: system.star >> 48)
        (system[.cs], system[.ss]) = (base &+ 16 | 3, base &+ 8 | 3)
        system.privilegeLevel = 3
        target = address
    }

    mutating func systemEnter() throws(Trap) {
        guard context.memory.isExplicit else { throw .undefinedOpcode }
        if system.sysenterCS & 0xfffc == 0 { throw fault(.generalProtection) }
        context.rflags &= ~(FlagBit.interrupt | FlagBit.virtual8086)
        let code = system.sysenterCS & 0xfffc
        (system[.cs], system[.ss]) = (UInt16(truncatingIfNeeded: code), stackOf(code))
        system.privilegeLevel = 0
        context.rsp = system.sysenterESP & addressMask
        target = system.sysenterEIP & addressMask
    }

    mutating func systemExit(_ i: UnsafePointer<Instruction>) throws(Trap) {
        guard context.memory.isExplicit else { throw .undefinedOpcode }
        if system.sysenterCS & 0xfffc == 0 { throw fault(.generalProtection) }
        let (stack, address) = (context.registers[RegisterNumber.cx], context.registers[RegisterNumber.dx])
        if mode == .x86_64 {
            // A return to compatibility mode is not modelled.
            if i.pointee.size != 8 || !Self.isCanonical(stack) || !Self.isCanonical(address) {
                throw fault(.generalProtection)
            }
        }
        let code = UInt16(truncatingIfNeeded: system.sysenterCS & 0xfffc) &+ (mode == .x86_64 ? 32 : 16) | 3
        (system[.cs], system[.ss]) = (code, code &+ 8)
        system.privilegeLevel = 3
        context.rsp = stack & addressMask
        target = address & addressMask
    }
}
