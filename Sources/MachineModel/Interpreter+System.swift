import X86

/// Interrupt flag, control and debug registers, model-specific registers, descriptor tables, input and output.
///
/// A walk of kernel text has no say in the processor's system state: there these instructions check, serialize, and
/// yield havoc. A machine with explicit memory executes them.
extension CPUState {
    private var ownsSystemState: Bool { context.memory.isExplicit }

    private var ioPrivilegeLevel: Int { Int(context.rflags & FlagBit.privilegeLevel) >> 12 }

    mutating func interrupt(_ i: UnsafePointer<Instruction>) throws(Trap) {
        softwareVector = UInt8(truncatingIfNeeded: i.pointee.immediate)
        throw .softwareInterrupt
    }

    /// CLI and STI.
    mutating func changeInterruptFlag(_ isOn: Bool) throws(Trap) {
        if system.privilegeLevel > ioPrivilegeLevel { throw fault(.generalProtection) }
        if isOn {
            if !context.interruptsEnabled { interruptShadow = true }
            context.rflags |= FlagBit.interrupt
        } else {
            context.rflags &= ~FlagBit.interrupt
        }
    }

    mutating func halt(_ i: UnsafePointer<Instruction>) {
        if ownsSystemState { outcome = .halted } else { noteInexact(i) }
    }

    // MARK: Input and output

    /// Nobody models a bitmap of ports: IOPL decides.
    mutating func requireInputOutput() throws(Trap) {
        if system.privilegeLevel > ioPrivilegeLevel { throw fault(.generalProtection) }
    }

    mutating func inputOutput(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        try requireInputOutput()
        if i.pointee.operation == .input {
            let value = SeededSource.arbitrary(context.source.next())
            try setRegister(
                RegisterNumber.ax, Word(value: value, isHavoc: !ownsSystemState), Int(i.pointee.size))
        }
        noteInexact(i)
    }

    // MARK: Control and debug registers

    /// The value that a walk reads from a system register.
    private mutating func arbitrary(_ i: UnsafePointer<Instruction>) -> Word {
        noteInexact(i)
        return Word(value: SeededSource.arbitrary(context.source.next()), isHavoc: true)
    }

    mutating func moveFromControl(_ i: UnsafePointer<Instruction>) throws(Trap) {
        let word: Word
        switch i.pointee.source {
        case _ where !ownsSystemState: word = arbitrary(i)
        case 0: word = Word(system.cr0)
        case 2: word = Word(system.cr2)
        case 3: word = Word(system.cr3)
        case 4: word = Word(system.cr4)
        case 8: word = Word(system.cr8)
        default: throw .undefinedOpcode
        }
        try setRegister(i.pointee.destination, word, wordSize)
    }

    private static let priorityMax: UInt64 = 15
    /// PE and PG, and in long mode PAE, stay: other modes of paging are not modelled.
    private static let fixed0: UInt64 = 0x8000_0001
    private static let fixed4: UInt64 = 1 << 5

    mutating func moveToControl(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let number = i.pointee.destination
        if number != 8 { try requireShared(m) }
        let value = register(i.pointee.source, wordSize)
        switch number {
        case _ where !ownsSystemState: noteInexact(i)
        case 0:
            if value >> 32 != 0 || value & Self.fixed0 != Self.fixed0 { throw fault(.generalProtection) }
            system.cr0 = value
        case 2: system.cr2 = value
        case 3: system.cr3 = value
        case 4:
            if value >> 32 != 0 || mode == .x86_64 && value & Self.fixed4 == 0 { throw fault(.generalProtection) }
            system.cr4 = value
        case 8:
            if value > Self.priorityMax { throw fault(.generalProtection) }
            system.cr8 = value
        default: throw .undefinedOpcode
        }
        if number != 8 { outcome = .serialized }
    }

    /// DR4 and DR5 are DR6 and DR7 by other names while CR4.DE is off.
    private func debugNumber(_ number: UInt8) throws(Trap) -> Int {
        switch number {
        case 0...3, 6, 7: return Int(number)
        case 4, 5:
            if system.cr4 & 1 << 3 != 0 { throw .undefinedOpcode }
            return Int(number) + 2
        default: throw .undefinedOpcode
        }
    }

    mutating func moveFromDebug(_ i: UnsafePointer<Instruction>) throws(Trap) {
        let number = try debugNumber(i.pointee.source)
        try setRegister(i.pointee.destination, ownsSystemState ? Word(system.debug[number]) : arbitrary(i), wordSize)
    }

    mutating func moveToDebug(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        try requireShared(m)
        let number = try debugNumber(i.pointee.destination)
        let value = register(i.pointee.source, wordSize)
        if ownsSystemState {
            if number >= 6, value >> 32 != 0 { throw fault(.generalProtection) }
            // Reserved bits read as after reset.
            let fixed: UInt64 = number == 6 ? 0xffff_0ff0 : number == 7 ? 0x400 : 0
            system.debug[number] = value | fixed
        } else {
            noteInexact(i)
        }
        outcome = .serialized
    }

