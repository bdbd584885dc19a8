internal import Dispatch
internal import Locking
import MachineModel
import Simulation

/// One simulated CPU on its own serial Dispatch queue: runs privately, and takes its shared steps under the one guard.
actor LiveCPU {
    private let executor: DispatchQueueExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    nonisolated let index: Int
    private let shared: Guarded<SharedKernel>
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
        index: Int, shared: Guarded<SharedKernel>, environment: MachineEnvironment, configuration: WorldConfiguration,
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

    /// Hands the state back; the guard's `isPaused` has been set before.
    func detach() -> SimulatedCPU? {
        dispatchPrecondition(condition: .onQueue(executor.queue))
        let state = cpu
        cpu = nil
        return state
    }

    /// Somebody needs this CPU now.
    func wake() {
        _ = shared.withLock { $0.kicked.remove(index) }
        burst()
    }

    // MARK: Running

    /// Turns of one burst; between bursts other jobs of this queue run.
    private static let turnsPerBurst = 512
    /// Turns that a CPU without time left takes when it is needed.
    private static let turnsOnCredit = 16

    private enum Ending {
        case paused, used, idle, waiting
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
        case .used: schedule(afterMicroseconds: pace.waitMicroseconds)
        case .idle: schedule(afterMicroseconds: Pace.idleMicroseconds)
        }
    }

    private func runTurns(_ cpu: inout SimulatedCPU) -> Ending {
        var onCredit = Self.turnsOnCredit
        if shared.withLock({ $0.isPaused }) { return .paused }
        for _ in 0..<Self.turnsPerBurst {
            let hasTime = pace.hasTime
            let (outcome, retired, isNeeded, isPaused) = takeTurn(&cpu)
            pace.use(retired)
            if isPaused { return .paused }
            switch outcome {
            case .stopped: return .paused
            case .waiting: return .waiting
            case .idle: return .idle
            case .ran:
                if hasTime || isNeeded { continue }
                onCredit -= 1
                if onCredit == 0 { return .used }
            }
        }
        return .due
    }

    /// One turn: alone, then under the guard. `isPaused` when it must be the last one.
    private func takeTurn(
        _ cpu: inout SimulatedCPU
    ) -> (outcome: StepOutcome, retired: Int, isNeeded: Bool, isPaused: Bool) {
        // The draws of a live CPU depend on its own count: the order among CPUs is recorded, not drawn.
        var source = TurnSource(
            seed: configuration.seed ^ UInt64(index + 1) << 48, turn: turnsTaken)
        turnsTaken += 1
        var turn = source.turn(of: index, configuration)
        let before = cpu.state.counts.instructions
        let alone = taker.runPrivately(&cpu, quantum: Int(turn.quantum), environment)
        let (outcome, kicks, waiters, isNeeded, isPaused) = shared.withLock { shared in
            let count = taker.prepare(turn, cpu, &shared.kernel)
            turn.choice = UInt32(source.draw(below: count))
            var outcome = taker.finish(turn, &cpu, &shared.kernel, retired: alone)
            shared.history.append(turn)
            var left = Self.patcherTurnsPerHold
            while left > 0, outcome == .ran, taker.isPatcherNext(&cpu, &shared.kernel) {
                left -= 1
                outcome = patcherTurn(&cpu, &shared)
            }
            shared.views[index] = CPUView(cpu)
            let isNeeded = shared.kernel.mustRun(index)
            return (outcome, shared.takeKicks(except: index), shared.takeDueWaiters(), isNeeded, shared.isPaused)
        }
        if !kicks.isEmpty { kick(kicks) }
        for waiter in waiters { waiter.continuation.resume() }
        return (outcome, Int(cpu.state.counts.instructions - before), isNeeded, isPaused)
    }

    /// Turns that a CPU with the patcher takes under one hold of the guard: handing the guard over for each of the patcher's
    /// small steps would cost a switch of threads each.
    private static let patcherTurnsPerHold = 32

    /// One more turn of the patcher, without a private half.
    private func patcherTurn(_ cpu: inout SimulatedCPU, _ shared: inout SharedKernel) -> StepOutcome {
        var source = TurnSource(seed: configuration.seed ^ UInt64(index + 1) << 48, turn: turnsTaken)
        turnsTaken += 1
        var turn = Turn(cpu: index, quantum: 1)
        turn.choice = UInt32(source.draw(below: taker.prepare(turn, cpu, &shared.kernel)))
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
