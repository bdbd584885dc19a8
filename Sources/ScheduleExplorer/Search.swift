/// How a search stands.
public enum SearchStatus: Sendable, Hashable {
    /// There are states whose successors are not known yet.
    case unfinished
    /// Every reachable state was met.
    case exhausted
    /// A property is broken, and the search was told to end with the first.
    case violated
    /// The bound on states is reached; what was found until then holds.
    case outOfStates
}

/// A step that broke a property, or answered a reachability question.
public struct FoundStep: Sendable, Hashable {
    /// Number of the state in which the step is enabled.
    public let state: Int
    /// The step's place among the state's successors.
    public let choice: Int

    @usableFromInline
    init(state: Int, choice: Int) {
        self.state = state
        self.choice = choice
    }
}

/// An exhaustive search, breadth first: the first way that it finds to anything is a shortest one.
///
/// A value that advances by a number of states and returns, so that its owner can show progress, stop, or go on.
public struct Search<System: TransitionSystem>: ~Copyable {
    /// States whose successors are computed before any is looked up: the memory accesses of the look-ups overlap.
    @usableFromInline static var batchStates: Int { 16 }

    public let system: System
    @usableFromInline var table: StateTable
    /// States stored at which the search gives up.
    public let statesMax: Int
    public let stopsAtViolation: Bool
    /// States whose successors are known: 0 ..< expanded.
    public private(set) var expanded = 0
    /// Steps taken, those that lead to a known state included.
    public private(set) var steps = 0
    public private(set) var status = SearchStatus.unfinished
    /// The first step that broke each property.
    public private(set) var violations: [UInt8: FoundStep] = [:]
    /// The first step that answered each reachability question.
    public private(set) var reached: [Int: FoundStep] = [:]
    /// The first state that has no successor and is not final.
    public private(set) var stuck: Int?
    @usableFromInline var successors: Successors
    /// Where the successors of each state of a batch end.
    @usableFromInline var ends = InlineArray<16, Int>(repeating: 0)
    @usableFromInline var touched: UInt64 = 0

    public init(_ system: System, statesMax: Int, stopsAtViolation: Bool = true) {
        self.system = system
        self.statesMax = min(statesMax, StateTable.statesMax)
        self.stopsAtViolation = stopsAtViolation
        var table = StateTable(wordCount: system.wordCount)
        successors = Successors(wordCount: system.wordCount)
        let initial = successors.append(StepMark(actor: 0))
        system.writeInitial(initial)
        system.canonicalize(initial)
        _ = table.insert(initial, hash: StateTable.hash(initial, system.wordCount), parent: StateTable.noParent)
        self.table = table
    }

    deinit {
        successors.deallocate()
    }

    /// States met so far.
    public var stateCount: Int { table.count }

    /// Bytes held for them.
    public var bytes: Int { table.bytes }

    /// Expands up to `count` states.
    @inlinable
    public mutating func advance(_ count: Int) -> SearchStatus {
        var left = count
        while left > 0, status == .unfinished {
            let states = min(Self.batchStates, table.count - expanded, left)
            expand(states)
            left -= states
        }
        return status
    }

    @inlinable
    mutating func expand(_ states: Int) {
        var successors = successors
        successors.removeAll()
        for offset in 0..<states {
            let before = successors.count
            system.appendSuccessors(of: table[expanded + offset], to: &successors)
            if successors.count == before { note(stuckAt: expanded + offset) }
            ends[offset] = successors.count
        }
        var touched: UInt64 = 0
        for index in 0..<successors.count {
            system.canonicalize(successors[index])
            let hash = StateTable.hash(successors[index], successors.wordCount)
            touched &+= table.home(hash)
            successors.hashes[index] = hash
        }
        self.touched = touched
        self.successors = successors
        insert(successors, states)
    }

    @inlinable
    mutating func insert(_ successors: Successors, _ states: Int) {
        var index = 0
        for offset in 0..<states {
            let number = expanded + offset
            let start = index
            let end = ends[offset]
            while index < end {
                let mark = successors.mark(index)
                if mark.violation != 0 || mark.reached != 0 { note(mark, FoundStep(state: number, choice: index - start)) }
                if mark.violation == 0 {
                    _ = table.insert(
                        successors[index], hash: successors.hashes[index], parent: UInt32(truncatingIfNeeded: number))
                }
                index += 1
            }
        }
        finishBatch(states)
    }

    @usableFromInline
    mutating func finishBatch(_ states: Int) {
        steps += successors.count
        expanded += states
        guard status == .unfinished else { return }
        if expanded == table.count { status = .exhausted } else if table.count >= statesMax { status = .outOfStates }
    }

    @usableFromInline
    mutating func note(_ mark: StepMark, _ step: FoundStep) {
        if mark.violation != 0 {
            if violations[mark.violation] == nil { violations[mark.violation] = step }
            if stopsAtViolation { status = .violated }
        }
        for question in 0..<16 where mark.reached & 1 << question != 0 {
            if reached[question] == nil { reached[question] = step }
        }
    }

    @usableFromInline
    mutating func note(stuckAt number: Int) {
        guard stuck == nil, !system.isFinal(table[number]) else { return }
        stuck = number
        if stopsAtViolation { status = .violated }
    }
}
