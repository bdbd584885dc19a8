import Ftrace
public import KernelImage
import KernelModel
public import MachineModel
import X86

/// One turn of one CPU, as data: enough to take it again.
public struct Turn: Sendable, Hashable {
    public var cpu: UInt8
    /// A device interrupt arrives before the turn.
    public var raisesInterrupt: Bool
    /// An NMI arrives before the turn.
    public var raisesNMI: Bool
    /// Most instructions that the CPU runs privately before its shared step.
    public var quantum: UInt16
    /// The alternative taken in the shared step.
    public var choice: UInt32

    public init(cpu: Int, quantum: Int, choice: Int = 0, raisesInterrupt: Bool = false, raisesNMI: Bool = false) {
        self.cpu = UInt8(cpu)
        self.quantum = UInt16(clamping: quantum)
        self.choice = UInt32(clamping: choice)
        self.raisesInterrupt = raisesInterrupt
        self.raisesNMI = raisesNMI
    }
}

/// A machine, the kernel on it and its tasks, as a value: a copy is a branch of its future.
public struct World: Sendable {
    public var cpus: [SimulatedCPU]
    public var kernel: KernelState

    /// The two halves put together.
    public init(cpus: [SimulatedCPU], kernel: KernelState) {
        self.cpus = cpus
        self.kernel = kernel
    }

    /// A world whose text is `image`, with its tasks asleep at their tops.
    public init(image: KernelImage, configuration: WorldConfiguration) throws(FtraceTargetError) {
        var configuration = configuration
        if image.mode == .i386 {
            // Nothing executes 32-bit text yet, interrupt handlers included.
            configuration.workload.irqEntries = []
            configuration.workload.nmiEntries = []
        }
        let ftrace = try FtraceState(image: image, cpuCount: configuration.cpuCount)
        let served = Self.served(image, configuration, ftrace)
        let entryCode = KernelEntryCode(configuration.ablation)
        let environment = MachineEnvironment(image: image, served: Set(served.keys), entryText: entryCode.text)
        let canRun = image.mode == .x86_64 && !configuration.workload.entries.isEmpty
        let tasks = Self.tasks(configuration, guests: canRun ? configuration.taskCount : 0)
        cpus = []
        kernel = KernelState(
            image: image, configuration: configuration, environment: environment, entryCode: entryCode,
            ftrace: ftrace, served: served, tasks: tasks, patcherTask: configuration.cpuCount)
        for index in 0..<configuration.cpuCount {
            let context = kernel.scheduler[index].parked!
            kernel.scheduler[index].parked = nil
            kernel.scheduler[index].state = .running(cpu: index)
            cpus.append(SimulatedCPU(index: index, environment: environment, context: context, idleTask: index))
        }
        // pr_notice("%s", linux_banner)
        kernel.log.append(image.banner, level: .notice, nanoseconds: 0)
        for line in ftrace.totals.bootLog { kernel.log.append(line, nanoseconds: 0) }
    }

    /// Idle tasks first (one per CPU, by CPU), then the patcher, then the guests.
    private static func tasks(_ configuration: WorldConfiguration, guests: Int) -> [Task] {
        var source = SeededSource(seed: configuration.seed)
        var tasks: [Task] = []
        func context() -> ExecutionContext {
            let seed = source.next()
            var context = ExecutionContext(memory: GuestMemory(number: tasks.count, seed: seed), seed: source.next())
            context.rip = Sentinel.taskTop
            return context
        }
        for cpu in 0..<configuration.cpuCount {
            tasks.append(Task(pid: 0, comm: "swapper/\(cpu)", kind: .idle, state: .blocked, context: context()))
        }
        tasks.append(Task(pid: 2, comm: "patcher", kind: .patcher, state: .blocked, context: context()))
        for index in 0..<guests {
            tasks.append(
                Task(
                    pid: 100 + index, comm: "\(names[index % names.count])-\(index / names.count)", kind: .guest,
                    state: .runnable, context: context()))
        }
        return tasks
    }

    private static let names = ["bash", "kworker", "rcu_preempt", "sshd", "postgres", "cc1", "make", "journald"]

