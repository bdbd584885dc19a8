internal import FindingStore
internal import KernelFiles
internal import Locking
internal import PatchsimInterface
internal import SimulationRuntime

/// Changes of the simulated kernel, one after the other: each is durable before it is done, and is done again when the
/// daemon starts again.
final class KeptInputs: Sendable {
    /// Inputs that are kept as they came; more are replaced by those that lead to the same state.
    static let inputsMax = 1024

    /// What is done with inputs.
    struct Machine: Sendable {
        /// Does one; returns when the kernel has done what it asks for.
        let apply: @Sendable (WorldInput) async throws -> Void
        /// Inputs that lead a fresh kernel to where this one is.
        let listing: @Sendable () -> [WorldInput]
    }

    private struct State {
        /// What is stored and needed, in order.
        var rows: [StoredInput] = []
        /// What is stored and needed no more.
        var needless: [Int] = []
        var generation = 0
        /// The machine went back in time while a change was being made.
        var isBehind = false
    }

    private let store: FindingStore
    private let log: ServiceLog
    private let turns = TurnQueue()
    private let state = Guarded(State())

    init(store: FindingStore, log: ServiceLog) {
        self.store = store
        self.log = log
    }

    // MARK: Changing

    /// Does the inputs of `plan`, which is asked when all changes before this one are done. All of them are stored before
    /// the first is done. Throws NotDurable, with nothing done, where that can't be.
    func perform(_ machine: Machine, _ plan: () throws -> [WorldInput]) async throws {
        try await turns.run {
            defer { catchUp(machine) }
            try await restoreWhatCameLate(machine)
            let inputs = try plan()
            let rows = try commit(inputs)
            for (index, input) in inputs.enumerated() {
                do {
                    try await machine.apply(input)
                } catch {
                    forget(rows[index...].compactMap { $0 })
                    if KeptPath(input.path).isFilter { keepListing(of: input.path, machine) }
                    throw error
                }
                if let row = rows[index] { state.withLock { Self.note(row, input, &$0) } }
            }
            forget([])
            if state.withLock({ $0.rows.count }) > Self.inputsMax { keepListing(of: nil, machine) }
        }
    }

    /// After the machine went back in time: what is stored becomes what leads to where it is. A change that is being made,
    /// and may wait for the machine to run, does it at its end.
    func resynchronize(_ machine: Machine) {
        state.withLock { $0.isBehind = true }
        turns.runIfFree { catchUp(machine) }
    }

    private func catchUp(_ machine: Machine) {
        let isBehind = state.withLock { state in
            defer { state.isBehind = false }
            return state.isBehind
        }
        if isBehind { keepListing(of: nil, machine) }
    }

    /// Throws NotDurable where the state directory can't be used.
    func checkDurable() throws {
        do {
            try store.tryOpening()
        } catch {
            throw ServiceFault.NotDurable(reason: error.description)
        }
    }

    /// Stores inputs; nil stands for one that need not be done again.
    private func commit(_ inputs: [WorldInput]) throws -> [StoredInput?] {
        let kept = inputs.filter { !KeptPath($0.path).isMomentary }
        let needless = state.withLock { $0.needless }
        var stored: [StoredInput]
        do {
            stored = try store.commit(adding: kept.map(Self.row), removing: needless)
        } catch {
            throw ServiceFault.NotDurable(reason: error.description)
        }
        state.withLock { $0.needless.removeAll { needless.contains($0) } }
        return inputs.map { KeptPath($0.path).isMomentary ? nil : stored.removeFirst() }
    }

    /// Removes inputs that were not done or had no effect, and those that later ones made needless: now if that is possible,
    /// with the next commit if not. Doing them again would lead to the same state by a longer way.
    private func forget(_ rows: [StoredInput]) {
        let ids = state.withLock { state in
            state.needless += rows.map(\.id)
            return state.needless
        }
        guard !ids.isEmpty, (try? store.commit(adding: [], removing: ids)) != nil else { return }
        state.withLock { $0.needless.removeAll { ids.contains($0) } }
    }

    /// Replaces what is stored about a file, or about everything, by what leads to what is there. A write to a filter that
    /// fails at its third word has done the first two.
    private func keepListing(of path: String?, _ machine: Machine) {
        let key = path.map { KeptPath($0) }
        let listing = machine.listing().filter { key == nil || KeptPath($0.path) == key }
        let (removed, needless) = state.withLock { state in
            (state.rows.filter { key == nil || KeptPath($0.path) == key }.map(\.id), state.needless)
        }
        do {
            let added = try store.commit(adding: listing.map(Self.row), removing: removed + needless)
            state.withLock { state in
                state.rows.removeAll { removed.contains($0.id) }
                state.rows += added
                state.needless.removeAll { needless.contains($0) }
            }
        } catch {
            log.notKept(path ?? "the tracer", error.description)
        }
    }

