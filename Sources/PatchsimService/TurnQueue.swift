internal import Locking

/// Lets one in at a time, in the order of coming. For what takes awaits, where a lock can't be held.
final class TurnQueue: Sendable {
    private struct State {
        var isTaken = false
        var waiting: [CheckedContinuation<Void, Never>] = []
        /// Those before it in `waiting` have been let in.
        var head = 0
    }

    private let state = Guarded(State())

    /// Runs `body` alone.
    func run<Result>(_ body: () async throws -> Result) async rethrows -> Result {
        await enter()
        defer { leave() }
        return try await body()
    }

    /// Runs `body` if nobody else is in.
    func runIfFree(_ body: () -> Void) {
        let isFree = state.withLock { state in
            defer { state.isTaken = true }
            return !state.isTaken
        }
        guard isFree else { return }
        defer { leave() }
        body()
    }

    private func enter() async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let isFree = state.withLock { state in
                if state.isTaken {
                    state.waiting.append(continuation)
                    return false
                }
                state.isTaken = true
                return true
            }
            if isFree { continuation.resume() }
        }
    }

    private func leave() {
        let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard state.head < state.waiting.count else {
                state.isTaken = false
                state.waiting = []
                state.head = 0
                return nil
            }
            state.head += 1
            return state.waiting[state.head - 1]
        }
        next?.resume()
    }
}
