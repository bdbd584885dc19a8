public import MachineModel
public import X86

/// int3_emulate_push(), _call(), _jmp(), _ret(), _jcc() on a complete pt_regs (asm/text-patching.h).
///
/// `regs->ip` stands behind the INT3, at the site's address + 1.
public enum Int3Emulation {
    public enum Failure: Error, Sendable, Hashable {
        /// text_poke_loc_init() would have refused to queue this instruction.
        case notEmulatable(InstructionBytes)
        /// The store of the emulated push faulted.
        case stackFault(VirtualAddress)
    }

    static let int3Length: UInt64 = 1
    static let callLength: UInt64 = 5

    public static func jump(
        _ regs: PtRegs, to address: UInt64, _ cpu: inout CPUState, _ machine: borrowing MachineAccess
    ) {
        regs.write(.ip, address, &cpu, machine)
    }

    public static func push(
        _ regs: PtRegs, _ value: UInt64, _ cpu: inout CPUState, _ machine: borrowing MachineAccess
    ) throws(Failure) {
        // The gap guarantees room: the frame that this overwrites has been copied below itself.
        let address = regs.read(.sp, &cpu, machine) &- 8
        regs.write(.sp, address, &cpu, machine)
        guard cpu.writeWord(address, value, machine) else { throw .stackFault(VirtualAddress(address)) }
    }

    public static func pop(
        _ regs: PtRegs, _ cpu: inout CPUState, _ machine: borrowing MachineAccess
    ) throws(Failure) -> UInt64 {
        let address = regs.read(.sp, &cpu, machine)
        guard let value = cpu.readWord(address, machine) else { throw .stackFault(VirtualAddress(address)) }
        regs.write(.sp, address &+ 8, &cpu, machine)
        return value
    }

    public static func call(
        _ regs: PtRegs, to function: UInt64, _ cpu: inout CPUState, _ machine: borrowing MachineAccess
    ) throws(Failure) {
        let ip = regs.read(.ip, &cpu, machine)
        try push(regs, ip &- int3Length &+ callLength, &cpu, machine)
        jump(regs, to: function, &cpu, machine)
    }

    public static func ret(
        _ regs: PtRegs, _ cpu: inout CPUState, _ machine: borrowing MachineAccess
    ) throws(Failure) {
        jump(regs, to: try pop(regs, &cpu, machine), &cpu, machine)
    }

    private static func jumpIf(
        _ regs: PtRegs, _ opcode: UInt8, _ next: UInt64, _ displacement: Int, _ cpu: inout CPUState,
        _ machine: borrowing MachineAccess
    ) {
        let isTaken = ConditionCode.holds(opcode, flags: regs.read(.flags, &cpu, machine))
        jump(regs, to: isTaken ? next &+ UInt64(bitPattern: Int64(displacement)) : next, &cpu, machine)
    }

    /// Emulates `instruction`, which stands at `site`, on `regs`; the switch of smp_text_poke_int3_handler().
    public static func emulate(
        _ instruction: InstructionBytes, at site: VirtualAddress, _ regs: PtRegs, _ cpu: inout CPUState,
        _ machine: borrowing MachineAccess
    ) throws(Failure) {
        let next = (site + instruction.count).rawValue
        if instruction == .nop5 || instruction == .nop2 || instruction == .nop5For32Bit {
            jump(regs, to: next, &cpu, machine)
            return
        }
        switch instruction[0] {
        case 0xcc:
            // Somebody poked an explicit INT3: it is not consumed, the next handler in the chain takes it.
            return
        case 0xc3: try ret(regs, &cpu, machine)
        case 0xe8 where instruction.count == 5:
            try call(regs, to: next &+ UInt64(bitPattern: Int64(instruction.displacement32)), &cpu, machine)
        case 0xe9 where instruction.count == 5:
            jump(regs, to: next &+ UInt64(bitPattern: Int64(instruction.displacement32)), &cpu, machine)
        case 0xeb where instruction.count >= 2:
            let short = (site + 2).rawValue
            jump(regs, to: short &+ UInt64(bitPattern: Int64(Int8(bitPattern: instruction[1]))), &cpu, machine)
        case 0x70...0x7f where instruction.count == 2:
            let short = Int(Int8(bitPattern: instruction[1]))
            jumpIf(regs, instruction[0], next, short, &cpu, machine)
        case 0x0f where instruction.count == 6 && instruction[1] & 0xf0 == 0x80:
            let near = (2..<6).reduce(UInt32(0)) { $0 | UInt32(instruction[$1]) << UInt32(($1 - 2) * 8) }
            jumpIf(regs, instruction[1], next, Int(Int32(bitPattern: near)), &cpu, machine)
        default: throw .notEmulatable(instruction)
        }
    }
}