    /// LMSW: MP, EM, TS, and PE only upwards.
    mutating func loadMachineStatus(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let value = try destination(i, 2, m).value
        guard ownsSystemState else { return noteInexact(i) }
        system.cr0 = system.cr0 & ~0xe | value & 0xe
    }

    /// UMIP keeps user mode from reading where the tables stand.
    private mutating func checkUserModeInstruction() throws(Trap) {
        if system.privilegeLevel == 3, system.cr4 & ControlBit.userModeInstructionPrevention != 0 {
            throw fault(.generalProtection)
        }
    }

    mutating func storeMachineStatus(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        try checkUserModeInstruction()
        let size = i.pointee.destinationKind == .memory ? 2 : Int(i.pointee.size)
        let address = try target(i, size, m)
        try setDestination(i, address, Word(system.cr0 & PrivateRegion.mask(size)), size)
    }

    // MARK: Segment bases and model-specific registers

    mutating func swapGS(_ i: UnsafePointer<Instruction>) throws(Trap) {
        if mode != .x86_64 { throw .undefinedOpcode }
        guard ownsSystemState else { return noteInexact(i) }
        swap(&system.gsBase, &system.kernelGSBase)
    }

    /// RDFSBASE, RDGSBASE, WRFSBASE, WRGSBASE.
    mutating func accessSegmentBase(_ i: UnsafePointer<Instruction>) throws(Trap) {
        if system.cr4 & ControlBit.segmentBase == 0 { throw .undefinedOpcode }
        let size = Int(i.pointee.size)
        let isFS = i.pointee.segment == .fs
        if i.pointee.operation == .readSegmentBase {
            let base = isFS ? system.fsBase : system.gsBase
            try setRegister(i.pointee.destination, ownsSystemState ? Word(base) : arbitrary(i), size)
            return
        }
        let value = register(i.pointee.destination, size)
        if !Self.isCanonical(value) { throw fault(.generalProtection) }
        guard ownsSystemState else { return noteInexact(i) }
        if isFS { system.fsBase = value } else { system.gsBase = value }
    }

    private func place(ofModelSpecific number: UInt32) -> WritableKeyPath<SystemRegisters, UInt64>? {
        switch number {
        case ModelSpecificRegister.sysenterCS: \.sysenterCS
        case ModelSpecificRegister.sysenterESP: \.sysenterESP
        case ModelSpecificRegister.sysenterEIP: \.sysenterEIP
        case ModelSpecificRegister.efer: \.efer
        case ModelSpecificRegister.star: \.star
        case ModelSpecificRegister.lstar: \.lstar
        case ModelSpecificRegister.cstar: \.cstar
        case ModelSpecificRegister.sfmask: \.sfmask
        case ModelSpecificRegister.fsBase: \.fsBase
        case ModelSpecificRegister.gsBase: \.gsBase
        case ModelSpecificRegister.kernelGSBase: \.kernelGSBase
        case ModelSpecificRegister.tscAux: \.tscAux
        default: nil
        }
    }

    mutating func readModelSpecific(_ i: UnsafePointer<Instruction>) throws(Trap) {
        let number = UInt32(truncatingIfNeeded: register(RegisterNumber.cx, 4))
        let value: Word
        if ownsSystemState, let place = place(ofModelSpecific: number) {
            value = Word(system[keyPath: place])
        } else {
            value = Word(value: SeededSource.arbitrary(context.source.next()), isHavoc: !ownsSystemState)
            noteInexact(i)
        }
        try setRegister(RegisterNumber.ax, Word(value: value.value & 0xffff_ffff, isHavoc: value.isHavoc), 4)
        try setRegister(RegisterNumber.dx, Word(value: value.value >> 32, isHavoc: value.isHavoc), 4)
    }

    mutating func writeModelSpecific(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        try requireShared(m)
        let number = UInt32(truncatingIfNeeded: register(RegisterNumber.cx, 4))
        let value = register(RegisterNumber.ax, 4) | register(RegisterNumber.dx, 4) << 32
        if ownsSystemState, let place = place(ofModelSpecific: number) {
            let isAddress: Bool =
                switch number {
                case ModelSpecificRegister.efer, ModelSpecificRegister.star, ModelSpecificRegister.sfmask,
                    ModelSpecificRegister.sysenterCS, ModelSpecificRegister.tscAux:
                    false
                default: true
                }
            if isAddress, mode == .x86_64, !Self.isCanonical(value) { throw fault(.generalProtection) }
            system[keyPath: place] = value
        } else {
            noteInexact(i)
        }
        outcome = .serialized
    }