    private static func served(
        _ image: KernelImage, _ configuration: WorldConfiguration, _ ftrace: FtraceState
    ) -> [UInt64: ServedKind] {
        var served: [UInt64: ServedKind] = [:]
        let sites = Set(image.mcountSites)
        for (function, action) in configuration.workload.served {
            // The call site of a traced function runs first: its callbacks see the call.
            let address = sites.contains(function) ? function + 5 : function
            switch action {
            case .unwind: served[address.rawValue] = .unwind
            case .schedule:
                // preempt_schedule() and its relatives are no voluntary switch: RCU-tasks goes on waiting.
                let name = image.symbols.lookup(function).map { image.symbols.name(at: $0.index) }
                served[address.rawValue] = name?.hasPrefix("preempt_schedule") == true ? .preempt : .schedule
            }
        }
        for name in waitingLoops {
            if let function = image.symbols.address(of: name) {
                served[(sites.contains(function) ? function + 5 : function).rawValue] = .waitingLoop
            }
        }
        if let target = ftrace.target, image.mode == .x86_64 {
            served[target.functionTraceCall.rawValue] = .functionTraceCall
            served[target.listFunction.rawValue] = .opsListFunction
        }
        return served
    }

    /// Functions that wait for another CPU's store to data. Data is private, so they would wait for ever: they return.
    private static let waitingLoops = [
        "native_queued_spin_lock_slowpath", "__pv_queued_spin_lock_slowpath", "queued_read_lock_slowpath",
        "queued_write_lock_slowpath", "osq_lock", "mutex_spin_on_owner", "rwsem_spin_on_owner", "mwait_idle",
        "delay_tsc", "__delay", "smp_call_function_many_cond",
    ]

    /// Takes one turn. `kernel.turn` counts it.
    @discardableResult
    public mutating func take(_ turn: Turn, _ cache: DecodeCache) -> StepOutcome {
        let retired = TurnTaker(cache: cache).runPrivately(
            &cpus[Int(turn.cpu)], quantum: Int(turn.quantum), kernel.environment)
        return TurnTaker(cache: cache).finish(turn, &cpus[Int(turn.cpu)], &kernel, retired: retired)
    }
}

/// The two halves of a turn: alone, and against what is shared. All drivers use it.
public struct TurnTaker {
    let step: CPUStep

    public init(cache: DecodeCache) {
        step = CPUStep(cache: cache)
    }

    /// Runs up to `quantum` instructions without the shared state; returns how many retired.
    public func runPrivately(_ cpu: inout SimulatedCPU, quantum: Int, _ environment: MachineEnvironment) -> Int {
        guard cpu.walksText, cpu.pendingTrap == .none else { return 0 }
        let before = cpu.state.counts.instructions
        let trap = cpu.state.run(budget: quantum, MachineAccess(environment: environment, cache: step.cache))
        if trap != .none, trap != .needsShared { cpu.pendingTrap = trap }
        return Int(cpu.state.counts.instructions - before)
    }

    /// The next shared step is one of the patcher's.
    public func isPatcherNext(_ cpu: inout SimulatedCPU, _ kernel: inout KernelState) -> Bool {
        step.next(&cpu, &kernel) == .patcherStep
    }

    /// Raises what the turn raises, then says how many alternatives its shared step has. The parameters are inout since a
    /// borrowed one would be copied.
    public func prepare(_ turn: Turn, _ cpu: inout SimulatedCPU, _ kernel: inout KernelState) -> Int {
        raise(turn, cpu.index, &kernel)
        return step.choiceCount(&cpu, &kernel)
    }

    /// About how many instructions' time `turn` lets pass, of which `retired` are already executed.
    public func instructions(
        of turn: Turn, _ cpu: inout SimulatedCPU, _ kernel: inout KernelState, retired: Int
    ) -> Int {
        if cpu.phase == .task, cpu.task == cpu.idleTask { return Self.idleInstructions }
        return step.goesOn(&cpu, &kernel) ? max(Int(turn.quantum), retired + 1) : retired + 1
    }

    private func raise(_ turn: Turn, _ cpu: Int, _ kernel: inout KernelState) {
        if turn.raisesInterrupt { kernel.interrupts.pending[cpu].irq = true }
        if turn.raisesNMI { kernel.interrupts.pending[cpu].nmi = true }
    }

