import MachineModel
public import X86

/// int3_emulate_push(), _pop(), _call(), _jmp(), _ret() and _jcc() on pt_regs (asm/text-patching.h), for both widths.
///
/// `regs->ip` stands behind the INT3, at the site's address + 1. Nothing here knows whether the frame is complete: the
/// entry code has to see to that. Loads and stores have the rights of the CPU that runs the handler, so that on a frame
/// from user mode a push faults under SMAP and succeeds with EFLAGS.AC set.
public struct Int3Emulation<Memory: KernelMemory> {
    public let regs: PtRegs
    /// Taken for as long as the emulation lasts.
    public var memory: Memory

    private var wordSize: UInt64 { UInt64(regs.mode.wordSize) }
    private var mask: UInt64 { regs.mode.wordSize == 4 ? 0xffff_ffff : ~0 }

    public init(_ regs: PtRegs, _ memory: Memory) {
        self.regs = regs
        self.memory = memory
    }

    private mutating func read(_ slot: PtRegs.Slot) throws(Int3EmulationFailure) -> UInt64 {
        guard let value = regs.read(slot, &memory) else {
            throw .stackFault(VirtualAddress(regs.address(slot)))
        }
        return value
    }

    private mutating func write(_ slot: PtRegs.Slot, _ value: UInt64) throws(Int3EmulationFailure) {
        guard regs.write(slot, value & mask, &memory) else {
            throw .stackFault(VirtualAddress(regs.address(slot)))
        }
    }

    public mutating func jump(to address: UInt64) throws(Int3EmulationFailure) {
        try write(.ip, address)
    }

    public mutating func push(_ value: UInt64) throws(Int3EmulationFailure) {
        let address = try (read(.sp) &- wordSize) & mask
        try write(.sp, address)
        guard memory.store(address, value & mask, size: Int(wordSize)) else {
            throw .stackFault(VirtualAddress(address))
        }
    }

    public mutating func pop() throws(Int3EmulationFailure) -> UInt64 {
        let address = try read(.sp)
        guard let value = memory.load(address, size: Int(wordSize)) else {
            throw .stackFault(VirtualAddress(address))
        }
        try write(.sp, address &+ wordSize)
        return value
    }

    public mutating func call(to function: UInt64) throws(Int3EmulationFailure) {
        try push(read(.ip) &- Int3Length.int3 &+ Int3Length.call)
        try jump(to: function)
    }

    public mutating func ret() throws(Int3EmulationFailure) {
        try jump(to: pop())
    }

    /// `condition` is the low half of a Jcc's opcode.
    public mutating func jumpIf(
        _ condition: UInt8, next: UInt64, displacement: Int
    ) throws(Int3EmulationFailure) {
        let isTaken = try ConditionCode.holds(condition, flags: read(.flags))
        try jump(to: isTaken ? next &+ UInt64(bitPattern: Int64(displacement)) : next)
    }

    /// Emulates `instruction`, which stands at `site`; the switch of smp_text_poke_int3_handler().
    public mutating func emulate(
        _ instruction: InstructionBytes, at site: VirtualAddress
    ) throws(Int3EmulationFailure) {
        let next = (site + instruction.count).rawValue
        if instruction == .nop5 || instruction == .nop2 || instruction == .nop5For32Bit {
            try jump(to: next)
            return
        }
        switch instruction[0] {
        case 0xcc:
            // Somebody poked an explicit INT3: it is not consumed, the next handler in the chain takes it.
            return
        case 0xc3: try ret()
        case 0xe8 where instruction.count == 5:
            try call(to: next &+ UInt64(bitPattern: Int64(instruction.displacement32)))
        case 0xe9 where instruction.count == 5:
            try jump(to: next &+ UInt64(bitPattern: Int64(instruction.displacement32)))
        case 0xeb where instruction.count >= 2:
            let short = (site + 2).rawValue
            try jump(to: short &+ UInt64(bitPattern: Int64(Int8(bitPattern: instruction[1]))))
        case 0x70...0x7f where instruction.count == 2:
            try jumpIf(instruction[0], next: next, displacement: Int(Int8(bitPattern: instruction[1])))
        case 0x0f where instruction.count == 6 && instruction[1] & 0xf0 == 0x80:
            let near = (2..<6).reduce(UInt32(0)) { $0 | UInt32(instruction[$1]) << UInt32(($1 - 2) * 8) }
            try jumpIf(instruction[1], next: next, displacement: Int(Int32(bitPattern: near)))
        default: throw .notEmulatable(instruction)
        }
    }
}

/// Lengths that the emulation counts with, in bytes.
enum Int3Length {
    static let int3: UInt64 = 1
    static let call: UInt64 = 5
}

/// Why an emulation did not happen.
public enum Int3EmulationFailure: Error, Sendable, Hashable {
    /// text_poke_loc_init() would have refused to queue this instruction.
    case notEmulatable(InstructionBytes)
    /// A load or store of the emulation faulted.
    case stackFault(VirtualAddress)
}
