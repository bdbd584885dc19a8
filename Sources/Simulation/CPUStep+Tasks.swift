import Ftrace
import KernelModel
import MachineModel
import X86

/// Tasks: their walks, sleep, wake-up, preemption; served functions; unwinding.
extension CPUStep {
    /// Instructions after which a task's walk is given up (rule 5).
    static let taskWalkBudget = 5_000
    /// One walk in this many is followed by sleep.
    static let sleepOneIn = 6
    /// Longest sleep, in nanoseconds.
    static let sleepNanosecondsMax = 2_000_000

    /// A walk has ended: the task is at its top, switches voluntarily, sleeps or begins another.
    func taskTop(_ cpu: inout SimulatedCPU, _ kernel: inout KernelState) {
        kernel.scheduler[cpu.task].loops += 1
        noteQuiescent(cpu.task, &kernel)
        startWalk(&cpu, &kernel)
        if cpu.state.context.source.next(below: Self.sleepOneIn) == 0 {
            let nap = UInt64(cpu.state.context.source.next(below: Self.sleepNanosecondsMax))
            switchTask(&cpu, &kernel, to: .sleeping(until: kernel.nanoseconds + nap))
        }
    }

    private func noteQuiescent(_ task: Int, _ kernel: inout KernelState) {
        kernel.scheduler.noteQuiescent(task)
        wakePatcherIfOver(&kernel)
    }

    func wakePatcherIfOver(_ kernel: inout KernelState) {
        if let number = kernel.patcher.gracePeriod, kernel.scheduler.isOver(number) {
            kernel.scheduler.wake(kernel.patcher.taskIndex)
        }
    }

    /// Puts the task at the entry of a function drawn by weight, with arguments that nobody set: havoc.
    private func startWalk(_ cpu: inout SimulatedCPU, _ kernel: inout KernelState) {
        let entries = kernel.configuration.workload.entries
        cpu.state.context.rsp = cpu.state.context.memory.stackTop
        cpu.state.context.rflags = FlagBit.alwaysSet | FlagBit.interrupt
        cpu.state.context.walkBudget = Self.taskWalkBudget
        setArbitraryRegisters(&cpu)
        let machine = MachineAccess(environment: kernel.environment, cache: cache)
        guard cpu.state.pushReturn(to: Sentinel.taskTop, machine), !entries.isEmpty else {
            preconditionFailure("a task's stack has room for its first return address, and tasks have something to run")
        }
        let draw = cpu.state.context.source.next(below: kernel.weightTotal)
        let entry = kernel.entry(forDraw: draw)
        cpu.state.context.rip = entry.rawValue
        kernel.scheduler[cpu.task].function = entry.rawValue
    }

    /// Every register but RSP holds what nobody computed.
    func setArbitraryRegisters(_ cpu: inout SimulatedCPU) {
        for number in 0..<16 where number != RegisterNumber.sp {
            cpu.state.context.registers[number] = SeededSource.arbitrary(cpu.state.context.source.next())
        }
        cpu.state.context.havocRegisters = 0xffff & ~(1 << UInt16(RegisterNumber.sp))
    }

    func switchTask(_ cpu: inout SimulatedCPU, _ kernel: inout KernelState, to state: TaskState) {
        cpu.task = kernel.scheduler.switchTask(on: &cpu.state, from: cpu.task, to: state, idle: cpu.idleTask)
        cpu.needsReschedule = false
        cpu.ticks = 0
        // A switch of address space writes CR3, which serializes. The patcher and the idle tasks have none of their own.
        guard kernel.scheduler[cpu.task].kind == .guest, cpu.addressSpace != cpu.task else { return }
        cpu.addressSpace = cpu.task
        kernel.text.serialize(cpu: cpu.index, frontEnd: &cpu.state.frontEnd)
    }

    func idle(_ cpu: inout SimulatedCPU, _ kernel: inout KernelState) -> StepOutcome {
        kernel.scheduler.wakeSleepers(at: kernel.nanoseconds)
        wakePatcherIfOver(&kernel)
        guard kernel.scheduler.hasRunnable else { return .idle }
        switchTask(&cpu, &kernel, to: .runnable)
        return .ran
    }

    func patcherStep(_ cpu: inout SimulatedCPU, _ kernel: inout KernelState, choice: Int) -> StepOutcome {
        switch kernel.stepPatcher(&cpu, choice: choice) {
        case .advanced: return kernel.isStopped ? .stopped : .ran
        case .spinning: return kernel.isStopped ? .stopped : .waiting
        case .sleeping, .idle:
            switchTask(&cpu, &kernel, to: .blocked)
            wakePatcherIfOver(&kernel)
            return .ran
        }
    }

    // MARK: Rule 4

