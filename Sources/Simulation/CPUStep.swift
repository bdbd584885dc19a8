import KernelModel
import MachineModel
import TextPatching
import X86

/// What a shared step did.
public enum StepOutcome: Sendable, Hashable {
    case ran
    /// Nothing to run until an interrupt, a waker or a client comes.
    case idle
    /// The patcher on this CPU waits for other CPUs.
    case waiting
    /// An invariant was broken; the world stands still.
    case stopped
}

/// What comes next on a CPU.
enum NextStep: Sendable, Hashable {
    case stopped
    case unwind(Trap)
    case deliverNMI
    case deliverSync
    case deliverInterrupt
    case handlerStep
    case interruptReturn
    case preempt
    case patcherStep
    case idle
    case taskTop
    case contextTop
    case served
    case instruction
}

/// The one function that every driver calls: one step of one CPU against what all CPUs share.
struct CPUStep {
    let cache: DecodeCache

    /// What `cpu` does next; pure.
    func next(_ cpu: borrowing SimulatedCPU, _ kernel: borrowing KernelState) -> NextStep {
        if kernel.isStopped { return .stopped }
        if cpu.pendingTrap != .none { return .unwind(cpu.pendingTrap) }
        let pending = kernel.interrupts.pending[cpu.index]
        if pending.nmi, !cpu.nmiMasked { return .deliverNMI }
        let isPatcher = cpu.contexts.isEmpty && cpu.task == kernel.patcher.taskIndex
        let routineHoldsOff = isPatcher && kernel.patcher.routine?.holdsInterruptsOff == true
        if cpu.state.context.interruptsEnabled, !cpu.state.interruptShadow, !routineHoldsOff {
            if pending.sync { return .deliverSync }
            if pending.irq { return .deliverInterrupt }
        }
        if let top = cpu.contexts.last, !top.walksText { return top.isFinished ? .interruptReturn : .handlerStep }
        if isPatcher { return .patcherStep }
        if cpu.contexts.isEmpty, cpu.task == cpu.idleTask { return .idle }
        if cpu.contexts.isEmpty, cpu.state.context.interruptsEnabled,
            cpu.needsReschedule || kernel.scheduler[kernel.patcher.taskIndex].state == .runnable
        {
            return .preempt
        }
        switch cpu.state.context.rip {
        case Sentinel.taskTop: return .taskTop
        case Sentinel.contextTop: return .contextTop
        case let rip: return kernel.environment.served.contains(rip) ? .served : .instruction
        }
    }

    /// How many alternatives the next step has: views of the text that the fetch may see, bytes that memcpy() may write.
    func choiceCount(_ cpu: borrowing SimulatedCPU, _ kernel: borrowing KernelState) -> Int {
        switch next(cpu, kernel) {
        case .patcherStep: return kernel.patcher.routine?.choiceCount ?? 1
        case .instruction:
            if kernel.text.isSettled { return 1 }
            let address = cpu.state.context.rip
            return kernel.text.viewCount(
                at: address, count: fetchLength(address, kernel), cpu: cpu.index, frontEnd: cpu.state.frontEnd)
        default: return 1
        }
    }

    /// Takes the step with `choice`, 0 ..< choiceCount.
    func take(_ cpu: inout SimulatedCPU, _ kernel: inout KernelState, choice: Int) -> StepOutcome {
        let step = next(cpu, kernel)
        switch step {
        case .stopped: return .stopped
        case .unwind(let trap): unwind(&cpu, &kernel, trap)
        case .deliverNMI: deliverNMI(&cpu, &kernel)
        case .deliverSync: deliverSync(&cpu, &kernel)
        case .deliverInterrupt: deliverInterrupt(&cpu, &kernel)
        case .handlerStep: handlerStep(&cpu, &kernel)
        case .interruptReturn: interruptReturn(&cpu, &kernel)
        case .preempt: switchTask(&cpu, &kernel, to: .runnable)
        case .patcherStep: return patcherStep(&cpu, &kernel, choice: choice)
        case .idle: return idle(&cpu, &kernel)
        case .taskTop: taskTop(&cpu, &kernel)
        case .contextTop:
            precondition(!cpu.contexts.isEmpty, "a context's walk returns into its context")
            cpu.contexts[cpu.contexts.count - 1].isFinished = true
        case .served: serve(&cpu, &kernel)
        case .instruction: instruction(&cpu, &kernel, choice: choice)
        }
        return kernel.isStopped ? .stopped : .ran
    }

