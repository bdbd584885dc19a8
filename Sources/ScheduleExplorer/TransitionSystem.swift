/// Something whose states can be searched: a protocol under every schedule.
///
/// A state is `wordCount` 64-bit words and nothing else, so that two states are the same if their words are. The system
/// is a value that only answers; it keeps no memory of where a search stands.
public protocol TransitionSystem: Sendable {
    /// 64-bit words of a state; 1 ... StateArena.wordsMax.
    var wordCount: Int { get }

    /// Writes the one state that every run begins with.
    func writeInitial(_ state: UnsafeMutablePointer<UInt64>)

    /// Appends what each enabled step makes of `state`, in an order that depends on the state alone: a schedule names a
    /// step by its place in this order.
    func appendSuccessors(of state: UnsafePointer<UInt64>, to successors: inout Successors)

    /// Whether everything that must end has ended. A state without successors that is not final is stuck.
    func isFinal(_ state: UnsafePointer<UInt64>) -> Bool

    /// Replaces `state` by the representative of the states that differ from it only in names (CPU symmetry).
    ///
    /// Systems without symmetry leave it alone.
    func canonicalize(_ state: UnsafeMutablePointer<UInt64>)
}

extension TransitionSystem {
    @inlinable
    public func canonicalize(_ state: UnsafeMutablePointer<UInt64>) {}
}

/// What a step did besides leading to a state.
@frozen
public struct StepMark: Sendable, Hashable {
    /// Who took the step: a number below 64 of a CPU, an interrupt, a task.
    public var actor: UInt8
    /// 0, or the number of the property that the step broke; such a step leads nowhere.
    public var violation: UInt8
    /// A bit for each reachability question that the step answers.
    public var reached: UInt16

    @inlinable
    public init(actor: UInt8, violation: UInt8 = 0, reached: UInt16 = 0) {
        self.actor = actor
        self.violation = violation
        self.reached = reached
    }
}

/// The steps that are enabled in one state, and where they lead. A buffer to be used again for every state.
///
/// Owns its memory until `deallocate()`; copies share it.
public struct Successors {
    @usableFromInline let wordCount: Int
    @usableFromInline var words: UnsafeMutablePointer<UInt64>
    @usableFromInline var marks: UnsafeMutablePointer<StepMark>
    /// Hash of each state, once computed.
    @usableFromInline var hashes: UnsafeMutablePointer<UInt64>
    @usableFromInline var capacity: Int
    @usableFromInline var used = 0

    public init(wordCount: Int) {
        self.wordCount = wordCount
        capacity = 64
        words = .allocate(capacity: capacity * wordCount)
        marks = .allocate(capacity: capacity)
        hashes = .allocate(capacity: capacity)
    }

    public func deallocate() {
        words.deallocate()
        marks.deallocate()
        hashes.deallocate()
    }

    @inlinable
    public mutating func removeAll() {
        used = 0
    }

    @inlinable
    public var count: Int { used }

    /// A place for one more state, whose words the caller writes at once; good until the next `append`.
    @inlinable
    public mutating func append(_ mark: StepMark) -> UnsafeMutablePointer<UInt64> {
        if used == capacity { grow() }
        marks[used] = mark
        used += 1
        return words + (used - 1) * wordCount
    }

    /// The words of successor `index`.
    @inlinable
    public subscript(index: Int) -> UnsafeMutablePointer<UInt64> {
        words + index * wordCount
    }

    @inlinable
    public func mark(_ index: Int) -> StepMark {
        marks[index]
    }

    /// Marks the step that was appended last.
    @inlinable
    public mutating func markLast(violation: UInt8 = 0, reached: UInt16 = 0) {
        if violation != 0 { marks[used - 1].violation = violation }
        marks[used - 1].reached |= reached
    }

    @usableFromInline
    mutating func grow() {
        let wider = UnsafeMutablePointer<UInt64>.allocate(capacity: capacity * 2 * wordCount)
        wider.update(from: words, count: capacity * wordCount)
        let longer = UnsafeMutablePointer<StepMark>.allocate(capacity: capacity * 2)
        longer.update(from: marks, count: capacity)
        deallocate()
        hashes = .allocate(capacity: capacity * 2)
        (words, marks, capacity) = (wider, longer, capacity * 2)
    }
}
