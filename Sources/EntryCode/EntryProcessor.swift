import KernelModel
import MachineModel
import X86

/// Vectors that a trial delivers (SDM vol. 3, table 6-1; the interrupt's is Linux' first external one).
enum ExceptionVector: UInt8, Sendable {
    case nmi = 2
    case breakpoint = 3
    case interrupt = 0x20
}

/// An exception that nothing in a trial handles.
struct EntryFault: Sendable, Hashable {
    let exception: ProcessorException
    /// Its own delivery failed: no gate, or no stack.
    let isLost: Bool

    var vector: UInt8 { exception.vector }
    /// CR2 of a page fault.
    var address: UInt64? { exception.address?.rawValue }

    private static let names: [UInt8: String] = [
        0: "#DE", 1: "#DB", 2: "NMI", 3: "#BP", 6: "#UD", 8: "#DF", 11: "#NP", 12: "#SS", 13: "#GP", 14: "#PF",
        17: "#AC",
    ]

    var name: String { isLost ? "#DF" : Self.names[vector] ?? "vector \(vector)" }
}

/// The processor of a trial: a scratch machine with the pages of `EntryPlaces`.
struct EntryProcessor: Sendable, KernelMemory {
    private var machine: ScratchMachine
    let mode: ProcessorMode
    private let places: EntryPlaces
    private let gates: GateTable
    private let unit: EntryUnit

    /// Bytes of the stack that a handler written in C uses.
    static let handlerStack: UInt64 = 384

    /// Registers and stack words hold values that all differ.
    init(_ mode: ProcessorMode, _ places: EntryPlaces, _ unit: EntryUnit, _ origin: EntryOrigin) {
        self.mode = mode
        self.places = places
        self.unit = unit
        let isUser = origin.isUser
        machine = ScratchMachine(mode: mode, privilegeLevel: isUser ? 3 : 0)
        gates = Self.gates(mode, unit)
        map(places.text, EntryPlaces.textPages * EntryPlaces.pageSize, .execute)
        map(places.code, EntryPlaces.pageSize, isUser ? [.execute, .user] : .execute)
        map(places.stackBase, places.stackSize, .write)
        map(places.userStackBase, EntryPlaces.pageSize, [.write, .user])
        if mode == .i386 { map(places.entryStackBase, EntryPlaces.pageSize, .write) }
        if mode == .x86_64 { map(places.nmiStackBase, EntryPlaces.pageSize, .write) }
        load(unit.bytes, at: places.text)
        load(Array(repeating: 0x90, count: EntryPlaces.pageSize), at: places.code)
        for (base, size) in [(places.stackBase, places.stackSize), (places.userStackBase, EntryPlaces.pageSize)] {
            for address in stride(from: base, to: base + UInt64(size), by: mode.wordSize) {
                poke(address, Self.pattern(address, mode))
            }
        }
        for number in 0..<mode.registerCount where number != RegisterNumber.sp {
            self[number] = Self.pattern(UInt64(number) << 32 | 0xa0 | UInt64(number), mode)
        }
        flags = FlagBit.alwaysSet | FlagBit.interrupt | FlagBit.zero | FlagBit.carry | FlagBit.sign
        machine.cpu.system.cr4 |= ControlBit.supervisorExecutionPrevention
        if origin != .user { machine.cpu.system.cr4 |= ControlBit.supervisorAccessPrevention }
        machine.cpu.system.task.stack0 = places.stackTop
        machine.cpu.system.task.stackSegment0 = LinuxSelector.kernelData(mode)
        machine.cpu.system.task.interruptStacks[0] = places.nmiStackBase + UInt64(EntryTextX86_64.nmiStackSize)
    }

    /// Interrupt gates, as Linux has them; #BP may be raised from user mode.
    private static func gates(_ mode: ProcessorMode, _ unit: EntryUnit) -> GateTable {
        var gates = GateTable()
        func gate(_ label: String, privilegeLevel: Int = 0, interruptStack: Int = 0) -> Gate {
            Gate(
                handler: VirtualAddress(unit[label]), selector: LinuxSelector.kernelCode(mode),
                privilegeLevel: privilegeLevel, interruptStack: interruptStack)
        }
        gates[ExceptionVector.breakpoint.rawValue] = gate("asm_exc_int3", privilegeLevel: 3)
        gates[ExceptionVector.nmi.rawValue] = gate("asm_exc_nmi", interruptStack: mode == .x86_64 ? 1 : 0)
        gates[ExceptionVector.interrupt.rawValue] = gate("asm_irq")
        return gates
    }

    /// A word that tells its address; its two lowest bits follow the address, since some entry code tests them.
    private static func pattern(_ address: UInt64, _ mode: ProcessorMode) -> UInt64 {
        let word = SeededSource.mix(address) & ~3 | (address >> 2 & 1) * 3
        return mode == .x86_64 ? word : word & 0xffff_ffff
    }

