import KernelModel
import MachineModel
import TextPatching
import X86

/// What one execution of an instruction leaves behind, as far as the sites' instructions can change it.
struct InstructionEffect: Sendable, Hashable {
    let rip: UInt64
    let rsp: UInt64
    /// The word at the new top of the stack.
    let top: UInt64?
}

/// What the interrupted code would have gone on with, had the CPU executed the real instruction: made at the trap by
/// running the old and the new instruction on a copy of the CPU.
struct EmulationExpectation: Sendable {
    let old: InstructionBytes
    let new: InstructionBytes
    let oldEffect: InstructionEffect?
    let newEffect: InstructionEffect?
    let registers: [UInt64]
    let rflags: UInt64

    init(_ location: TextPokeLocation, _ cpu: CPUState, _ machine: borrowing MachineAccess) {
        old = location.old
        new = location.emulated
        oldEffect = Self.effect(of: location.old, at: location.address, cpu, machine)
        newEffect = Self.effect(of: location.emulated, at: location.address, cpu, machine)
        registers = (0..<16).map { cpu.context.registers[$0] }
        rflags = cpu.context.rflags
    }

    private static func effect(
        of bytes: InstructionBytes, at site: VirtualAddress, _ cpu: CPUState, _ machine: borrowing MachineAccess
    ) -> InstructionEffect? {
        guard let instruction = machine.environment.decoder.decode(bytes) else { return nil }
        var probe = cpu
        probe.context.rip = site.rawValue
        // What the probe does is no part of the walk, so the walk's budget does not end it.
        probe.context.walkBudget = 1
        probe.restartInterruptsOffBudget()
        guard probe.execute(instruction, machine) == .none else { return nil }
        return InstructionEffect(
            rip: probe.context.rip, rsp: probe.context.rsp, top: probe.readWord(probe.context.rsp, machine))
    }

    /// The CPU stands behind the IRET. I2 when a call was lost, I3 when the emulation left something else than the old or
    /// the new instruction would have; nil when it is true.
    func check(_ cpu: inout CPUState, _ machine: borrowing MachineAccess) -> (Invariant, String)? {
        let actual = InstructionEffect(
            rip: cpu.context.rip, rsp: cpu.context.rsp, top: cpu.readWord(cpu.context.rsp, machine))
        let isTrue = actual == newEffect || actual == oldEffect
        if !isTrue {
            let isLost = old[0] == 0xe8 && new[0] == 0xe8 && actual.rsp == oldEffect.map { $0.rsp &+ 8 }
            if isLost {
                return (.noLostCall, "the handler skipped the call: neither \(old) nor \(new) was called")
            }
            let wanted = newEffect.map { "RIP \(VirtualAddress($0.rip)) RSP \(VirtualAddress($0.rsp))" } ?? "a fault"
            let found = "RIP \(VirtualAddress(actual.rip)) RSP \(VirtualAddress(actual.rsp))"
            return (.trueEmulation, "the emulation of \(new) left \(found), the instruction leaves \(wanted)")
        }
        for number in 0..<16 where number != RegisterNumber.sp && cpu.context.registers[number] != registers[number] {
            return (.trueEmulation, "the emulation of \(new) changed register \(number)")
        }
        return cpu.context.rflags == rflags ? nil : (.trueEmulation, "the emulation of \(new) changed RFLAGS")
    }
}
