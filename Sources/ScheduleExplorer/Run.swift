/// How a run stands.
public enum RunStatus: Sendable, Hashable {
    case running
    /// Everything that must end has ended.
    case ended
    /// No step is enabled and not everything has ended.
    case stuck
    /// The last step broke this property.
    case violated(UInt8)
}

/// One run of a system, step by step.
public struct Run<System: TransitionSystem>: ~Copyable {
    public let system: System
    public private(set) var schedule = Schedule()
    public private(set) var status = RunStatus.running
    /// Reachability questions answered so far, a bit each.
    public private(set) var reached: UInt16 = 0
    private var successors: Successors
    private let current: UnsafeMutablePointer<UInt64>

    public init(_ system: System) {
        self.system = system
        successors = Successors(wordCount: system.wordCount)
        current = .allocate(capacity: system.wordCount)
        system.writeInitial(current)
        look()
    }

    deinit {
        successors.deallocate()
        current.deallocate()
    }

    /// Steps that are enabled now.
    public var choiceCount: Int { status == .running ? successors.count : 0 }

    public func mark(_ choice: Int) -> StepMark {
        successors.mark(choice)
    }

    /// The words of the state that the run stands in; of a violating step, those that it left behind.
    public func withState<Result>(_ body: (UnsafePointer<UInt64>) -> Result) -> Result {
        body(UnsafePointer(current))
    }

    /// The words that enabled step `choice` leads to.
    public func withSuccessor<Result>(_ choice: Int, _ body: (UnsafePointer<UInt64>) -> Result) -> Result {
        body(UnsafePointer(successors[choice]))
    }

    /// Takes enabled step `choice`.
    public mutating func take(_ choice: Int) {
        precondition(status == .running && choice >= 0 && choice < successors.count, "an enabled step is taken")
        let mark = successors.mark(choice)
        schedule.choices.append(choice)
        reached |= mark.reached
        current.update(from: successors[choice], count: system.wordCount)
        if mark.violation != 0 {
            status = .violated(mark.violation)
        } else {
            look()
        }
    }

    /// Takes the steps of a schedule; returns how many of them were enabled.
    public mutating func take(_ schedule: Schedule) -> Int {
        for (index, choice) in schedule.choices.enumerated() {
            guard status == .running, choice < successors.count else { return index }
            take(choice)
        }
        return schedule.choices.count
    }

    private mutating func look() {
        successors.removeAll()
        system.appendSuccessors(of: current, to: &successors)
        if successors.count == 0 { status = system.isFinal(current) ? .ended : .stuck }
    }
}

/// How a long run chooses among the enabled steps.
public enum WalkPolicy: Sendable, Hashable {
    /// Each enabled step with the same chance.
    case random
    /// PCT: who has the highest priority steps; at `changes` steps drawn among the first `length` the priority of whoever
    /// is about to step falls below all others. Finds a bug that needs d ordered events with a chance of at least
    /// 1/(n·length^(d-1)) for n actors and d - 1 changes (Burckhardt et al., ASPLOS 2010).
    case priorities(changes: Int, length: Int)
}

extension Run {
    /// Runs until the status changes or `stepsMax` steps are taken.
    public mutating func walk(_ policy: WalkPolicy, seed: UInt64, stepsMax: Int) {
        var draws = SeededChoices(seed: seed)
        switch policy {
        case .random:
            for _ in 0..<stepsMax where status == .running { take(draws.next(below: choiceCount)) }
        case .priorities(let changes, let length):
            var priorities = ActorPriorities(changes: changes, length: length, &draws)
            for step in 0..<stepsMax where status == .running {
                take(priorities.choose(at: step, choiceCount, { mark($0).actor }, &draws))
            }
        }
    }
}

/// The priorities of PCT.
struct ActorPriorities {
    private var priorities: [Int] = []
    private var changes: Set<Int> = []
    private var lowest = 0

    init(changes count: Int, length: Int, _ draws: inout SeededChoices) {
        priorities = Array(1...64)
        for index in stride(from: 63, to: 0, by: -1) { priorities.swapAt(index, draws.next(below: index + 1)) }
        for _ in 0..<count { changes.insert(draws.next(below: max(length, 1))) }
    }

    mutating func choose(
        at step: Int, _ count: Int, _ actor: (Int) -> UInt8, _ draws: inout SeededChoices
    ) -> Int {
        if changes.contains(step) {
            lowest -= 1
            priorities[Int(actor(highest(count, actor))) & 63] = lowest
        }
        let best = actor(highest(count, actor))
        let own = (0..<count).filter { actor($0) == best }
        return own[draws.next(below: own.count)]
    }

    private func highest(_ count: Int, _ actor: (Int) -> UInt8) -> Int {
        var best = 0
        for choice in 1..<max(count, 1)
        where priorities[Int(actor(choice)) & 63] > priorities[Int(actor(best)) & 63] {
            best = choice
        }
        return best
    }
}