    /// RIP stands at a function that the simulator serves; its own mcount site lies behind.
    func serve(_ cpu: inout SimulatedCPU, _ kernel: inout KernelState) {
        let address = cpu.state.context.rip
        cpu.state.counts.havoc.served += 1
        switch kernel.servedAt(address) {
        case .schedule, .preempt:
            let isVoluntary = kernel.servedAt(address) == .schedule
            returnFromServed(&cpu, &kernel)
            guard cpu.phase == .task, cpu.state.context.interruptsEnabled else { return }
            if isVoluntary { noteQuiescent(cpu.task, &kernel) }
            switchTask(&cpu, &kernel, to: .runnable)
        case .waitingLoop: returnFromServed(&cpu, &kernel)
        case .unwind, nil: unwind(&cpu, &kernel, .none)
        case .functionTraceCall: trace(&cpu, &kernel, viaList: false)
        case .opsListFunction: trace(&cpu, &kernel, viaList: true)
        }
    }

    func returnFromServed(_ cpu: inout SimulatedCPU, _ kernel: inout KernelState) {
        let machine = MachineAccess(environment: kernel.environment, cache: cache)
        guard let target = cpu.state.readWord(cpu.state.context.rsp, machine),
            !cpu.state.isHavocWord(cpu.state.context.rsp, machine)
        else {
            unwind(&cpu, &kernel, .havocStack)
            return
        }
        cpu.state.context.rsp &+= 8
        cpu.state.context.rip = target
    }

    /// function_trace_call(ip, parent_ip, op, fregs) and arch_ftrace_ops_list_func(): RDI, RSI, RDX.
    private func trace(_ cpu: inout SimulatedCPU, _ kernel: inout KernelState, viaList: Bool) {
        let registers = cpu.state.context.registers
        var flags: TraceEntry.Flags = []
        if !cpu.state.context.interruptsEnabled { flags.insert(.irqsOff) }
        for context in cpu.contexts {
            switch context.kind {
            case .nmi: flags.insert(.nmi)
            case .interrupt: flags.insert(.hardirq)
            case .breakpoint, .sync: break
            }
        }
        if cpu.needsReschedule { flags.insert(.needResched) }
        let entry = TraceEntry(
            nanoseconds: kernel.nanoseconds, ip: VirtualAddress(registers[RegisterNumber.di]),
            parent: kernel.callers.shown(registers[RegisterNumber.si], inNMI: flags.contains(.nmi)),
            pid: Int32(kernel.scheduler[cpu.task].pid), comm: kernel.comms[cpu.task],
            flags: flags, preemptCount: 0)
        if viaList {
            _ = kernel.ftrace.opsListFunction(cpu: cpu.index, entry: entry)
        } else {
            _ = kernel.ftrace.functionTraceCall(
                ops: VirtualAddress(registers[RegisterNumber.dx]), cpu: cpu.index, entry: entry)
        }
        returnFromServed(&cpu, &kernel)
    }

    // MARK: Unwinding

    /// Rules 3, 5 and 6: gives the innermost walk up. A task goes back to its top, a handler to its IRET.
    func unwind(_ cpu: inout SimulatedCPU, _ kernel: inout KernelState, _ trap: Trap) {
        cpu.pendingTrap = .none
        switch trap {
        case .havocStack: cpu.state.counts.havoc.stackUnwinds += 1
        case .budget: cpu.state.counts.havoc.budgetUnwinds += 1
        case .none: break
        default: cpu.state.counts.havoc.faultUnwinds += 1
        }
        // The stack has no room for a trap's frame: what was interrupted is given up with it.
        while case .breakpoint = cpu.contexts.last?.kind {
            let context = cpu.pop()
            cpu.state.context.walkBudget = context.walkBudget
            cpu.state.context.lastIndirectTarget = context.lastIndirectTarget
        }
        if cpu.phase != .task {
            guard cpu.phase == .walk, let regs = cpu.contexts.last?.regs else {
                preconditionFailure("only a walk of text is given up")
            }
            cpu.state.context.rsp = regs.base
            cpu.state.context.rip = Sentinel.contextTop
            cpu.state.context.rflags &= ~FlagBit.interrupt
        } else {
            switch trap {
            case .havocStack: kernel.scheduler[cpu.task].unwinds.state += 1
            case .budget: kernel.scheduler[cpu.task].unwinds.budget += 1
            case .none: break
            default: kernel.scheduler[cpu.task].unwinds.fault += 1
            }
            cpu.state.context.rsp = cpu.state.context.memory.stackTop
            cpu.state.context.rip = Sentinel.taskTop
            cpu.state.context.rflags = FlagBit.alwaysSet | FlagBit.interrupt
        }
        cpu.state.interruptShadow = false
    }
}
