internal import Dispatch
internal import Locking
import MachineModel
import Simulation

/// Turns a world on one queue, each turn drawn from the seed and the turn's number.
actor DeterministicLoop {
    private let executor = DispatchQueueExecutor(label: "io.patchsim.deterministic")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let shared: WorldGuard
    private let driver: SeededDriver
    private var pace: Pace
    private var cpus: [SimulatedCPU] = []
    private var isScheduled = false
    private var turnsTaken: UInt64 = 0

    init(shared: WorldGuard, environment: MachineEnvironment, configuration: WorldConfiguration) {
        self.shared = shared
        driver = SeededDriver(seed: configuration.seed, environment: environment)
        pace = Pace(instructionsPerSecond: configuration.workload.speed)
    }

    func attach(_ cpus: sending [SimulatedCPU]) {
        self.cpus = cpus
        pace.restart()
        burst()
    }

    /// Keeps to another speed, in instructions per second.
    func setSpeed(_ instructionsPerSecond: Int) {
        pace = Pace(instructionsPerSecond: instructionsPerSecond)
        pace.restart()
    }

    func detach() -> [SimulatedCPU] {
        dispatchPrecondition(condition: .onQueue(executor.queue))
        defer { cpus = [] }
        return cpus
    }

    /// How far the loop has come. Whoever asks waits for the end of a burst.
    func progress() -> DriverProgress {
        let isStill = cpus.isEmpty
        let isExcused = shared.withLock { isStill || $0.isPaused || $0.kernel.isStopped }
        return DriverProgress(name: "the loop of all CPUs", turns: turnsTaken, isExcused: isExcused)
    }

    /// Turns taken under one hold of the guard.
    private static let turnsPerHold = 64
    private static let holdsPerBurst = 64

    private func burst() {
        guard !cpus.isEmpty else { return }
        for _ in 0..<Self.holdsPerBurst {
            let (isOver, retired, isPatching, waiters) = hold()
            waiters.resume()
            if isOver { return }
            pace.use(retired)
            // An update that somebody waits for is not slowed down.
            if !isPatching, !pace.hasTime {
                schedule(afterMicroseconds: pace.waitMicroseconds)
                return
            }
        }
        schedule(afterMicroseconds: 0)
    }

    private func hold() -> (isOver: Bool, retired: Int, isPatching: Bool, waiters: SharedKernel.DueWaiters) {
        shared.withLock { shared in
            if shared.isPaused { return (true, 0, false, SharedKernel.DueWaiters()) }
            let before = shared.kernel.nanoseconds
            var isStopped = shared.kernel.isStopped
            var taken = 0
            while taken < Self.turnsPerHold, !isStopped {
                let (turn, outcome) = driver.take(&cpus, &shared.kernel)
                shared.history.append(turn)
                taken += 1
                turnsTaken += 1
                isStopped = outcome == .stopped
            }
            for index in cpus.indices { shared.views[index] = CPUView(cpus[index]) }
            let speed = shared.kernel.configuration.workload.speed
            let retired = Int(Double(shared.kernel.nanoseconds - before) * Double(speed) / 1e9)
            return (isStopped, retired, shared.kernel.isPatching, shared.takeDueWaiters())
        }
    }

    private func schedule(afterMicroseconds delay: Int) {
        guard !isScheduled else { return }
        isScheduled = true
        executor.queue.asyncAfter(deadline: .now() + .microseconds(delay)) { [weak self] in
            guard let self else { return }
            self.assumeIsolated { loop in
                loop.isScheduled = false
                loop.burst()
            }
        }
    }
}