    // MARK: Registers

    var ip: UInt64 {
        get { machine.cpu.context.rip }
        set { machine.cpu.context.rip = newValue }
    }

    var sp: UInt64 {
        get { machine.cpu.context.rsp }
        set { machine.cpu.context.rsp = newValue }
    }

    var flags: UInt64 {
        get { machine.cpu.context.rflags }
        set { machine.cpu.context.rflags = newValue }
    }

    subscript(number: Int) -> UInt64 {
        get { machine.cpu.context.registers[number] }
        set { machine.cpu.context.registers[number] = newValue }
    }

    var privilegeLevel: Int { machine.cpu.system.privilegeLevel }

    /// STAC and CLAC of the handler.
    var allowsUserAccess: Bool {
        get { flags & FlagBit.alignmentCheck != 0 }
        set { flags = newValue ? flags | FlagBit.alignmentCheck : flags & ~FlagBit.alignmentCheck }
    }

    // MARK: Memory

    private mutating func map(_ address: UInt64, _ size: Int, _ permissions: PagePermissions) {
        do {
            try machine.map(VirtualAddress(address), size: size, permissions)
        } catch {
            preconditionFailure("the pages of a trial lie apart: \(error)")
        }
    }

    /// Writes whatever the permissions say.
    mutating func load(_ bytes: [UInt8], at address: UInt64) {
        let isLoaded = machine.load(bytes, at: VirtualAddress(address))
        precondition(isLoaded, "a trial loads into its own pages")
    }

    mutating func poke(_ address: UInt64, _ word: UInt64) {
        load((0..<mode.wordSize).map { UInt8(truncatingIfNeeded: word >> UInt64($0 * 8)) }, at: address)
    }

    /// A word whatever the permissions say; nil where nothing is mapped.
    func word(_ address: UInt64) -> UInt64? {
        bytes(address, count: mode.wordSize).map { bytes in
            bytes.enumerated().reduce(UInt64(0)) { $0 | UInt64($1.element) << UInt64($1.offset * 8) }
        }
    }

    func bytes(_ address: UInt64, count: Int) -> [UInt8]? {
        machine.bytes(at: VirtualAddress(address), count: count)
    }

    mutating func load(_ address: UInt64, size: Int) -> UInt64? {
        try? machine.load(VirtualAddress(address), size: size)
    }

    mutating func store(_ address: UInt64, _ value: UInt64, size: Int) -> Bool {
        do {
            try machine.store(value, at: VirtualAddress(address), size: size)
            return true
        } catch {
            return false
        }
    }

    // MARK: Execution

    var isNMIMasked: Bool { !machine.cpu.acceptsNMI }
    var takesInterrupts: Bool { machine.cpu.acceptsInterrupt }

    /// Executes one instruction; an exception is not delivered.
    mutating func step() -> EntryFault? {
        if let instruction = unit.decoded(ip) {
            return machine.execute(instruction).map { EntryFault(exception: $0, isLost: false) }
        }
        machine.cpu.gates = nil
        return machine.run(steps: 1).exception.map { EntryFault(exception: $0, isLost: false) }
    }

    /// Delivers an event in front of the next instruction; what happened where that failed.
    mutating func enter(_ vector: ExceptionVector) -> EntryFault? {
        machine.cpu.gates = gates
        let exception = ProcessorException(vector: vector.rawValue)
        let isDelivered = machine.deliver(exception, source: vector == .breakpoint ? .software : .external)
        return isDelivered ? nil : EntryFault(exception: exception, isLost: true)
    }

    /// What a handler in C leaves on the stack below its return address: anything.
    mutating func useStack() -> EntryFault? {
        for address in stride(from: sp - Self.handlerStack, to: sp, by: mode.wordSize)
        where !store(address, Self.pattern(~address, mode), size: mode.wordSize) {
            let exception = ProcessorException(
                vector: ProcessorException.Vector.pageFault, address: VirtualAddress(address))
            return EntryFault(exception: exception, isLost: true)
        }
        return nil
    }

    /// What the ABI lets a function change, but for an answer in AX and DX.
    mutating func clobberCallerSaved(keeping answer: (ax: UInt64, dx: UInt64)?) {
        typealias Number = RegisterNumber
        let lost = [Number.ax, Number.cx, Number.dx] + (mode == .x86_64 ? [Number.si, Number.di, 8, 9, 10, 11] : [])
        for number in lost { self[number] = Self.pattern(ip &+ UInt64(number) << 8, mode) }
        flags ^= FlagBit.carry | FlagBit.zero | FlagBit.sign
        if let answer {
            self[Number.ax] = answer.ax
            self[Number.dx] = answer.dx
        }
    }
}
