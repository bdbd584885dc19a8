internal import Dispatch
internal import Locking
import MachineModel
import Simulation

/// One simulated CPU on its own serial Dispatch queue: runs privately, and takes its shared steps under the one guard.
actor LiveCPU {
    private let executor: DispatchQueueExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    nonisolated let index: Int
    private let shared: WorldGuard
    private let environment: MachineEnvironment
    private let configuration: WorldConfiguration
    private let taker: TurnTaker
    private var pace: Pace
    /// Nil while the world is at rest elsewhere.
    private var cpu: SimulatedCPU?
    private var turnsTaken: UInt64 = 0
    private var isScheduled = false
    private let kick: @Sendable ([Int]) -> Void

    init(
        index: Int, shared: WorldGuard, environment: MachineEnvironment, configuration: WorldConfiguration,
        kick: @escaping @Sendable ([Int]) -> Void
    ) {
        self.index = index
        self.shared = shared
        self.environment = environment
        self.configuration = configuration
        self.kick = kick
        executor = DispatchQueueExecutor(label: "io.patchsim.cpu\(index)")
        taker = TurnTaker(cache: DecodeCache(environment))
        pace = Pace(instructionsPerSecond: configuration.workload.speed / configuration.cpuCount)
    }

    /// Takes the CPU's state over and begins to run.
    func attach(_ cpu: sending SimulatedCPU) {
        self.cpu = cpu
        pace.restart()
        burst()
    }

    /// Keeps to another speed, in instructions per second of this CPU.
    func setSpeed(_ instructionsPerSecond: Int) {
        pace = Pace(instructionsPerSecond: instructionsPerSecond)
        pace.restart()
    }

    /// Hands the state back; the guard's `isPaused` has been set before.
    func detach() -> SimulatedCPU? {
        dispatchPrecondition(condition: .onQueue(executor.queue))
        let state = cpu
        cpu = nil
        return state
    }

    /// Somebody needs this CPU now. Straight to its queue: a hop over the pool of tasks would double the time of a sync.
    nonisolated func kicked() {
        executor.queue.async {
            self.assumeIsolated { live in
                _ = live.shared.withLock { $0.kicked.remove(live.index) }
                live.burst()
            }
        }
    }

    /// How far this CPU has come. Whoever asks waits for the end of a burst.
    func progress() -> DriverProgress {
        let isStill = cpu == nil
        let isExcused = shared.withLock { shared in
            isStill || shared.isPaused || shared.kernel.isStopped || (!isScheduled && !shared.kernel.mustRun(index))
        }
        return DriverProgress(name: "CPU \(index)", turns: turnsTaken, isExcused: isExcused)
    }

    // MARK: Running

    /// Turns of one burst; between bursts other jobs of this queue run.
    private static let turnsPerBurst = 512
    /// Turns that a CPU without time left takes when it is needed.
    private static let turnsOnCredit = 4
    /// Turns of a burst while text is being patched: tens of microseconds. A CPU that ran on would keep the others from
    /// their acknowledgements for a time slice of the host, once for every sync.
    private static let turnsWhilePatching = 24
    /// Rest between two such bursts.
    private static let patchingRestMicroseconds = 50

    private enum Ending {
        case paused, used, idle, waiting
        /// Text is being patched, and others must get their share of the host's processors.
        case yielded
        /// The burst was long enough, but there is more to do at once.
        case due
    }

    private func burst() {
        // Out of the optional for the burst: a copy of a CPU costs more than a turn.
        guard var running = cpu.take() else { return }
        let ending = runTurns(&running)
        cpu = running
        switch ending {
        case .paused, .waiting: break
        case .due: schedule(afterMicroseconds: 0)
        case .yielded: schedule(afterMicroseconds: Self.patchingRestMicroseconds)
        case .used: schedule(afterMicroseconds: pace.waitMicroseconds)
        case .idle: schedule(afterMicroseconds: Pace.idleMicroseconds)
        }
    }

    private func runTurns(_ cpu: inout SimulatedCPU) -> Ending {
        var onCredit = Self.turnsOnCredit
        var patching = 0
        if shared.withLock({ $0.isPaused }) { return .paused }
        for _ in 0..<Self.turnsPerBurst {
            let hasTime = pace.hasTime
            let turn = takeTurn(&cpu)
            if turn.isPaused { return .paused }
            switch turn.outcome {
            case .stopped: return .paused
            case .waiting: return .waiting
            case .idle: return .idle
            case .ran:
                if turn.isPatching {
                    // Nobody waits for the speed to be kept while an update runs.
                    if turn.isNeeded { continue }
                    patching += 1
                    if patching >= Self.turnsWhilePatching { return .yielded }
                    continue
                }
                pace.use(turn.retired)
                if hasTime || turn.isNeeded { continue }
                onCredit -= 1
                if onCredit == 0 { return .used }
            }
        }
        return .due
    }

    private struct TurnReport {
        let outcome: StepOutcome
        /// Instructions of the turn.
        let retired: Int
        /// There is something that only this CPU can do now.
        let isNeeded: Bool
        /// The world is being brought to rest: it was the last turn.
        let isPaused: Bool
        let isPatching: Bool
    }

    /// One turn: alone, then under the guard.
    private func takeTurn(_ cpu: inout SimulatedCPU) -> TurnReport {
        // The draws of a live CPU depend on its own count: the order among CPUs is recorded, not drawn.
        var source = TurnSource(
            seed: configuration.seed ^ UInt64(index + 1) << 48, turn: turnsTaken)
        turnsTaken += 1
        var turn = source.turn(of: index)
        let before = cpu.state.counts.instructions
        let alone = taker.runPrivately(&cpu, quantum: Int(turn.quantum), environment)
        let (report, kicks, waiters) = shared.withLock { shared in
            let passes = taker.instructions(of: turn, &cpu, &shared.kernel, retired: alone)
            source.addArrivals(&turn, instructions: passes, shared.kernel.rates)
            turn.choice = UInt32(source.draw(below: taker.prepare(turn, &cpu, &shared.kernel)))
            var outcome = taker.finish(turn, &cpu, &shared.kernel, retired: alone)
            shared.history.append(turn)
            var left = Self.patcherTurnsPerHold
            while left > 0, outcome == .ran, taker.isPatcherNext(&cpu, &shared.kernel) {
                left -= 1
                outcome = patcherTurn(&cpu, &shared)
            }
            shared.views[index] = CPUView(cpu)
            let report = TurnReport(
                outcome: outcome, retired: Int(cpu.state.counts.instructions - before),
                isNeeded: shared.kernel.mustRun(index), isPaused: shared.isPaused, isPatching: shared.kernel.isPatching)
            return (report, shared.takeKicks(except: index), shared.takeDueWaiters())
        }
        if !kicks.isEmpty { kick(kicks) }
        waiters.resume()
        return report
    }

    /// Turns that a CPU with the patcher takes under one hold of the guard: handing the guard over for each of the patcher's
    /// small steps would cost a switch of threads each.
    private static let patcherTurnsPerHold = 32

    /// One more turn of the patcher, without a private half.
    private func patcherTurn(_ cpu: inout SimulatedCPU, _ shared: inout SharedKernel) -> StepOutcome {
        var source = TurnSource(seed: configuration.seed ^ UInt64(index + 1) << 48, turn: turnsTaken)
        turnsTaken += 1
        var turn = Turn(cpu: index, quantum: 1)
        turn.choice = UInt32(source.draw(below: taker.prepare(turn, &cpu, &shared.kernel)))
        shared.history.append(turn)
        return taker.finish(turn, &cpu, &shared.kernel, retired: 0)
    }

    private func schedule(afterMicroseconds delay: Int) {
        guard !isScheduled else { return }
        isScheduled = true
        executor.queue.asyncAfter(deadline: .now() + .microseconds(delay)) { [weak self] in
            guard let self else { return }
            self.assumeIsolated { live in
                live.isScheduled = false
                live.burst()
            }
        }
    }
}
