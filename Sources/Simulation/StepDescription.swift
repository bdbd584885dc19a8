import KernelImage
import KernelModel
public import MachineModel
import TextPatching
public import X86

/// What a CPU is about to do, for people who step.
public struct StepDescription: Sendable, Hashable {
    public let cpu: Int
    /// Where RIP stands.
    public let address: VirtualAddress
    /// The bytes of the next instruction, newest first; empty for a step of a routine.
    public let bytes: [UInt8]
    /// AT&T text of the instruction, or the routine's step in words.
    public let text: String
    public let context: String
    public let nanoseconds: UInt64
}

extension World {
    /// Describes the next step of `cpu`; `cache` is any decode cache of this world's environment.
    public func describeNext(cpu index: Int, _ cache: DecodeCache) -> StepDescription {
        var cpu = cpus[index]
        var shared = kernel
        let address = VirtualAddress(cpu.state.context.rip)
        var bytes: [UInt8] = []
        let text: String
        switch CPUStep(cache: cache).next(&cpu, &shared) {
        case .instruction:
            let window = kernel.text.newestBytes(at: address, count: InstructionBytes.lengthMax)
            let line = Disassembler(mode: kernel.image.mode).disassemble(window, at: address, linesMax: 1).first
            bytes = line?.bytes ?? []
            text = line?.text ?? "(nothing mapped)"
        case .stopped: text = "stopped by a violation"
        case .unwind: text = "give the walk up"
        case .deliverNMI: text = "NMI"
        case .deliverSync: text = "interrupt: text_poke_sync() IPI"
        case .deliverInterrupt: text = "interrupt"
        case .handlerStep: text = handlerText(cpu)
        case .interruptReturn: text = "iretq"
        case .handlerCall: text = "exc_int3()"
        case .entryInstruction:
            let window = kernel.environment.entryBytes(at: address.rawValue)
            let line = Disassembler(mode: kernel.image.mode).disassemble(window, at: address, linesMax: 1).first
            bytes = line?.bytes ?? []
            text = line?.text ?? "(nothing mapped)"
        case .preempt: text = "preempt_schedule()"
        case .patcherStep: text = kernel.patcher.routine?.description ?? "take up the next step of the update"
        case .idle: text = "idle"
        case .taskTop: text = "begin a walk"
        case .contextTop: text = "return from the handler"
        case .served: text = "served: \(kernel.image.place(address))"
        }
        return StepDescription(
            cpu: index, address: address, bytes: bytes, text: text, context: cpu.contextName,
            nanoseconds: kernel.nanoseconds)
    }

    private func handlerText(_ cpu: SimulatedCPU) -> String {
        guard case .breakpoint(let breakpoint) = cpu.contexts.last?.kind else { return "do_sync_core()" }
        return breakpoint.handler?.description ?? "exc_int3()"
    }
}
