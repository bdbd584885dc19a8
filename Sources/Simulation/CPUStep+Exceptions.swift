import KernelModel
import MachineModel
import TextPatching
import X86

/// #BP, the sync IPI, interrupts, NMIs and IRET.
extension CPUStep {
    private func access(_ kernel: borrowing KernelState) -> MachineAccess {
        MachineAccess(environment: kernel.environment, cache: cache)
    }

    // MARK: #BP

    /// The CPU fetched an INT3 from text that can be patched, or one that the image itself holds.
    func breakpoint(_ cpu: inout SimulatedCPU, _ kernel: inout KernelState) {
        let site = cpu.state.context.rip
        let isOwn = !kernel.environment.isPatchable(site, count: 1)
        if isOwn {
            unwind(&cpu, &kernel, .breakpoint)
            return
        }
        kernel.traps.taken += 1
        kernel.traps.perCPU[cpu.index] += 1
        kernel.traps.sites[site, default: 0] += 1
        kernel.record(.int3Trapped(site: VirtualAddress(site)), cpu: cpu.index)
        let machine = access(kernel)
        let location = kernel.array.locationCovering(site).flatMap { $0.offset == 0 ? $0.location : nil }
        let expectation = location.map { EmulationExpectation($0, cpu.state, machine) }
        let context = ExceptionContext(
            kind: .breakpoint(BreakpointContext(site: VirtualAddress(site), expectation: expectation)), regs: nil,
            flagsAreHavoc: cpu.state.context.flagsAreHavoc, walkBudget: cpu.state.context.walkBudget,
            lastIndirectTarget: cpu.state.context.lastIndirectTarget)
        cpu.state.context.rip = site &+ 1
        guard KernelEntry.pushFrame(&cpu.state, on: .current, machine) else {
            unwind(&cpu, &kernel, .pageFault)
            return
        }
        cpu.state.context.rip = kernel.entryCode.breakpoint
        cpu.state.context.flagsAreHavoc = false
        cpu.state.context.walkBudget = Self.handlerWalkBudget
        push(context, &cpu, &kernel)
    }

    /// The entry code has called exc_int3(): RDI points to pt_regs.
    func callHandler(_ cpu: inout SimulatedCPU, _ kernel: inout KernelState) {
        guard case .breakpoint(var breakpoint) = cpu.contexts.last?.kind else {
            unwind(&cpu, &kernel, .undefinedOpcode)
            return
        }
        let regs = PtRegs(base: cpu.state.context.registers[RegisterNumber.di], mode: .x86_64)
        breakpoint.handler = Int3Handler(regs: regs, site: breakpoint.site, ablation: kernel.configuration.ablation)
        cpu.update(.breakpoint(breakpoint))
    }

    private func push(_ context: ExceptionContext, _ cpu: inout SimulatedCPU, _ kernel: inout KernelState) {
        if cpu.phase == .task, cpu.task == cpu.idleTask { kernel.scheduler[cpu.task].isInterrupted = true }
        cpu.push(context)
    }

    private func enter(
        _ cpu: inout SimulatedCPU, on stack: EntryStack, _ machine: borrowing MachineAccess,
        _ kind: ExceptionContext.Kind
    ) -> ExceptionContext? {
        let flagsAreHavoc = cpu.state.context.flagsAreHavoc
        let budget = cpu.state.context.walkBudget
        guard let regs = KernelEntry.enter(&cpu.state, on: stack, machine) else { return nil }
        return ExceptionContext(
            kind: kind, regs: regs, flagsAreHavoc: flagsAreHavoc, walkBudget: budget,
            lastIndirectTarget: cpu.state.context.lastIndirectTarget)
    }