    // MARK: Descriptor tables

    /// LGDT and LIDT: base and limit are kept; descriptors and gates are the machine's own tables.
    mutating func loadDescriptorTable(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        try requireShared(m)
        let address = accessAddress(i)
        let isStack = i.pointee.segment == .ss
        let limit = try load(address, 2, isStack: isStack, m)
        var base = try load((address &+ 2) & addressMask, wordSize, isStack: isStack, m)
        if mode == .i386, i.pointee.size == 2 { base.value &= 0xff_ffff }
        if mode == .x86_64, !base.isHavoc, !Self.isCanonical(base.value) { throw fault(.generalProtection) }
        outcome = .serialized
        guard ownsSystemState else { return noteInexact(i) }
        var table = TableRegister()
        table.base = base.value
        table.limit = UInt16(truncatingIfNeeded: limit.value)
        if i.pointee.auxiliary == 1 { system.idtr = table } else { system.gdtr = table }
    }

    mutating func storeDescriptorTable(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        try checkUserModeInstruction()
        let address = accessAddress(i)
        let isStack = i.pointee.segment == .ss
        let baseAddress = (address &+ 2) & addressMask
        try checkStore(address, 2, isStack: isStack, m)
        try checkStore(baseAddress, wordSize, isStack: isStack, m)
        let table = i.pointee.auxiliary == 1 ? system.idtr : system.gdtr
        store(address, Word(value: UInt64(table.limit), isHavoc: !ownsSystemState), 2)
        store(baseAddress, Word(value: table.base, isHavoc: !ownsSystemState), wordSize)
        if !ownsSystemState { noteInexact(i) }
    }

    /// STR and SLDT.
    mutating func storeSelector(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        try checkUserModeInstruction()
        let size = i.pointee.destinationKind == .memory ? 2 : Int(i.pointee.size)
        let selector = i.pointee.auxiliary == 1 ? system.taskRegister : system.localTable
        let address = try target(i, size, m)
        try setDestination(i, address, Word(UInt64(selector)), size)
    }

    /// LTR and LLDT.
    mutating func loadTask(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        try requireShared(m)
        let selector = UInt16(truncatingIfNeeded: try destination(i, 2, m).value)
        outcome = .serialized
        guard ownsSystemState else { return noteInexact(i) }
        let isNull = selector & ~3 == 0
        if i.pointee.operation == .loadLocalTable {
            // No local table is modelled: only NULL names none.
            if !isNull { throw fault(.generalProtection, UInt32(selector & ~3)) }
            system.localTable = selector
            return
        }
        guard !isNull else { throw fault(.generalProtection) }
        guard let descriptor = descriptors.descriptor(selector), descriptor.kind == .taskState else {
            throw fault(.generalProtection, UInt32(selector & ~3))
        }
        system.taskRegister = selector
    }

    // MARK: Looking at descriptors

    /// The descriptor that LAR, LSL, VERR and VERW may see.
    private func visible(_ selector: UInt16) -> SegmentDescriptor? {
        guard let descriptor = descriptors.descriptor(selector),
            descriptor.privilegeLevel >= max(system.privilegeLevel, Int(selector & 3))
        else { return nil }
        return descriptor
    }

    private mutating func setZero(_ isSet: Bool, isHavoc: Bool) {
        setStatus(isSet ? FlagBit.zero : 0, isHavoc: isHavoc, keeping: FlagBit.status & ~FlagBit.zero)
    }

    /// LAR and LSL.
    mutating func loadAccessRights(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let word = try source(i, 2, m)
        let descriptor = visible(UInt16(truncatingIfNeeded: word.value))
        setZero(descriptor != nil, isHavoc: word.isHavoc)
        guard let descriptor else { return }
        let value = i.pointee.operation == .loadAccessRights ? descriptor.accessRights : 0xffff_ffff
        try setRegister(
            i.pointee.destination, Word(value: value, isHavoc: word.isHavoc), Int(i.pointee.size))
    }

    /// VERR and VERW.
    mutating func verifySegment(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let word = try destination(i, 2, m)
        let descriptor = visible(UInt16(truncatingIfNeeded: word.value))
        let isWrite = i.pointee.auxiliary == 1
        setZero(
            descriptor.map { $0.kind == .data || !isWrite && $0.kind == .code } ?? false, isHavoc: word.isHavoc)
    }

    mutating func adjustPrivilege(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let (left, address) = try modified(i, 2, m)
        let right = word(i.pointee.source, 2)
        let isLower = left.value & 3 < right.value & 3
        let havoc = left.isHavoc || right.isHavoc
        let value = isLower ? left.value & ~3 | right.value & 3 : left.value
        try setDestination(i, address, Word(value: value, isHavoc: havoc), 2)
        setZero(isLower, isHavoc: havoc)
    }
}
