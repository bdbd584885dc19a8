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
    /// The entry code has called its handler.
    case handlerCall
    case entryInstruction
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

    /// What `cpu` does next; pure. The parameters are inout since a borrowed one would be copied.
    func next(_ cpu: inout SimulatedCPU, _ kernel: inout KernelState) -> NextStep {
        if kernel.isStopped { return .stopped }
        if cpu.pendingTrap != .none { return .unwind(cpu.pendingTrap) }
        // An NMI's handler never enables interrupts: the walk has lost its way (rule 6).
        if cpu.nmiNesting > 0, cpu.phase == .walk, cpu.state.context.interruptsEnabled {
            return .unwind(.undefinedOpcode)
        }
        let pending = kernel.interrupts.pending[cpu.index]
        if pending.nmi, !cpu.nmiMasked { return .deliverNMI }
        let isPatcher = cpu.phase == .task && cpu.task == kernel.patcher.taskIndex
        if pending.sync || pending.irq, cpu.state.context.interruptsEnabled, !cpu.state.interruptShadow,
            !isPatcher || kernel.patcher.routine?.holdsInterruptsOff != true
        {
            return pending.sync ? .deliverSync : .deliverInterrupt
        }
        switch cpu.phase {
        case .routine: return .handlerStep
        case .finished: return .interruptReturn
        case .walk: break
        case .task:
            if isPatcher { return .patcherStep }
            if cpu.task == cpu.idleTask { return .idle }
            if cpu.needsReschedule || kernel.scheduler[kernel.patcher.taskIndex].state == .runnable,
                cpu.state.context.interruptsEnabled
            {
                return .preempt
            }
        }
        switch cpu.state.context.rip {
        case Sentinel.taskTop: return .taskTop
        case Sentinel.contextTop: return .contextTop
        case Sentinel.int3Handler: return .handlerCall
        case let rip where kernel.environment.isEntryText(rip): return .entryInstruction
        case let rip: return kernel.environment.isServed(rip) ? .served : .instruction
        }
    }

    /// How many alternatives the next step has: views of the text that the fetch may see, bytes that memcpy() may write.
    func choiceCount(_ cpu: inout SimulatedCPU, _ kernel: inout KernelState) -> Int {
        switch next(&cpu, &kernel) {
        case .patcherStep: return kernel.patcher.routine?.choiceCount ?? 1
        case .instruction:
            if kernel.text.isSettled { return 1 }
            return kernel.text.viewCount(
                at: cpu.state.context.rip, cpu: cpu.index, frontEnd: cpu.state.frontEnd, kernel.environment.decoder)
        default: return 1
        }
    }

    /// Takes the step with `choice`, 0 ..< choiceCount.
    func take(_ cpu: inout SimulatedCPU, _ kernel: inout KernelState, choice: Int) -> StepOutcome {
        let step = next(&cpu, &kernel)
        switch step {
        case .stopped: return .stopped
        case .unwind(let trap): unwind(&cpu, &kernel, trap)
        case .deliverNMI: deliverNMI(&cpu, &kernel)
        case .deliverSync: deliverSync(&cpu, &kernel)
        case .deliverInterrupt: deliverInterrupt(&cpu, &kernel)
        case .handlerStep: handlerStep(&cpu, &kernel)
        case .interruptReturn: interruptReturn(&cpu, &kernel)
        case .handlerCall: callHandler(&cpu, &kernel)
        case .entryInstruction: entryInstruction(&cpu, &kernel)
        case .preempt: switchTask(&cpu, &kernel, to: .runnable)
        case .patcherStep: return patcherStep(&cpu, &kernel, choice: choice)
        case .idle: return idle(&cpu, &kernel)
        case .taskTop: taskTop(&cpu, &kernel)
        case .contextTop:
            precondition(cpu.phase == .walk, "a context's walk returns into its context")
            cpu.finishContext()
        case .served: serve(&cpu, &kernel)
        case .instruction: instruction(&cpu, &kernel, choice: choice)
        }
        return kernel.isStopped ? .stopped : .ran
    }

    // MARK: Instructions

    private func instruction(_ cpu: inout SimulatedCPU, _ kernel: inout KernelState, choice: Int) {
        let address = cpu.state.context.rip
        guard kernel.text.isMapped(address) else {
            fetchedNothing(&cpu, &kernel, address)
            return
        }
        if address >= MachineAccess.moduleBase { kernel.verdict.count(.noFreedText) }
        let bytes =
            kernel.text.isSettled
            ? kernel.text.newestInstruction(at: address, count: InstructionBytes.lengthMax)
            : kernel.text.fetch(
                at: address, cpu: cpu.index, frontEnd: &cpu.state.frontEnd, choice: choice, kernel.environment.decoder)
        if let (invariant, message) = checkFetch(bytes, address, &kernel) {
            // A return or an indirect branch into the middle of an instruction: the walk has lost its way (rule 6).
            if address == cpu.state.context.lastIndirectTarget,
                kernel.array.locationCovering(address).map({ $0.offset > 0 }) == true
            {
                unwind(&cpu, &kernel, .undefinedOpcode)
            } else {
                kernel.violate(invariant, message, cpu: cpu.index, address: address)
            }
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
        if let message = TornInstruction.check(bytes, at: address, kernel.array) {
            return (.noTornInstruction, message)
        }
        kernel.verdict.count(.completion)
        if kernel.text.isSettled { return nil }
        if let message = Completion.check(bytes, at: address, kernel.array, kernel.text) {
            return (.completion, message)
        }
        return nil
    }

    func execute(_ decoded: UnsafePointer<Instruction>, _ cpu: inout SimulatedCPU, _ kernel: inout KernelState) {
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
        let isAstray = address == cpu.state.context.lastIndirectTarget && !kernel.text.wasMapped(address)
        if address >= MachineAccess.moduleBase, address < Sentinel.taskTop, !isAstray {
            kernel.verdict.count(.noFreedText)
            kernel.violate(.noFreedText, "execution at an address that holds no text", cpu: cpu.index, address: address)
        } else {
            unwind(&cpu, &kernel, .pageFault)
        }
    }
}