    /// One step of the handler routine in the innermost context.
    func handlerStep(_ cpu: inout SimulatedCPU, _ kernel: inout KernelState) {
        guard case .breakpoint(var breakpoint) = cpu.contexts[cpu.contexts.count - 1].kind,
            var handler = breakpoint.handler
        else {
            kernel.text.serialize(cpu: cpu.index, frontEnd: &cpu.state.frontEnd)
            kernel.interrupts.acknowledgeSync(cpu.index)
            kernel.syncInHand[cpu.index] = false
            cpu.finishContext()
            return
        }
        let machine = access(kernel)
        let progress = handler.step(&kernel.array, &cpu.state, machine)
        breakpoint.handler = handler
        cpu.update(.breakpoint(breakpoint))
        switch progress {
        case .advanced: break
        case .emulated(let instruction):
            kernel.verdict.count(.noUnexplainedBreakpoint)
            kernel.traps.emulated += 1
            kernel.record(.int3Emulated(site: handler.site, instruction: instruction), cpu: cpu.index)
            // exc_int3() returns into the entry code.
            breakpoint.handler = nil
            cpu.update(.breakpoint(breakpoint))
            returnFromServed(&cpu, &kernel)
        case .unclaimed:
            kernel.verdict.count(.noUnexplainedBreakpoint)
            kernel.violate(
                .noUnexplainedBreakpoint, "no handler claims the INT3 that CPU \(cpu.index) executed: die(\"int3\")",
                cpu: cpu.index, address: handler.site.rawValue)
        case .failed(let failure):
            kernel.violate(
                .trueEmulation, "the emulation failed: \(failure)", cpu: cpu.index, address: handler.site.rawValue)
        }
    }

    // MARK: Interrupts

    func deliverSync(_ cpu: inout SimulatedCPU, _ kernel: inout KernelState) {
        kernel.interrupts.pending[cpu.index].sync = false
        kernel.syncInHand[cpu.index] = true
        guard let context = enter(&cpu, on: .current, access(kernel), .sync) else {
            // The walk has used its stack up: the kernel would have died of it long before. It is given up, the IPI is not.
            kernel.interrupts.pending[cpu.index].sync = true
            kernel.syncInHand[cpu.index] = false
            unwind(&cpu, &kernel, .pageFault)
            return
        }
        push(context, &cpu, &kernel)
    }

    func deliverInterrupt(_ cpu: inout SimulatedCPU, _ kernel: inout KernelState) {
        kernel.interrupts.pending[cpu.index].irq = false
        cpu.interruptsTaken += 1
        cpu.ticks += 1
        kernel.scheduler.wakeSleepers(at: kernel.nanoseconds)
        if cpu.ticks >= Self.sliceTicks { cpu.needsReschedule = true }
        walk(&cpu, &kernel, kernel.configuration.workload.irqEntries, on: .current, .interrupt)
    }

    func deliverNMI(_ cpu: inout SimulatedCPU, _ kernel: inout KernelState) {
        kernel.interrupts.pending[cpu.index].nmi = false
        cpu.nmisTaken += 1
        if cpu.nmiNesting > 0 {
            // The entry code sees that it interrupted an NMI, notes it and returns by IRET: the first one runs again.
            cpu.nmiRepeats = true
            kernel.text.serialize(cpu: cpu.index, frontEnd: &cpu.state.frontEnd)
            return
        }
        cpu.nmiMasked = true
        walk(&cpu, &kernel, kernel.configuration.workload.nmiEntries, on: .ist(top: cpu.state.nmiStackTop), .nmi)
    }

    /// Interrupts that make a time slice.
    static let sliceTicks = 2
    /// Instructions after which a handler's walk is given up (rule 5).
    static let handlerWalkBudget = 1500

    /// Enters an interrupt whose handler is a function of the text.
    private func walk(
        _ cpu: inout SimulatedCPU, _ kernel: inout KernelState, _ entries: [VirtualAddress], on stack: EntryStack,
        _ kind: ExceptionContext.Kind
    ) {
        let machine = access(kernel)
        guard var context = enter(&cpu, on: stack, machine, kind) else {
            if case .nmi = kind { cpu.nmiMasked = false }
            unwind(&cpu, &kernel, .pageFault)
            return
        }
        // An interrupt on the interrupt stack has its frame there, which its own walk must not reach: it does nothing.
        let isNested = context.regs.map { cpu.state.isOnIRQStack($0.base) } ?? false
        if case .nmi = kind {
            cpu.state.context.rsp = cpu.state.nmiHandlerStackTop
        } else if !isNested {
            cpu.state.context.rsp = cpu.state.irqStackTop
        }
        if entries.isEmpty || isNested || !cpu.state.pushReturn(to: Sentinel.contextTop, machine) {
            context.isFinished = true
        } else {
            // The entry code clears the registers; what the handler is called with nobody computed.
            setArbitraryRegisters(&cpu)
            cpu.state.context.rip = entries[cpu.state.context.source.next(below: entries.count)].rawValue
            cpu.state.context.walkBudget = Self.handlerWalkBudget
        }
        push(context, &cpu, &kernel)
    }

