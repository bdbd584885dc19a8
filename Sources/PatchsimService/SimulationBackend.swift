public import Configuration
public import FindingStore
internal import Ftrace
internal import KernelImage
internal import KernelModel
internal import MachineModel
internal import PatchsimInterface
internal import Simulation
internal import SimulationRuntime
internal import TextPatching
internal import X86

/// Makes the simulated machine that the daemon serves.
public func makeSimulationBackend(
    settings: ServiceSettings, log: ServiceLog, store: FindingStore
) async throws(ServiceStartError) -> any ServiceBackend {
    let factory = try WorldFactory(settings)
    for name in factory.skipped { log.skipped(name, kernel: settings.kernel) }
    log.loaded(factory.image, kernel: settings.kernel)
    let configuration = try factory.configuration(settings)
    let world = try factory.world(configuration)
    let backend = SimulationBackend(world: world, factory: factory, settings: settings, log: log, store: store)
    await backend.begin()
    return backend
}

/// The daemon's machine: a `SimulationHost` seen through `ServiceBackend`.
final class SimulationBackend: ServiceBackend {
    let events = EventFeed()
    let host: SimulationHost
    let image: KernelImage
    let factory: WorldFactory
    let settings: ServiceSettings
    let log: ServiceLog
    let store: FindingStore
    let inputs: KeptInputs
    /// Pausing and resuming, with their record.
    private let pausing = TurnQueue()
    private let pump: EventPump
    /// Tasks of the workload, and steps left out: they never change.
    private let taskCount: Int
    private let ablated: [String]

    init(world: World, factory: WorldFactory, settings: ServiceSettings, log: ServiceLog, store: FindingStore) {
        self.store = store
        inputs = KeptInputs(store: store, log: log)
        self.factory = factory
        self.settings = settings
        self.log = log
        image = world.kernel.image
        taskCount = world.kernel.scheduler.tasks.count { $0.kind == .guest }
        ablated = world.kernel.configuration.ablation.names
        let host = SimulationHost(
            world: world, driver: settings.driver == .live ? .live : .deterministic,
            apply: { KernelFileInput.apply($0, to: &$1) })
        self.host = host
        let origin = RunOrigin(settings) { Self.replayLine($0, host: host, settings: settings) }
        pump = EventPump(
            host: host, feed: events, image: image, log: log, origin: origin,
            findings: FindingRecorder(store: store, log: log, settings: settings))
    }

    func begin() async {
        pump.start()
        try? await host.resume()
        await restore()
    }

    func stop() async {
        pump.stop()
        await host.stop()
    }

    func driverProgress() async -> [DriverProgress] {
        await host.driverProgress()
    }

    var commandProgress: UInt64 { host.commandProgress }

    func setRates(_ settings: ServiceSettings) async {
        var rates = factory
        rates.setRates(settings)
        _ = await host.setRates(
            speed: rates.workload.speed, irq: rates.workload.irqRate, nmi: rates.workload.nmiRate)
    }

    /// Publishes what has happened so far: a client that was answered finds the events of what it asked for.
    func flushEvents() {
        pump.flush()
    }

    // MARK: io.patchsim.Machine

    func state() async throws -> MachineState {
        let summary = host.summary()
        // Whoever learns of a violation finds it stored.
        if summary.kernel.isStopped { flushEvents() }
        return state(summary)
    }

    func stateAtOnce() -> MachineState? {
        // A violation is stored before anybody learns of it, which may take a while.
        guard let summary = host.summaryAtOnce(), !summary.kernel.isStopped else { return nil }
        return state(summary)
    }

    private func state(_ summary: MachineSummary) -> MachineState {
        let (kernel, counts) = (summary.kernel, summary.counts)
        let total = Double(max(counts.instructions, 1))
        return MachineState(
            kernel: settings.kernel, banner: image.banner, mode: image.mode.rawValue, driver: settings.driver,
            run: kernel.isStopped ? .stoppedByViolation : summary.isPaused ? .paused : .running,
            cpuCount: host.configuration.cpuCount, taskCount: taskCount, seed: Int(settings.seed),
            fetchModel: settings.fetchModel.rawValue, ablated: ablated, nanoseconds: Int(kernel.nanoseconds),
            retired: Int(counts.instructions),
            exactness: Exactness(
                exactSemantics: Double(counts.exact) / total, knownInputs: Double(counts.exactInputs) / total),
            pokes: Int(kernel.pokes), batches: Int(kernel.batches), syncs: Int(kernel.syncs),
            trapsTaken: Int(kernel.trapsTaken), trapsEmulated: Int(kernel.trapsEmulated), trapSites: kernel.trapSites,
            tracer: kernel.tracer, enabledSites: kernel.enabledSites, eventSequence: Int(kernel.nextEvent),
            violations: kernel.isStopped ? 1 : 0)
    }

