internal import Dispatch
internal import Locking
import MachineModel
public import Simulation

/// Which driver turns a world.
public enum SimulationDriver: Sendable, Hashable {
    /// Each CPU on its own Dispatch queue, truly concurrent.
    case live
    /// One queue; the order of turns is drawn from the seed.
    case deterministic
}

/// Why a host refuses.
public enum SimulationHostError: Error, Sendable, Hashable {
    case notPaused
    case noSuchCPU(Int)
    /// The world is stopped by a violation.
    case stopped(Violation)
    /// There is no record of the world before turn `first`.
    case tooFarBack(first: UInt64)
}

/// What became of an update that somebody waited for.
public enum UpdateOutcome: Sendable, Hashable {
    case complete
    /// A violation stopped the world before.
    case stopped
    /// A step back went behind its beginning: it never was.
    case takenBack
    /// The host has ended.
    case ended
}

/// Turns a world on Dispatch, lets others look at it and change it, and remembers how it came to be.
public actor SimulationHost {
    public nonisolated let driver: SimulationDriver
    public nonisolated let configuration: WorldConfiguration
    nonisolated let environment: MachineEnvironment
    private nonisolated let apply: InputApplication
    nonisolated let shared: WorldGuard
    private var live: [LiveCPU] = []
    private var loop: DeterministicLoop?
    /// The CPUs while the world is at rest.
    private var resting: [SimulatedCPU]?
    /// People asked for rest; a violation keeps the world at rest as well.
    public private(set) var isPaused = true
    /// Somebody brings the world to rest, works on it or starts it; others wait their turn.
    private var isHeld = false
    private var holders: [CheckedContinuation<Void, Never>] = []
    /// Where replays run: beside the world, and ended with it.
    public nonisolated let replays = ReplayQueue()
    private let seeded: SeededDriver
    private let cache: DecodeCache
    nonisolated let commandWork = Guarded<UInt64>(0)

    /// A host whose world is at rest; `resume` starts it.
    public init(world: World, driver: SimulationDriver, apply: @escaping InputApplication) {
        self.driver = driver
        self.apply = apply
        configuration = world.kernel.configuration
        environment = world.kernel.environment
        seeded = SeededDriver(seed: configuration.seed, environment: environment)
        cache = DecodeCache(environment)
        let history = History(base: world, isSeeded: driver == .deterministic)
        shared = WorldGuard(
            SharedKernel(kernel: world.kernel, history: history, views: world.cpus.map { CPUView($0) }))
        resting = world.cpus
    }

    // MARK: Looking and changing

    /// Runs `body` on the shared kernel between two turns. Short: all CPUs wait for it.
    public nonisolated func withKernel<Result: Sendable, Failure: Error>(
        _ body: @Sendable (borrowing KernelState) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try shared.withLock { shared throws(Failure) in try body(shared.kernel) }
    }

    /// The same with each CPU as it stood after its last turn; nobody is stopped.
    public nonisolated func withViews<Result: Sendable>(
        _ body: @Sendable ([CPUView], borrowing KernelState) -> Result
    ) -> Result {
        shared.withLock { body($0.views, $0.kernel) }
    }

    /// The figures that people ask for most, as they are between two holds of the guard.
    public nonisolated func summary() -> MachineSummary {
        shared.summary()
    }

    /// The same without waiting; nil where that can't be. They are those of now or, while somebody has the guard, those
    /// before that hold.
    public nonisolated func summaryAtOnce() -> MachineSummary? {
        shared.summaryAtOnce()
    }

    /// Does an input between two turns and records it; nil, with nothing done, where the world is stopped by a violation.
    public func perform<Result: Sendable, Failure: Error>(
        _ input: WorldInput, _ body: @Sendable (inout KernelState) throws(Failure) -> Result
    ) async throws(Failure) -> Result? {
        // Whoever steps or goes back works on a copy of the kernel: what is done meanwhile would be lost.
        await hold()
        defer { release() }
        let outcome: Swift.Result<Result, Failure>?
        let kicks: [Int]
        (outcome, kicks) = shared.withLock { shared in
            guard !shared.kernel.isStopped else { return (nil, []) }
            shared.history.append(input, at: shared.kernel.turn)
            let outcome: Swift.Result<Result, Failure>
            do throws(Failure) {
                outcome = .success(try body(&shared.kernel))
            } catch {
                outcome = .failure(error)
            }
            return (outcome, shared.isPaused ? [] : shared.takeKicks(except: -1))
        }
        if !kicks.isEmpty { kick(kicks) }
        return try outcome?.get()
    }

    /// Does the input `setRates` and lets the drivers keep to the new speed; false where the world is stopped.
    public func setRates(speed: Int, irq: Int, nmi: Int) async -> Bool {
        let input = WorldInput(.setRates, path: "", text: "\(speed) \(irq) \(nmi)")
        let done: Void? = await perform(input) { $0.setRates(speed: speed, irq: irq, nmi: nmi) }
        for cpu in live { await cpu.setSpeed(speed / configuration.cpuCount) }
        await loop?.setSpeed(speed)
        return done != nil
    }

    /// Returns when `ticket` is complete, or never will be.
    public nonisolated func wait(for ticket: UpdateTicket) async -> UpdateOutcome {
        await withCheckedContinuation { (continuation: CheckedContinuation<UpdateOutcome, Never>) in
            let outcome = shared.withLock { shared -> UpdateOutcome? in
                if let outcome = shared.outcome(of: ticket) { return outcome }
                shared.waiters.append(SharedKernel.Waiter(ticket: ticket, continuation: continuation))
                return nil
            }
            if let outcome { continuation.resume(returning: outcome) }
        }
    }

    // MARK: Running and resting

    /// Waits until nobody else works on the world at rest. The actor alone is not enough: it lets others in at each await.
    private func hold() async {
        if !isHeld {
            isHeld = true
            return
        }
        await withCheckedContinuation { holders.append($0) }
    }

    private func release() {
        if holders.isEmpty { isHeld = false } else { holders.removeFirst().resume() }
    }

    private func kick(_ cpus: [Int]) {
        for cpu in cpus where live.indices.contains(cpu) { live[cpu].kicked() }
    }

    public func resume() async throws(SimulationHostError) {
        if let violation = withKernel({ $0.verdict.violation }) { throw .stopped(violation) }
        await hold()
        defer { release() }
        isPaused = false
        shared.withLock { $0.isRestAsked = false }
        await start()
    }

    /// Returns when all CPUs stand at an instruction boundary.
    public func pause() async {
        await hold()
        defer { release() }
        isPaused = true
        shared.withLock { $0.isRestAsked = true }
        await rest()
    }

    private func start() async {
        guard let cpus = resting else { return }
        resting = nil
        shared.withLock {
            $0.isPaused = false
            $0.kicked = []
        }
        switch driver {
        case .live:
            if live.isEmpty { makeLiveCPUs() }
            for (cpu, state) in zip(live, cpus) { await cpu.attach(state) }
        case .deterministic:
            if loop == nil {
                loop = DeterministicLoop(shared: shared, environment: environment, configuration: configuration)
            }
            await loop!.attach(cpus)
        }
    }

    private func makeLiveCPUs() {
        let index = KickTable()
        live = (0..<configuration.cpuCount).map { cpu in
            LiveCPU(
                index: cpu, shared: shared, environment: environment, configuration: configuration,
                kick: { index.kick($0) })
        }
        index.set(live)
    }

    /// Brings the world to rest; `resting` holds the CPUs afterwards.
    private func rest() async {
        guard resting == nil else { return }
        shared.withLock { $0.isPaused = true }
        var cpus: [SimulatedCPU] = []
        switch driver {
        case .live:
            for cpu in live { if let state = await cpu.detach() { cpus.append(state) } }
        case .deterministic: cpus = await loop!.detach()
        }
        precondition(cpus.count == configuration.cpuCount, "every CPU hands its state back")
        resting = cpus
    }

    /// How far each driver has come. Returns when all of them have answered, so never where one is stuck.
    public func driverProgress() async -> [DriverProgress] {
        switch driver {
        case .live:
            var progress: [DriverProgress] = []
            for cpu in live { progress.append(await cpu.progress()) }
            return progress
        case .deterministic: return [await loop?.progress()].compactMap { $0 }
        }
    }

    /// Runs `body` on the whole world, at rest for as long as it takes.
    public func withWorld<Result: Sendable>(_ body: @Sendable (borrowing World) -> Result) async -> Result {
        await hold()
        defer { release() }
        await rest()
        let result = body(present())
        if !isPaused { await start() }
        return result
    }

    /// The whole world; the CPUs are at rest.
    private func present() -> World {
        guard let cpus = resting else { preconditionFailure("the world is at rest") }
        return shared.withLock { World(cpus: cpus, kernel: $0.kernel) }
    }

    private func put(_ world: World) {
        resting = world.cpus
        let views = world.cpus.map { CPUView($0) }
        shared.withLock {
            $0.kernel = world.kernel
            $0.views = views
        }
    }

    /// Takes a snapshot where one is due: what a replay and a step back start from.
    public func snapshotIfDue() async {
        guard shared.withLock({ $0.history.needsSnapshot }) else { return }
        await hold()
        defer { release() }
        guard shared.withLock({ $0.history.needsSnapshot }) else { return }
        await rest()
        let world = present()
        shared.withLock { $0.history.snapshot(world) }
        if !isPaused { await start() }
    }

    // MARK: Single steps

    /// Takes `count` single steps of `cpu`, or of a CPU drawn for each; returns the last `shown` of them.
    public func step(cpu: Int?, count: Int, shown: Int) async throws(SimulationHostError) -> [StepDescription] {
        guard isPaused else { throw .notPaused }
        if let cpu, !(0..<configuration.cpuCount).contains(cpu) { throw .noSuchCPU(cpu) }
        await hold()
        defer { release() }
        await rest()
        var world = present()
        var descriptions: [StepDescription] = []
        var turns: [Turn] = []
        for number in 0..<count {
            if let violation = world.kernel.verdict.violation {
                if turns.isEmpty { throw .stopped(violation) }
                break
            }
            if number.isMultiple(of: Self.stepsPerSign) { noteCommandWork() }
            let index = cpu ?? Int(world.kernel.turn % UInt64(configuration.cpuCount))
            if count - number <= shown { descriptions.append(world.describeNext(cpu: index, cache)) }
            turns.append(seeded.step(&world, cpu: index).turn)
        }
        resting = world.cpus
        let stepped = world.kernel
        let views = world.cpus.map { CPUView($0) }
        let waiters = shared.withLock { shared in
            shared.kernel = stepped
            shared.history.noteManualStep()
            for turn in turns { shared.history.append(turn) }
            shared.views = views
            return shared.takeDueWaiters()
        }
        waiters.resume()
        return descriptions
    }

    /// Goes `count` turns back by taking the recorded ones again from the nearest snapshot.
    public func stepBack(count: Int) async throws(SimulationHostError) {
        guard isPaused else { throw .notPaused }
        await hold()
        defer { release() }
        await rest()
        let now = withKernel { $0.turn }
        let history = shared.withLock { $0.history }
        guard UInt64(count) <= now - history.firstTurn else { throw .tooFarBack(first: history.firstTurn) }
        let target = now - UInt64(count)
        // It is not given up; it is asked now and then, which shows that it goes on.
        let replay = DeterministicReplay(
            cache: cache, apply: apply,
            isCancelled: {
                self.noteCommandWork(); return false
            })
        guard let world = history.world(beforeTurn: target, replay) else { throw .tooFarBack(first: history.firstTurn) }
        put(world)
        let lost = shared.withLock { shared in
            shared.history.truncate(toTurn: target)
            shared.history.noteManualStep()
            return shared.takeWaitersTakenBack()
        }
        lost.resume()
    }

    // MARK: Replay

    /// Inputs of the whole run, if a run from the seed with them is this run; else nil.
    public nonisolated var seededInputs: [(turn: UInt64, input: WorldInput)]? {
        shared.withLock { $0.history.isSeeded ? $0.history.allInputs : nil }
    }

    /// Takes the recorded turns up to `turn` again on a copy and returns what it came to: a second opinion on a violation.
    public func replayed(toTurn turn: UInt64) async throws(SimulationHostError) -> World {
        let history = shared.withLock { $0.history }
        let (environment, apply) = (environment, apply)
        let world = await replays.run { isCancelled in
            let replay = DeterministicReplay(
                cache: DecodeCache(environment), apply: apply, isCancelled: isCancelled)
            return history.world(beforeTurn: turn, replay)
        }
        guard let world else { throw .tooFarBack(first: history.firstTurn) }
        return world
    }

    /// Stops for good.
    public func stop() async {
        replays.cancel()
        await hold()
        defer { release() }
        isPaused = true
        await rest()
        let waiters = shared.withLock { shared in
            defer { shared.waiters = [] }
            return shared.waiters
        }
        for waiter in waiters { waiter.continuation.resume(returning: .ended) }
    }
}
