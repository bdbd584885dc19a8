/// What a finished search says of progress (I5).
public enum ProgressVerdict: Sendable, Hashable {
    /// From every state there is a way to the end.
    case canAlwaysEnd
    /// `doomed` is the first state from which there is none; `stuck` the first of a set of states that is never left and
    /// has no final one: a deadlock if it is a state without successors, else a livelock.
    case doomed(doomed: Int, stuck: Int)
}

extension Search {
    /// Whether every state can still reach a final one. The search must have met every reachable state.
    ///
    /// Works backward over the states in the order of meeting, again and again until nothing changes: most steps lead to
    /// later states, so few rounds suffice, and no edge need be kept. It assumes no fairness, and does not complain about
    /// spinning that can end.
    public mutating func progress() -> ProgressVerdict {
        precondition(status == .exhausted, "progress is judged when all states are known")
        var canEnd = [Bool](repeating: false, count: table.count)
        var changed = true
        while changed {
            changed = false
            for number in stride(from: table.count - 1, through: 0, by: -1) where !canEnd[number] {
                if system.isFinal(table[number]) || visit(number, { canEnd[$0] }) {
                    canEnd[number] = true
                    changed = true
                }
            }
        }
        guard let doomed = canEnd.firstIndex(of: false) else { return .canAlwaysEnd }
        return .doomed(doomed: doomed, stuck: firstBottom(canEnd))
    }

    /// Whether some successor's number satisfies `test`.
    private mutating func visit(_ number: Int, _ test: (Int) -> Bool) -> Bool {
        successors.removeAll()
        system.appendSuccessors(of: table[number], to: &successors)
        for index in 0..<successors.count where successors.mark(index).violation == 0 {
            system.canonicalize(successors[index])
            let hash = StateTable.hash(successors[index], system.wordCount)
            guard let next = table.find(successors[index], hash: hash) else {
                preconditionFailure("an exhausted search knows every successor")
            }
            if test(next) { return true }
        }
        return false
    }

    /// The first state of a strongly connected set that no step leaves. Successors of doomed states are doomed, so the
    /// walk stays among them.
    private mutating func firstBottom(_ canEnd: [Bool]) -> Int {
        var components = BottomComponents()
        for number in canEnd.indices where !canEnd[number] {
            components.walk(from: number) { state in
                var next: [Int] = []
                _ = visit(state) { successor in
                    next.append(successor)
                    return false
                }
                return next
            }
        }
        guard let first = components.firstBottom else { preconditionFailure("a finite system has a bottom") }
        return first
    }
}

/// Tarjan's strongly connected components, with a stack of its own instead of recursion.
struct BottomComponents {
    private struct Frame {
        let state: Int
        let successors: [Int]
        var next = 0
        var low: Int
        /// Every successor lies in this component, as far as is known.
        var isBottom = true
    }

    /// The lowest state of all components that no step leaves.
    private(set) var firstBottom: Int?
    private var order: [Int: Int] = [:]
    private var finished: Set<Int> = []
    private var open: [Int] = []

    mutating func walk(from start: Int, _ successors: (Int) -> [Int]) {
        guard order[start] == nil else { return }
        var frames = [enter(start, successors)]
        while let frame = frames.last {
            if frame.next < frame.successors.count {
                let successor = frame.successors[frame.next]
                frames[frames.count - 1].next += 1
                if let number = order[successor] {
                    if finished.contains(successor) {
                        frames[frames.count - 1].isBottom = false
                    } else {
                        frames[frames.count - 1].low = min(frame.low, number)
                    }
                } else {
                    frames.append(enter(successor, successors))
                }
                continue
            }
            frames.removeLast()
            let isRoot = frame.low == order[frame.state]
            if isRoot { close(frame) }
            if !frames.isEmpty {
                frames[frames.count - 1].low = min(frames[frames.count - 1].low, frame.low)
                if isRoot || !frame.isBottom { frames[frames.count - 1].isBottom = false }
            }
        }
    }

    private mutating func enter(_ state: Int, _ successors: (Int) -> [Int]) -> Frame {
        let number = order.count
        order[state] = number
        open.append(state)
        return Frame(state: state, successors: successors(state), low: number)
    }

    private mutating func close(_ root: Frame) {
        var lowest = root.state
        while let state = open.popLast() {
            finished.insert(state)
            lowest = min(lowest, state)
            if state == root.state { break }
        }
        if root.isBottom { firstBottom = min(firstBottom ?? lowest, lowest) }
    }
}