    /// Remembers an input that was done, and which ones before it don't matter any more.
    private static func note(_ row: StoredInput, _ input: WorldInput, _ state: inout State) {
        let path = KeptPath(input.path)
        var needless: [StoredInput] = []
        switch input.action {
        case .removeDirectory:
            needless = state.rows.filter { KeptPath($0.path).isInside(path) } + [row]
        case .write, .append:
            if input.action == .write || !path.isFilter {
                needless = state.rows.filter { KeptPath($0.path) == path }
            }
            if path.isDefault(input) { needless.append(row) }
        case .makeDirectory: break
        // The configuration sets these, not a client: a restart reads it again.
        case .setRates: return
        }
        let ids = Set(needless.map(\.id))
        state.rows = (state.rows + [row]).filter { !ids.contains($0.id) }
        state.needless += ids.sorted()
    }

    private static func row(_ input: WorldInput) -> StoredInput {
        StoredInput(action: input.action.rawValue, path: input.path, text: input.text)
    }

    // MARK: Restoring

    /// Does again what is stored. What fails is told to the administrator and stays stored: another kernel may have the name.
    func restore(_ machine: Machine) async {
        await turns.run { await restoreRows(machine) }
    }

    /// A store that could not be used before may have inputs that nobody has done yet.
    private func restoreWhatCameLate(_ machine: Machine) async throws {
        do {
            try store.tryOpening()
        } catch {
            throw ServiceFault.NotDurable(reason: error.description)
        }
        if state.withLock({ $0.generation }) != store.generation { await restoreRows(machine) }
    }

    private func restoreRows(_ machine: Machine) async {
        let generation = store.generation
        guard let rows = try? store.inputs() else { return }
        state.withLock {
            $0.rows = rows
            $0.generation = generation
        }
        var failed = 0
        /// Directories whose filters could not be restored.
        var unfiltered: Set<String> = []
        // Tracers last: a filter that comes after its tracer would have all sites rewritten first.
        for row in rows.filter({ !KeptPath($0.path).isTracer }) + rows.filter({ KeptPath($0.path).isTracer }) {
            guard let action = WorldInput.Action(rawValue: row.action) else { continue }
            let path = KeptPath(row.path)
            // With an empty filter, the tracer would trace everything.
            if path.isTracer, unfiltered.contains(path.directory) {
                log.notRestored(row.path, row.text, "a filter beside it could not be restored")
                failed += 1
                continue
            }
            do {
                try await machine.apply(WorldInput(action, path: row.path, text: row.text))
            } catch {
                if path.isFilter { unfiltered.insert(path.directory) }
                log.notRestored(row.path, row.text, (error as? any InterfaceFault)?.message ?? "\(error)")
                failed += 1
            }
        }
        if !rows.isEmpty { log.restored(rows.count - failed, of: rows.count) }
    }
}

/// A path of a kernel file, in one way of writing it, and what the file means for a restart.
struct KeptPath: Hashable, Sendable {
    private let components: [String]

    init(_ path: String) {
        var components: [String] = []
        for component in path.split(separator: "/") where component != "." {
            if component == ".." { _ = components.popLast() } else { components.append(String(component)) }
        }
        self.components = components
    }

    var directory: String { components.dropLast().joined(separator: "/") }

    var isFilter: Bool { components.last == "set_ftrace_filter" || components.last == "set_ftrace_notrace" }
    var isTracer: Bool { components.last == "current_tracer" }
    /// What is written to it empties buffers, which a restart has done.
    var isMomentary: Bool { components.last == "trace" && components.count > 3 }

    func isInside(_ directory: KeptPath) -> Bool {
        components.starts(with: directory.components)
    }

    /// Whether an input leaves the file as a fresh kernel has it.
    func isDefault(_ input: WorldInput) -> Bool {
        let word = input.text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        return switch components.last {
        case "current_tracer": word == "nop"
        case "tracing_on": word == "1"
        case "set_ftrace_filter", "set_ftrace_notrace": word.isEmpty && input.action == .write
        default: false
        }
    }
}
