public import Simulation

/// What was done to a world from outside, as data, so that a replay can do it again.
public struct WorldInput: Sendable, Hashable {
    public enum Action: String, Sendable, Hashable, CaseIterable {
        case write, append, makeDirectory, removeDirectory
        /// The text is speed, IRQ rate and NMI rate, `800000 250 20`; there is no path.
        case setRates
    }

    public let action: Action
    public let path: String
    /// Empty for directories.
    public let text: String

    public init(_ action: Action, path: String, text: String = "") {
        self.action = action
        self.path = path
        self.text = text
    }
}

/// Does an input to a kernel; what it throws has been told to the client already and changes nothing in a replay.
public typealias InputApplication = @Sendable (WorldInput, inout KernelState) -> Void

/// How a world came to be what it is: a snapshot, and every turn and input since.
struct History: Sendable {
    struct Segment: Sendable {
        let base: World
        var turns: [Turn] = []
        /// Inputs with the number of the turn before which they were done, ascending.
        var inputs: [(turn: UInt64, input: WorldInput)] = []

        var firstTurn: UInt64 { base.kernel.turn }
        var endTurn: UInt64 { firstTurn + UInt64(turns.count) }
    }

    /// Turns after which a new snapshot is due.
    static let turnsPerSegment = 1 << 20
    /// Snapshots kept.
    static let segmentsMax = 2
    /// Inputs of the whole run that are kept for a replay from its beginning.
    static let inputsMax = 10_000

    private(set) var segments: [Segment]
    /// Every input of the run, for a replay line; nil once there were too many.
    private(set) var allInputs: [(turn: UInt64, input: WorldInput)]? = []
    /// All turns were drawn from the seed: nobody stepped by hand, and no turn came from a live CPU.
    private(set) var isSeeded: Bool

    init(base: World, isSeeded: Bool) {
        segments = [Segment(base: base)]
        self.isSeeded = isSeeded
    }

    mutating func append(_ turn: Turn) {
        segments[segments.count - 1].turns.append(turn)
    }

    mutating func append(_ input: WorldInput, at turn: UInt64) {
        segments[segments.count - 1].inputs.append((turn, input))
        if let count = allInputs?.count, count < Self.inputsMax {
            allInputs?.append((turn, input))
        } else {
            allInputs = nil
        }
    }

    mutating func noteManualStep() {
        isSeeded = false
    }

    var needsSnapshot: Bool {
        segments[segments.count - 1].turns.count >= Self.turnsPerSegment
    }

    /// Begins a segment at `world`, which is the present.
    mutating func snapshot(_ world: World) {
        segments.append(Segment(base: world))
        if segments.count > Self.segmentsMax { segments.removeFirst() }
    }

    /// The first turn that can be gone back to.
    var firstTurn: UInt64 { segments[0].firstTurn }

    /// The world as it was before turn `number`, taken again from the nearest snapshot; nil before the first.
    func world(beforeTurn number: UInt64, _ taker: DeterministicReplay) -> World? {
        guard let segment = segments.last(where: { $0.firstTurn <= number }), number <= segment.endTurn else {
            return nil
        }
        var world = segment.base
        taker.take(
            segment.turns.prefix(Int(number - segment.firstTurn)), segment.inputs, on: &world)
        return world
    }

    /// Forgets everything from turn `number` on.
    mutating func truncate(toTurn number: UInt64) {
        while segments.count > 1, segments[segments.count - 1].firstTurn > number { segments.removeLast() }
        let last = segments.count - 1
        let kept = Int(number - segments[last].firstTurn)
        segments[last].turns.removeLast(max(segments[last].turns.count - kept, 0))
        segments[last].inputs.removeAll { $0.turn > number }
        allInputs?.removeAll { $0.turn > number }
    }
}
