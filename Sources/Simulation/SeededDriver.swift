public import MachineModel

/// How often what arrives from outside, taken from a configuration once.
public struct TurnRates: Sendable, Hashable {
    /// Interrupts of a kind come no more often than this.
    static let instructionsPerInterruptMin = 1000

    /// Interrupts and NMIs per CPU and simulated second.
    let irq: Int
    let nmi: Int
    /// Instructions per CPU and simulated second.
    let speedPerCPU: Int
    /// Simulated time of one instruction.
    let picosecondsPerInstruction: UInt64

    public init(_ configuration: WorldConfiguration) {
        speedPerCPU = max(configuration.workload.speed / configuration.cpuCount, 1)
        // A slow CPU would do nothing but handle interrupts, and nobody would get on.
        irq = min(configuration.workload.irqRate, speedPerCPU / Self.instructionsPerInterruptMin)
        nmi = min(configuration.workload.nmiRate, speedPerCPU / Self.instructionsPerInterruptMin)
        picosecondsPerInstruction = 1_000_000_000_000 / UInt64(max(configuration.workload.speed, 1))
    }
}

/// Draws turns: which CPU, how long it runs alone, what arrives, which alternative it takes.
public struct TurnSource: Sendable {
    /// Longest private run, in instructions.
    public static let quantumMax = 96

    var source: SeededSource

    /// The draws of turn `number` depend on nothing but the seed and the number: a run can go on from any turn.
    public init(seed: UInt64, turn number: UInt64) {
        source = SeededSource(seed: SeededSource.mix(seed) ^ SeededSource.mix(number &+ 1))
    }

    /// A turn of `cpu` without its choice, and without what arrives in it.
    public mutating func turn(of cpu: Int) -> Turn {
        Turn(cpu: cpu, quantum: source.next(below: Self.quantumMax) + 1)
    }

    /// Draws what arrives while `turn` lets the time of so many instructions pass: a turn that is one step of a routine
    /// is shorter than one that walks text, and interrupts come by time.
    public mutating func addArrivals(_ turn: inout Turn, instructions: Int, _ rates: TurnRates) {
        turn.raisesInterrupt = arrives(rates.irq, instructions, rates)
        turn.raisesNMI = arrives(rates.nmi, instructions, rates)
    }

    /// A turn whose whole quantum is taken to pass.
    public mutating func turn(of cpu: Int, _ configuration: WorldConfiguration) -> Turn {
        var turn = turn(of: cpu)
        addArrivals(&turn, instructions: Int(turn.quantum), TurnRates(configuration))
        return turn
    }

    /// Whether an event of `rate` per CPU and second falls into `quantum` instructions of one CPU.
    private mutating func arrives(_ rate: Int, _ quantum: Int, _ rates: TurnRates) -> Bool {
        rate > 0 && source.next(below: rates.speedPerCPU) < rate * quantum
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
        turn.choice = UInt32(source.draw(below: taker.prepare(turn, &world.cpus[cpu], &world.kernel)))
        return (turn, taker.finish(turn, &world.cpus[cpu], &world.kernel, retired: 0))
    }

    /// Draws and takes one turn of `world`; `cpu` fixes whose.
    @discardableResult
    public func take(_ world: inout World, cpu: Int? = nil) -> (turn: Turn, outcome: StepOutcome) {
        take(&world.cpus, &world.kernel, cpu: cpu)
    }

    /// The same for a world whose two halves are held apart.
    public func take(
        _ cpus: inout [SimulatedCPU], _ kernel: inout KernelState, cpu: Int? = nil
    ) -> (turn: Turn, outcome: StepOutcome) {
        var source = TurnSource(seed: seed, turn: kernel.turn)
        let index = cpu ?? source.draw(below: cpus.count)
        var turn = source.turn(of: index)
        let taker = TurnTaker(cache: cache)
        let retired = taker.runPrivately(&cpus[index], quantum: Int(turn.quantum), kernel.environment)
        let passes = taker.instructions(of: turn, &cpus[index], &kernel, retired: retired)
        source.addArrivals(&turn, instructions: passes, kernel.rates)
        turn.choice = UInt32(source.draw(below: taker.prepare(turn, &cpus[index], &kernel)))
        return (turn, taker.finish(turn, &cpus[index], &kernel, retired: retired))
    }
}
