public import PatchsimInterface
internal import Locking

/// The newest events and whoever waits for the next one.
///
/// Readers hold a cursor, not a buffer of their own: a slow reader costs nothing and is told how many events it lost.
public final class EventFeed: Sendable {
    /// Events that are kept for GetRecent and for readers that lag.
    public static let eventsKeptMax = 4096

    private struct State {
        /// A ring; the event of sequence number n stands at n % eventsKeptMax.
        var ring: [EventRecord] = []
        var newest = 0
        var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
        var waiterCount = 0
        var isFinished = false
    }

    private let state = Guarded(State())

    public init() {}

    /// Sequence number of the newest event, 0 before the first.
    public var newestSequence: Int {
        state.withLock { $0.newest }
    }

    /// Adds an event; its sequence number is set here. Cheap while nobody waits.
    public func publish(_ event: EventRecord) {
        let waiters = state.withLock { state in
            state.newest += 1
            var event = event
            event.sequence = state.newest
            if state.ring.isEmpty {
                state.ring.reserveCapacity(Self.eventsKeptMax)
                // Sequence numbers start at 1, so slot 0 is filled late; a copy keeps the place until then.
                state.ring.append(event)
            }
            let slot = state.newest % Self.eventsKeptMax
            if slot < state.ring.count { state.ring[slot] = event } else { state.ring.append(event) }
            return Self.takeWaiters(&state)
        }
        for waiter in waiters { waiter.resume() }
    }

    /// No further events: readers that have read everything end.
    public func finish() {
        let waiters = state.withLock { state in
            state.isFinished = true
            return Self.takeWaiters(&state)
        }
        for waiter in waiters { waiter.resume() }
    }

    /// The newest `count` events of `kinds` (of all kinds if nil), oldest first.
    public func recent(count: Int, kinds: Set<String>?) -> [EventRecord] {
        state.withLock { state in
            var found: [EventRecord] = []
            var sequence = state.newest
            let oldest = Self.oldestKept(state)
            while sequence >= oldest, found.count < count {
                let event = state.ring[sequence % Self.eventsKeptMax]
                if kinds?.contains(event.kind) ?? true { found.append(event) }
                sequence -= 1
            }
            return found.reversed()
        }
    }

    /// A reader that starts at sequence number `from`, or behind the newest event.
    public func reader(from: Int?) -> Reader {
        Reader(feed: self, cursor: from ?? newestSequence + 1)
    }

    /// One subscriber's place in the feed.
    public struct Reader: Sendable {
        let feed: EventFeed
        /// The next sequence number wanted.
        var cursor: Int

        /// What has come since the last call, at most `countMax` events, and how many were lost before them. Waits for one
        /// unless `waits` is false. Nil when the feed has ended or the task is cancelled.
        public mutating func next(countMax: Int, waits: Bool = true) async -> (events: [EventRecord], lost: Int)? {
            while !Task.isCancelled {
                let (batch, isFinished) = feed.read(&cursor, countMax: countMax)
                if !batch.events.isEmpty || !waits { return batch }
                if isFinished { return nil }
                await feed.wait(beyond: cursor)
            }
            return nil
        }
    }

    private func read(
        _ cursor: inout Int, countMax: Int
    ) -> (batch: (events: [EventRecord], lost: Int), isFinished: Bool) {
        let wanted = max(cursor, 1)
        let (events, first, isFinished) = state.withLock { state in
            let first = max(wanted, Self.oldestKept(state))
            guard first <= state.newest else { return ([EventRecord](), wanted, state.isFinished) }
            let last = min(state.newest, first + countMax - 1)
            return ((first...last).map { state.ring[$0 % Self.eventsKeptMax] }, first, state.isFinished)
        }
        cursor = first + events.count
        return ((events, first - wanted), isFinished)
    }

    /// Returns when there is an event at or beyond `cursor`, when the feed ends or when the task is cancelled.
    private func wait(beyond cursor: Int) async {
        let number = state.withLock { state in
            state.waiterCount += 1
            return state.waiterCount
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
                let isDue = state.withLock { state in
                    if state.newest >= cursor || state.isFinished || Task.isCancelled { return true }
                    state.waiters[number] = continuation
                    return false
                }
                if isDue { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: number) }?.resume()
        }
    }

    private static func oldestKept(_ state: State) -> Int {
        max(1, state.newest - eventsKeptMax + 1)
    }

    private static func takeWaiters(_ state: inout State) -> [CheckedContinuation<Void, Never>] {
        guard !state.waiters.isEmpty else { return [] }
        let waiters = Array(state.waiters.values)
        state.waiters.removeAll()
        return waiters
    }
}