    // MARK: IRET

    /// The exit of an interrupt, an NMI or an IPI, in one step.
    func interruptReturn(_ cpu: inout SimulatedCPU, _ kernel: inout KernelState) {
        let context = cpu.pop()
        guard let regs = context.regs else { preconditionFailure("what is left in one step was entered in one") }
        KernelEntry.leave(&cpu.state, regs, flagsAreHavoc: context.flagsAreHavoc, access(kernel))
        hasReturned(&cpu, &kernel, from: context)
        if case .nmi = context.kind, cpu.nmiRepeats {
            cpu.nmiRepeats = false
            kernel.interrupts.pending[cpu.index].nmi = true
        }
    }

    /// One instruction of the entry code.
    func entryInstruction(_ cpu: inout SimulatedCPU, _ kernel: inout KernelState) {
        let address = cpu.state.context.rip
        guard let instruction = kernel.environment.entryInstruction(at: address),
            case .breakpoint(let breakpoint) = cpu.contexts.last?.kind
        else {
            unwind(&cpu, &kernel, .undefinedOpcode)
            return
        }
        guard instruction.operation == .interruptReturn else {
            withUnsafePointer(to: instruction) { execute($0, &cpu, &kernel) }
            return
        }
        let ip = cpu.state.readWord(cpu.state.context.rsp, access(kernel)) ?? 0
        if let fault = returnByFrame(instruction, &cpu, &kernel) {
            kernel.verdict.count(.trueEmulation)
            kernel.violate(.trueEmulation, fault, cpu: cpu.index, address: ip)
            return
        }
        hasReturned(&cpu, &kernel, from: cpu.pop())
        guard let expectation = breakpoint.expectation else { return }
        kernel.verdict.count(.noLostCall)
        kernel.verdict.count(.trueEmulation)
        if let (invariant, message) = expectation.check(&cpu.state, access(kernel)) {
            kernel.violate(invariant, message, cpu: cpu.index, address: breakpoint.site.rawValue)
        }
    }

    /// Executes IRETQ; what it faults on, in words.
    private func returnByFrame(
        _ instruction: Instruction, _ cpu: inout SimulatedCPU, _ kernel: inout KernelState
    ) -> String? {
        let machine = access(kernel)
        let selector = cpu.state.readWord(cpu.state.context.rsp &+ 32, machine) ?? 0
        let environment = kernel.environment
        let trap = withUnsafePointer(to: &kernel.text) {
            cpu.state.execute(instruction, MachineAccess(environment: environment, cache: cache, text: $0))
        }
        switch trap {
        case .none, .serialized, .budget: return nil
        case .generalProtection:
            return "IRETQ takes #GP: the emulated push overwrote the saved SS with \(VirtualAddress(selector))"
        default: return "IRETQ takes \(trap)"
        }
    }

    /// Behind any IRET: the interrupted code goes on.
    private func hasReturned(
        _ cpu: inout SimulatedCPU, _ kernel: inout KernelState, from context: ExceptionContext
    ) {
        cpu.state.context.flagsAreHavoc = context.flagsAreHavoc
        cpu.state.context.walkBudget = context.walkBudget
        cpu.state.context.lastIndirectTarget = context.lastIndirectTarget
        cpu.state.restartInterruptsOffBudget()
        kernel.text.serialize(cpu: cpu.index, frontEnd: &cpu.state.frontEnd)
        // Any IRET ends the masking of NMIs (SDM vol. 3, 6.7.1).
        cpu.nmiMasked = false
        if cpu.phase == .task, cpu.task == cpu.idleTask {
            kernel.scheduler[cpu.task].isInterrupted = false
            wakePatcherIfOver(&kernel)
        }
    }
}