    /// The shared half. While every CPU sees all text alike and nobody patches, the turn goes on to the end of its
    /// quantum: nothing that the CPU does then depends on when the others act.
    public func finish(
        _ turn: Turn, _ cpu: inout SimulatedCPU, _ kernel: inout KernelState, retired: Int
    ) -> StepOutcome {
        raise(turn, cpu.index, &kernel)
        let before = cpu.state.counts.instructions &- UInt64(retired)
        let quantum = UInt64(turn.quantum)
        var outcome = step.take(&cpu, &kernel, choice: Int(turn.choice))
        // A turn without a quantum is a single step.
        var left = quantum == 0 ? 0 : Self.sharedStepsMax
        while left > 0, outcome == .ran, step.goesOn(&cpu, &kernel) {
            let passed = cpu.state.counts.instructions &- before
            guard passed < quantum else { break }
            _ = runPrivately(&cpu, quantum: Int(quantum - passed), kernel.environment)
            guard cpu.state.counts.instructions &- before < quantum else { break }
            outcome = step.take(&cpu, &kernel, choice: 0)
            left -= 1
        }
        kernel.turn += 1
        let passed = outcome == .idle ? Self.idleInstructions : max(Int(cpu.state.counts.instructions &- before), 1)
        kernel.advanceTime(instructions: passed)
        return outcome
    }

    /// Instructions whose time an idle turn lets pass.
    static let idleInstructions = 512
    /// Steps that one turn may take against the shared state.
    static let sharedStepsMax = 128
}

extension CPUStep {
    /// The next step is part of a walk, and all text has one view: in the module area always, elsewhere while nothing is
    /// being patched.
    @inline(__always)
    func goesOn(_ cpu: inout SimulatedCPU, _ kernel: inout KernelState) -> Bool {
        guard kernel.text.isSettled, cpu.walksText, cpu.pendingTrap == .none else { return false }
        return !kernel.isPatching
            || cpu.state.context.rip >= MachineAccess.moduleBase
                && cpu.state.context.rip < Sentinel.taskTop
    }
}

extension KernelState {
    /// All CPUs together retire `speed` instructions in a second.
    mutating func advanceTime(instructions: Int) {
        picoseconds += UInt64(instructions) * rates.picosecondsPerInstruction
    }
}

extension MachineEnvironment {
    /// FIXADDR_START to the last page below the legacy vsyscall page: the local APIC's registers among others.
    private static let fixmap = DataRegion(
        address: VirtualAddress(0xffff_ffff_ff20_0000), size: 0x3f_f000, bytes: nil, isWritable: true)

    convenience init(image: KernelImage, served: Set<UInt64>, entryText: TextSource) {
        func source(_ region: ImageRegion) -> TextSource? {
            guard let bytes = region.bytes else { return nil }
            let buffer = UnsafeRawBufferPointer(rebasing: bytes.buffer[region.offset..<region.offset + region.size])
            return TextSource(address: region.address, bytes: buffer, owner: bytes)
        }
        var sites: [(VirtualAddress, Int)] = image.mcountSites.map { ($0, 5) }
        sites += image.staticCallSites.map { ($0.address, 5) }
        sites += image.jumpEntries.map { ($0.code, $0.length) }
        for name in ["ftrace_call", "ftrace_regs_call"] {
            if let address = image.symbols.address(of: name) { sites.append((address, 5)) }
        }
        var thunks: [UInt64: UInt8] = [:]
        for (number, name) in ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"].enumerated() {
            if let thunk = image.symbols.address(of: "__x86_indirect_thunk_r\(name)") {
                thunks[thunk.rawValue] = UInt8(number)
            }
        }
        for number in 8..<16 {
            if let thunk = image.symbols.address(of: "__x86_indirect_thunk_r\(number)") {
                thunks[thunk.rawValue] = UInt8(number)
            }
        }
        let fills = ["__start_ro_after_init", "__end_ro_after_init"].map {
            image.symbols.address(of: $0)?.rawValue ?? 0
        }
        let data = image.regions.filter { !$0.isExecutable && $0.name != ".data..percpu" }
        guard let text = source(image.text) else { preconditionFailure("a booted image holds its text") }
        self.init(
            text: text,
            regions: [Self.fixmap]
                + data.map {
                    DataRegion(address: $0.address, size: $0.size, bytes: source($0), isWritable: $0.isWritable)
                },
            perCPUTemplate: image.regions.first { $0.name == ".data..percpu" }.flatMap(source),
            havocTargets: image.addressTakenFunctions.map(\.rawValue), served: served, mode: image.mode,
            patchableSites: sites,
            indirectThunks: thunks, perCPUBase: image.symbols.address(of: "__per_cpu_load")?.rawValue,
            readOnlyAfterInit: fills[0]..<max(fills[0], fills[1]), entryText: entryText)
    }
}
