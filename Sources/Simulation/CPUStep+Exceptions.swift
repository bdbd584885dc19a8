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
        let ablation = kernel.configuration.ablation
        let location = kernel.array.locationCovering(site).flatMap { $0.offset == 0 ? $0.location : nil }
        let expectation = location.map { EmulationExpectation($0, cpu.state, machine) }
        cpu.state.context.rip = site &+ 1
        guard
            let context = enter(
                &cpu, on: .current, leavesGap: !ablation.contains(.gap), machine,
                { regs in
                    .breakpoint(Int3Handler(regs: regs, site: VirtualAddress(site), ablation: ablation), expectation)
                })
        else {
            unwind(&cpu, &kernel, .pageFault)
            return
        }
        push(context, &cpu, &kernel)
    }

    private func push(_ context: ExceptionContext, _ cpu: inout SimulatedCPU, _ kernel: inout KernelState) {
        if cpu.phase == .task, cpu.task == cpu.idleTask { kernel.scheduler[cpu.task].isInterrupted = true }
        cpu.push(context)
    }

    private func enter(
        _ cpu: inout SimulatedCPU, on stack: EntryStack, leavesGap: Bool, _ machine: borrowing MachineAccess,
        _ kind: (PtRegs) -> ExceptionContext.Kind
    ) -> ExceptionContext? {
        let flagsAreHavoc = cpu.state.context.flagsAreHavoc
        let budget = cpu.state.context.walkBudget
        guard let regs = KernelEntry.enter(&cpu.state, on: stack, leavesGap: leavesGap, machine) else { return nil }
        return ExceptionContext(
            kind: kind(regs), regs: regs, flagsAreHavoc: flagsAreHavoc, walkBudget: budget,
            lastIndirectTarget: cpu.state.context.lastIndirectTarget)
    }

    /// One step of the handler routine in the innermost context.
    func handlerStep(_ cpu: inout SimulatedCPU, _ kernel: inout KernelState) {
        guard case .breakpoint(var handler, let expectation) = cpu.contexts[cpu.contexts.count - 1].kind else {
            kernel.text.serialize(cpu: cpu.index, frontEnd: &cpu.state.frontEnd)
            kernel.interrupts.acknowledgeSync(cpu.index)
            kernel.syncInHand[cpu.index] = false
            cpu.finishContext()
            return
        }
        let machine = access(kernel)
        let progress = handler.step(&kernel.array, &cpu.state, machine)
        cpu.update(.breakpoint(handler, expectation))
        switch progress {
        case .advanced: break
        case .emulated(let instruction):
            kernel.verdict.count(.noUnexplainedBreakpoint)
            kernel.traps.emulated += 1
            kernel.record(.int3Emulated(site: handler.site, instruction: instruction), cpu: cpu.index)
            cpu.finishContext()
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
        guard let context = enter(&cpu, on: .current, leavesGap: false, access(kernel), { _ in .sync }) else {
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
        guard var context = enter(&cpu, on: stack, leavesGap: false, machine, { _ in kind }) else {
            if case .nmi = kind { cpu.nmiMasked = false }
            unwind(&cpu, &kernel, .pageFault)
            return
        }
        // An interrupt on the interrupt stack has its frame there, which its own walk must not reach: it does nothing.
        let isNested = cpu.state.isOnIRQStack(context.regs.base)
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

    func interruptReturn(_ cpu: inout SimulatedCPU, _ kernel: inout KernelState) {
        let context = cpu.pop()
        let machine = access(kernel)
        let selector = context.regs.read(.ss, &cpu.state, machine)
        guard KernelEntry.acceptsStackSegment(selector) else {
            kernel.verdict.count(.trueEmulation)
            kernel.violate(
                .trueEmulation,
                "IRETQ takes #GP: the emulated push overwrote the saved SS with \(VirtualAddress(selector))",
                cpu: cpu.index, address: context.regs.read(.ip, &cpu.state, machine))
            return
        }
        KernelEntry.leave(&cpu.state, context.regs, flagsAreHavoc: context.flagsAreHavoc, machine)
        cpu.state.context.walkBudget = context.walkBudget
        cpu.state.context.lastIndirectTarget = context.lastIndirectTarget
        kernel.text.serialize(cpu: cpu.index, frontEnd: &cpu.state.frontEnd)
        // Any IRET ends the masking of NMIs (SDM vol. 3, 6.7.1).
        cpu.nmiMasked = false
        if cpu.phase == .task, cpu.task == cpu.idleTask {
            kernel.scheduler[cpu.task].isInterrupted = false
            wakePatcherIfOver(&kernel)
        }
        switch context.kind {
        case .nmi:
            if cpu.nmiRepeats {
                cpu.nmiRepeats = false
                kernel.interrupts.pending[cpu.index].nmi = true
            }
        case .breakpoint(let handler, let expectation):
            guard let expectation else { return }
            kernel.verdict.count(.noLostCall)
            kernel.verdict.count(.trueEmulation)
            if let (invariant, message) = expectation.check(&cpu.state, machine) {
                kernel.violate(invariant, message, cpu: cpu.index, address: handler.site.rawValue)
            }
        case .sync, .interrupt: break
        }
    }
}
