public import MachineModel
import X86

/// Which stack an exception's frame is pushed on.
public enum EntryStack: Sendable, Hashable {
    /// The interrupted stack: #BP and interrupts from kernel mode.
    case current
    /// The interrupt stack table's stack of this CPU: NMI.
    case ist(top: UInt64)
}

/// Exceptions of x86_64 from kernel mode: the processor's frame; and, in a step each, the entry and exit of interrupts and
/// NMIs.
///
/// Interrupted RSP = R, A = R & ~15: SS A-8, RSP A-16 (= R), RFLAGS A-24, CS A-32, RIP A-40 (SDM vol. 3, 6.14.2).
public enum KernelEntry {
    private static let wordSize: UInt64 = 8
    /// Slots of pt_regs from its base up to di, and the registers that they hold.
    private static let saved: [(slot: PtRegs.Slot, number: Int)] = [
        (.r15, 15), (.r14, 14), (.r13, 13), (.r12, 12), (.bp, 5), (.bx, 3), (.r11, 11), (.r10, 10), (.r9, 9), (.r8, 8),
        (.ax, 0), (.cx, 1), (.dx, 2), (.si, 6), (.di, 7),
    ]

    /// Pushes the processor's frame and clears IF; RIP is the caller's to set.
    ///
    /// False where the stack has no room: a double fault, nothing was changed but dead stack.
    public static func pushFrame(
        _ cpu: inout CPUState, on stack: EntryStack, _ machine: borrowing MachineAccess
    ) -> Bool {
        let interrupted = cpu.context.rsp
        var top = interrupted & ~15
        if case .ist(let istTop) = stack { top = istTop }
        for word in [
            Segment.kernelData, interrupted, cpu.context.rflags, Segment.kernelCode, cpu.context.rip,
        ] {
            top -= wordSize
            guard cpu.writeWord(top, word, machine) else { return false }
        }
        cpu.context.rsp = top
        cpu.context.rflags &= ~FlagBit.interrupt
        cpu.interruptShadow = false
        cpu.restartInterruptsOffBudget()
        return true
    }

    /// The frame and the saved registers of an interrupt or NMI, in one step; nil where the stack has no room.
    public static func enter(
        _ cpu: inout CPUState, on stack: EntryStack, _ machine: borrowing MachineAccess
    ) -> PtRegs? {
        let rsp = cpu.context.rsp
        let rflags = cpu.context.rflags
        guard pushFrame(&cpu, on: stack, machine) else { return nil }
        let regs = PtRegs(base: cpu.context.rsp &- 16 * wordSize, mode: .x86_64)
        var isSaved = cpu.writeWord(regs.address(.origAx), ~0, machine)
        for (slot, number) in saved {
            let isHavoc = cpu.context.havocRegisters >> UInt16(number) & 1 != 0
            let word = cpu.context.registers[number]
            isSaved = isSaved && cpu.writeWord(regs.address(slot), word, isHavoc: isHavoc, machine)
        }
        guard isSaved else {
            cpu.context.rsp = rsp
            cpu.context.rflags = rflags
            return nil
        }
        cpu.context.rsp = regs.base
        return regs
    }

    /// Restores the registers and executes IRETQ. The caller serializes the front end: IRET does.
    public static func leave(
        _ cpu: inout CPUState, _ regs: PtRegs, flagsAreHavoc: Bool, _ machine: borrowing MachineAccess
    ) {
        for (slot, number) in saved {
            let address = regs.address(slot)
            let isHavoc = cpu.isHavocWord(address, machine)
            cpu.context.registers[number] = cpu.readWord(address, machine) ?? 0
            let bit: UInt16 = 1 << UInt16(number)
            cpu.context.havocRegisters = isHavoc ? cpu.context.havocRegisters | bit : cpu.context.havocRegisters & ~bit
        }
        cpu.context.rip = cpu.readWord(regs.address(.ip), machine) ?? 0
        cpu.context.rflags = cpu.readWord(regs.address(.flags), machine) ?? FlagBit.alwaysSet
        cpu.context.flagsAreHavoc = flagsAreHavoc
        cpu.context.rsp = cpu.readWord(regs.address(.sp), machine) ?? 0
        cpu.restartInterruptsOffBudget()
    }
}
