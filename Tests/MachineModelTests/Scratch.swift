import MachineModel
import Testing
import X86

/// A scratch machine with code at 0x1000, data at 0x20000 and a stack below 0x80000; all pages are the user's, too.
struct Scratch {
    static let code = VirtualAddress(0x1000)
    static let data = VirtualAddress(0x20000)
    static let stackTop: UInt64 = 0x80000

    var machine: ScratchMachine

    init(_ bytes: [UInt8], _ mode: ProcessorMode = .x86_64, level: Int = 0) throws {
        machine = ScratchMachine(mode: mode, privilegeLevel: level)
        try machine.map(Self.code, size: 0x2000, [.execute, .user])
        try machine.map(Self.data, size: 0x2000, [.write, .user])
        try machine.map(VirtualAddress(0x70000), size: 0x10000, [.write, .user])
        #expect(machine.load(bytes, at: Self.code) == true)
        machine.cpu.context.rip = Self.code.rawValue
        machine.cpu.context.rsp = Self.stackTop - 0x100
        machine.markBaseline()
    }

    subscript(register: Int) -> UInt64 {
        get { machine.cpu.context.registers[register] }
        set { machine.cpu.context.registers[register] = newValue }
    }

    var flags: UInt64 {
        get { machine.cpu.context.rflags }
        set { machine.cpu.context.rflags = newValue | FlagBit.alwaysSet }
    }

    /// `count` little-endian bytes of memory.
    func word(_ address: UInt64, _ count: Int = 8) -> UInt64? {
        machine.bytes(at: VirtualAddress(address), count: count)
            .map { $0.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) } }
    }

    mutating func set(_ address: UInt64, _ value: UInt64, _ count: Int = 8) {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64($0 * 8)) }
        #expect(machine.load(bytes, at: VirtualAddress(address)) == true)
    }

    @discardableResult
    mutating func run(_ steps: Int = 1) -> ScratchOutcome {
        machine.run(steps: steps)
    }
}

/// Registers and memory before, and what must stand there afterwards.
struct ScratchCase: CustomTestStringConvertible, Sendable {
    let name: String
    let bytes: [UInt8]
    var mode = ProcessorMode.x86_64
    var before: [Int: UInt64] = [:]
    /// Bytes at the start of the data pages.
    var data: [UInt8] = []
    var flagsBefore: UInt64 = 0
    var after: [Int: UInt64] = [:]
    var dataAfter: [UInt8]?
    /// Status flags afterwards, where the manual defines them; nil: as before.
    var flags: UInt64?
    var steps = 1
    /// Vector of the exception that ends it.
    var vector: UInt8?

    var testDescription: String { name }

    func check() throws {
        var scratch = try Scratch(bytes, mode)
        scratch[RegisterNumber.di] = Scratch.data.rawValue + 0x800
        scratch[RegisterNumber.si] = Scratch.data.rawValue + 0x900
        for (register, value) in before { scratch[register] = value }
        #expect(scratch.machine.load(data, at: Scratch.data + 0x800) == true)
        scratch.flags = flagsBefore
        let stack = scratch[RegisterNumber.sp]
        scratch.machine.markBaseline()
        let outcome = scratch.run(steps)
        #expect(outcome.exception?.vector == vector && outcome.isExact)
        for (register, value) in after {
            #expect(scratch[register] == value, "register \(register): \(VirtualAddress(scratch[register]))")
        }
        if let dataAfter {
            #expect(scratch.machine.bytes(at: Scratch.data + 0x800, count: dataAfter.count) == dataAfter)
        }
        let defined = FlagBit.status & ~outcome.undefinedFlags
        #expect(scratch.flags & defined == (flags ?? flagsBefore) & defined, "flags \(VirtualAddress(scratch.flags))")
        if vector != nil {
            #expect(
                outcome.steps == steps - 1 && scratch[RegisterNumber.sp] == stack && scratch.machine.changes.isEmpty)
        }
    }
}
