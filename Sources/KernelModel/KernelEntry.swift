public import MachineModel

/// Which stack an exception's frame is pushed on.
public enum EntryStack: Sendable, Hashable {
    /// The interrupted stack: #BP and interrupts from kernel mode.
    case current
    /// The interrupt stack table's stack of this CPU: NMI.
    case ist(top: UInt64)
}

/// Exception entry and exit of x86_64: the processor's frame, the entry code's saved registers, and IRET.
///
/// Interrupted RSP = R, A = R & ~15: SS A-8, RSP A-16 (= R), RFLAGS A-24, CS A-32, RIP A-40 (SDM vol. 3, 6.14.2).
public enum KernelEntry {
    /// Words that asm_exc_int3 copies below themselves so that a CALL's return address has room (v5.2).
    public static let gapWords = 6

    /// Pushes the hardware frame, optionally leaves the gap, and saves the registers. Clears IF.
    ///
    /// Returns the pt_regs, or nil where the stack has no room: a double fault, nothing was changed but dead stack.
    public static func enter(
        _ cpu: inout CPUState, on stack: EntryStack, leavesGap: Bool, _ machine: borrowing MachineAccess
    ) -> PtRegs? {
        let interrupted = cpu.context.rsp
        var top = interrupted & ~15
        if case .ist(let istTop) = stack { top = istTop }
        let hardware: [UInt64] = [
            Segment.kernelData, interrupted, cpu.context.rflags, Segment.kernelCode, cpu.context.rip, ~0,
        ]
        for word in hardware {
            top -= 8
            guard cpu.writeWord(top, word, machine) else { return nil }
        }
        if leavesGap {
            for _ in 0..<gapWords {
                guard let word = cpu.readWord(top + UInt64((gapWords - 1) * 8), machine) else { return nil }
                top -= 8
                guard cpu.writeWord(top, word, machine) else { return nil }
            }
        }
        let base = top - UInt64(PtRegs.saved.count * 8)
        for (slot, number) in PtRegs.saved.enumerated() {
            let isHavoc = cpu.context.havocRegisters >> UInt16(number) & 1 != 0
            let word = cpu.context.registers[number]
            guard cpu.writeWord(base + UInt64(slot * 8), word, isHavoc: isHavoc, machine) else { return nil }
        }
        cpu.context.rsp = base
        cpu.context.rflags &= ~FlagBit.interrupt
        cpu.interruptShadow = false
        cpu.restartInterruptsOffBudget()
        return PtRegs(base: base)
    }

    /// Restores the registers and executes IRETQ. The caller serializes the front end: IRET does.
    public static func leave(
        _ cpu: inout CPUState, _ regs: PtRegs, flagsAreHavoc: Bool, _ machine: borrowing MachineAccess
    ) {
        for (slot, number) in PtRegs.saved.enumerated() {
            let address = regs.base + UInt64(slot * 8)
            let isHavoc = cpu.isHavocWord(address, machine)
            cpu.context.registers[number] = cpu.readWord(address, machine) ?? 0
            let bit: UInt16 = 1 << UInt16(number)
            cpu.context.havocRegisters = isHavoc ? cpu.context.havocRegisters | bit : cpu.context.havocRegisters & ~bit
        }
        cpu.context.rip = regs.read(.ip, &cpu, machine)
        cpu.context.rflags = regs.read(.flags, &cpu, machine)
        cpu.context.flagsAreHavoc = flagsAreHavoc
        cpu.context.rsp = regs.read(.sp, &cpu, machine)
        cpu.restartInterruptsOffBudget()
    }

    /// IRETQ to 64-bit mode takes #GP on a stack segment that is no data selector of this privilege; NULL passes at CPL 0.
    public static func acceptsStackSegment(_ selector: UInt64) -> Bool {
        let value = selector & 0xffff
        return value == Segment.kernelData || value == 0
    }
}