    // MARK: Instructions

    /// Bytes that the fetch at `address` touches: those of the location in flight, or of what stands there.
    func fetchLength(_ address: UInt64, _ kernel: borrowing KernelState) -> Int {
        if let (location, offset) = kernel.array.locationCovering(address), offset == 0 { return location.new.count }
        let newest = kernel.text.newestInstruction(at: address, count: InstructionBytes.lengthMax)
        return cache.instruction(of: newest, at: address).map { Int($0.length) } ?? max(newest.count, 1)
    }

    private func instruction(_ cpu: inout SimulatedCPU, _ kernel: inout KernelState, choice: Int) {
        let address = cpu.state.context.rip
        guard kernel.text.isMapped(address) else {
            fetchedNothing(&cpu, &kernel, address)
            return
        }
        if address >= MachineAccess.moduleBase { kernel.verdict.count(.noFreedText) }
        let isSettled = kernel.text.isSettled
        let bytes: InstructionBytes
        if isSettled {
            bytes = kernel.text.newestInstruction(at: address, count: InstructionBytes.lengthMax)
        } else {
            let length = fetchLength(address, kernel)
            bytes = kernel.text.fetch(
                at: address, count: length, cpu: cpu.index, frontEnd: &cpu.state.frontEnd, choice: choice)
        }
        if let (invariant, message) = checkFetch(bytes, address, &kernel) {
            kernel.violate(invariant, message, cpu: cpu.index, address: address)
            return
        }
        guard let decoded = cache.instruction(of: bytes, at: address) else {
            unwind(&cpu, &kernel, .undefinedOpcode)
            return
        }
        execute(decoded, &cpu, &kernel)
    }

    private func checkFetch(
        _ bytes: InstructionBytes, _ address: UInt64, _ kernel: inout KernelState
    ) -> (Invariant, String)? {
        kernel.verdict.count(.noTornInstruction)
        if let message = TornInstruction.check(bytes, at: address, kernel.array) { return (.noTornInstruction, message) }
        kernel.verdict.count(.completion)
        if let message = Completion.check(bytes, at: address, kernel.array, kernel.text) { return (.completion, message) }
        return nil
    }

    private func execute(_ decoded: Instruction, _ cpu: inout SimulatedCPU, _ kernel: inout KernelState) {
        let environment = kernel.environment
        let trap = withUnsafePointer(to: &kernel.text) {
            cpu.state.execute(decoded, MachineAccess(environment: environment, cache: cache, text: $0))
        }
        switch trap {
        case .none: break
        case .serialized: kernel.text.serialize(cpu: cpu.index, frontEnd: &cpu.state.frontEnd)
        case .breakpoint: breakpoint(&cpu, &kernel)
        default: unwind(&cpu, &kernel, trap)
        }
    }

    /// RIP points to nothing. In the module area that is freed text; elsewhere the walk went astray.
    private func fetchedNothing(_ cpu: inout SimulatedCPU, _ kernel: inout KernelState, _ address: UInt64) {
        if address >= MachineAccess.moduleBase, address < Sentinel.taskTop {
            kernel.verdict.count(.noFreedText)
            kernel.violate(.noFreedText, "execution at an address that holds no text", cpu: cpu.index, address: address)
        } else {
            unwind(&cpu, &kernel, .pageFault)
        }
    }
}
