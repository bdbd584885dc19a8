public import MachineModel

/// Draws turns: which CPU, how long it runs alone, what arrives, which alternative it takes.
public struct TurnSource: Sendable {
    /// Longest private run, in instructions.
    public static let quantumMax = 96

    var source: SeededSource

    /// The draws of turn `number` depend on nothing but the seed and the number: a run can go on from any turn.
    public init(seed: UInt64, turn number: UInt64) {
        source = SeededSource(seed: SeededSource.mix(seed) ^ SeededSource.mix(number &+ 1))
    }

    /// A turn of `cpu` without its choice.
    public mutating func turn(of cpu: Int, _ configuration: WorldConfiguration) -> Turn {
        let quantum = source.next(below: Self.quantumMax) + 1
        let workload = configuration.workload
        return Turn(
            cpu: cpu, quantum: quantum,
            raisesInterrupt: arrives(workload.irqRate, quantum, configuration),
            raisesNMI: arrives(workload.nmiRate, quantum, configuration))
    }

    /// Whether an event of `rate` per CPU and second falls into `quantum` instructions of one CPU.
    private mutating func arrives(_ rate: Int, _ quantum: Int, _ configuration: WorldConfiguration) -> Bool {
        guard rate > 0 else { return false }
        let perCPU = max(configuration.workload.speed / configuration.cpuCount, 1)
        return source.next(below: perCPU) < rate * quantum
    }

    public mutating func draw(below bound: Int) -> Int {
        bound <= 1 ? 0 : source.next(below: bound)
    }
}

/// The deterministic driver: one seed is one run, bit for bit.
public struct SeededDriver {
    public let seed: UInt64
    private let cache: DecodeCache

    public init(seed: UInt64, environment: MachineEnvironment) {
        self.seed = seed
        cache = DecodeCache(environment)
    }

    /// Takes one step of one CPU, nothing before it and nothing after it: what people single-step.
    @discardableResult
    public func step(_ world: inout World, cpu: Int) -> (turn: Turn, outcome: StepOutcome) {
        var source = TurnSource(seed: seed, turn: world.kernel.turn)
        var turn = Turn(cpu: cpu, quantum: 0)
        let taker = TurnTaker(cache: cache)
        turn.choice = UInt32(source.draw(below: taker.prepare(turn, world.cpus[cpu], &world.kernel)))
        return (turn, taker.finish(turn, &world.cpus[cpu], &world.kernel, retired: 0))
    }

    /// Draws and takes one turn of `world`; `cpu` fixes whose.
    @discardableResult
    public func take(_ world: inout World, cpu: Int? = nil) -> (turn: Turn, outcome: StepOutcome) {
        var source = TurnSource(seed: seed, turn: world.kernel.turn)
        let index = cpu ?? source.draw(below: world.cpus.count)
        var turn = source.turn(of: index, world.kernel.configuration)
        let taker = TurnTaker(cache: cache)
        let retired = taker.runPrivately(&world.cpus[index], quantum: Int(turn.quantum), world.kernel.environment)
        turn.choice = UInt32(source.draw(below: taker.prepare(turn, world.cpus[index], &world.kernel)))
        return (turn, taker.finish(turn, &world.cpus[index], &world.kernel, retired: retired))
    }
}