    func cpus() async throws -> [PatchsimInterface.CPUState] {
        host.withViews { cpus, kernel in
            cpus.map { cpu in
                let task = kernel.scheduler[cpu.task]
                let isIdle = task.kind == .idle && cpu.nesting == 0
                return PatchsimInterface.CPUState(
                    index: cpu.index, state: isIdle ? "idle" : task.kind == .patcher ? "patching" : "running",
                    pid: isIdle ? nil : task.pid, comm: isIdle ? nil : task.comm, ip: Wire.address(cpu.rip.rawValue),
                    symbol: self.symbol(cpu.rip), context: Self.context(cpu.context),
                    interruptsEnabled: cpu.interruptsEnabled,
                    retired: Int(cpu.counts.instructions), traps: Int(kernel.traps.perCPU[cpu.index]))
            }
        }
    }

    static func context(_ name: String) -> CPUContext {
        // The IPI of a sync is an interrupt like others on the wire.
        CPUContext(rawValue: name) ?? .irq
    }

    /// `name+0x12`, or empty where no text is.
    func symbol(_ address: VirtualAddress) -> String {
        guard address >= image.text.address, address < image.text.address + image.text.size,
            let (index, offset, _) = image.symbols.lookup(address)
        else { return "" }
        let name = image.symbols.name(at: index)
        return offset == 0 ? name : "\(name)+0x\(String(offset, radix: 16))"
    }

    func tasks() async throws -> [PatchsimInterface.TaskState] {
        host.withKernel { kernel in
            kernel.scheduler.tasks.filter { $0.kind != .idle }.map { task in
                var cpu: Int?
                let state: String
                switch task.state {
                case .running(let index):
                    cpu = index
                    state = "running"
                case .runnable: state = "runnable"
                case .sleeping: state = "sleeping"
                case .blocked: state = "blocked"
                }
                let function = task.kind == .patcher ? "text_poke" : self.symbol(VirtualAddress(task.function))
                return PatchsimInterface.TaskState(
                    pid: task.pid, comm: task.comm, state: state, cpu: cpu, function: function, loops: Int(task.loops),
                    unwinds: TaskUnwinds(
                        state: Int(task.unwinds.state), budget: Int(task.unwinds.budget), fault: Int(task.unwinds.fault)
                    ))
            }
        }
    }

    func pause() async throws {
        try await pausing.run {
            try keep(paused: true)
            await host.pause()
        }
    }

    func resume() async throws {
        try await pausing.run {
            if let violation = host.withKernel({ $0.verdict.violation }) { throw translated(.stopped(violation)) }
            try keep(paused: false)
            do throws(SimulationHostError) {
                try await host.resume()
            } catch {
                throw translated(error)
            }
        }
    }

    /// A machine that clients paused is paused again after a restart.
    private func keep(paused: Bool) throws {
        do {
            try store.set(Self.pausedName, paused ? "1" : nil)
        } catch {
            throw ServiceFault.NotDurable(reason: error.description)
        }
    }

    func step(cpu: Int?, count: Int, back: Bool) async throws -> [StepRecord] {
        do {
            if back {
                // What is undone may be changes that are stored.
                try inputs.checkDurable()
                try await host.stepBack(count: count)
                inputs.resynchronize(machine)
                return []
            }
            let steps = try await host.step(cpu: cpu, count: count, shown: ServiceLimits.stepRecordsMax)
            flushEvents()
            return steps.map { step in
                StepRecord(
                    cpu: step.cpu, address: Wire.address(step.address.rawValue), symbol: symbol(step.address),
                    bytes: Wire.bytes(step.bytes), text: step.text, context: Self.context(step.context),
                    nanoseconds: Int(step.nanoseconds))
            }
        } catch let error as SimulationHostError {
            throw translated(error)
        }
    }

    func translated(_ error: SimulationHostError) -> any Error {
        if case .stopped = error { flushEvents() }
        return switch error {
        case .notPaused: MachineFault.NotPaused()
        case .noSuchCPU(let cpu): MachineFault.NoSuchCPU(cpu: cpu, cpuCount: settings.cpus)
        case .stopped(let violation): MachineFault.StoppedByViolation(replay: replayLine(violation))
        case .tooFarBack(let first):
            MachineFault.NotSupportedByDriver(
                driver: settings.driver, reason: "there is no record of the machine before turn \(first)")
        }
    }
}
