import FindingStore
import Glibc
import Locking
import Logging
import PatchsimInterface
import SimulationRuntime
import Testing

@testable import PatchsimService

/// A kernel of which only the inputs are there.
private final class InputMachine: Sendable {
    let done = Guarded<[WorldInput]>([])
    let listing = Guarded<[WorldInput]>([])
    /// Paths whose writes fail.
    let failing = Guarded<Set<String>>([])

    var machine: KeptInputs.Machine {
        KeptInputs.Machine(
            apply: { input in
                if self.failing.withLock({ $0.contains(input.path) }) {
                    throw FilesFault(errno: "EINVAL", path: input.path, reason: "so it is")
                }
                self.done.withLock { $0.append(input) }
            }, listing: { self.listing.withLock { $0 } })
    }
}

@Suite struct KeptInputsTests {
    private static let tracing = "/sys/kernel/tracing"
    private static let filter = tracing + "/set_ftrace_filter"
    private static let tracer = tracing + "/current_tracer"

    private let log = ServiceLog(Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    private let machine = InputMachine()
    private let store: FindingStore
    private let kept: KeptInputs

    init() throws {
        store = try FindingStore(directory: nil)
        kept = KeptInputs(store: store, log: log)
    }

    private func perform(_ inputs: WorldInput...) async throws {
        try await kept.perform(machine.machine) { inputs }
    }

    /// What a restart would do.
    private func restored() async throws -> [WorldInput] {
        let fresh = InputMachine()
        await KeptInputs(store: store, log: log).restore(fresh.machine)
        return fresh.done.withLock { $0 }
    }

    @Test("What was done is done again, in the same order")
    func order() async throws {
        let inputs = [
            WorldInput(.makeDirectory, path: Self.tracing + "/instances/a"),
            WorldInput(.write, path: Self.filter, text: "vfs_*"),
            WorldInput(.append, path: Self.filter, text: "do_*"),
            WorldInput(.write, path: Self.tracer, text: "function"),
        ]
        for input in inputs { try await perform(input) }
        #expect(try await restored() == inputs)
    }

    @Test("Filters are restored before tracers, whatever came first")
    func tracersLast() async throws {
        try await perform(WorldInput(.write, path: Self.tracer, text: "function"))
        try await perform(WorldInput(.write, path: Self.filter, text: "vfs_*"))
        #expect(try await restored().map(\.text) == ["vfs_*", "function"])
    }

    @Test("A file that is written anew needs none of its earlier writes, however its path is written")
    func superseded() async throws {
        try await perform(WorldInput(.write, path: Self.filter, text: "a"))
        try await perform(WorldInput(.append, path: Self.filter, text: "b"))
        try await perform(WorldInput(.write, path: "/sys//kernel/./tracing/x/../set_ftrace_filter", text: "c"))
        try await perform(WorldInput(.write, path: Self.tracer, text: "function"))
        #expect(try await restored().map(\.text) == ["c", "function"])
    }

    @Test("What is as a fresh kernel has it leaves nothing to be done")
    func defaults() async throws {
        try await perform(WorldInput(.write, path: Self.filter, text: "a"))
        try await perform(WorldInput(.write, path: Self.tracer, text: "function"))
        try await perform(WorldInput(.write, path: Self.tracing + "/tracing_on", text: "0"))
        try await perform(WorldInput(.write, path: Self.tracer, text: " nop\n"))
        try await perform(WorldInput(.write, path: Self.tracing + "/tracing_on", text: "1"))
        try await perform(WorldInput(.write, path: Self.filter, text: "\n"))
        #expect(try await restored().isEmpty)
    }

    @Test("A removed instance takes what was done in it along, and nothing else")
    func removedInstance() async throws {
        let (a, ab) = (Self.tracing + "/instances/a", Self.tracing + "/instances/ab")
        for path in [a, ab] { try await perform(WorldInput(.makeDirectory, path: path)) }
        try await perform(WorldInput(.write, path: a + "/current_tracer", text: "function"))
        try await perform(WorldInput(.removeDirectory, path: a))
        #expect(try await restored() == [WorldInput(.makeDirectory, path: ab)])
    }

    @Test("An input that failed is not done again; its error is the client's")
    func failed() async throws {
        machine.failing.withLock { _ = $0.insert(Self.tracer) }
        await #expect(throws: FilesFault.self) { try await perform(WorldInput(.write, path: Self.tracer, text: "x")) }
        #expect(try await restored().isEmpty)
        #expect(try store.inputs().isEmpty)
    }

    @Test("Of several inputs those behind one that failed are neither done nor done again")
    func failedInTheMiddle() async throws {
        machine.failing.withLock { _ = $0.insert(Self.tracer) }
        await #expect(throws: FilesFault.self) {
            try await perform(
                WorldInput(.write, path: Self.tracing + "/tracing_on", text: "0"),
                WorldInput(.write, path: Self.tracer, text: "function"),
                WorldInput(.makeDirectory, path: Self.tracing + "/instances/a"))
        }
        #expect(machine.done.withLock { $0.count } == 1)
        #expect(try await restored().map(\.text) == ["0"])
    }

    @Test("A filter's write that failed half-way is kept as what it has done")
    func failedFilter() async throws {
        try await perform(WorldInput(.write, path: Self.filter, text: "a"))
        machine.failing.withLock { _ = $0.insert(Self.filter) }
        machine.listing.withLock { $0 = [WorldInput(.write, path: Self.filter, text: "a\nb")] }
        await #expect(throws: FilesFault.self) {
            try await perform(WorldInput(.append, path: Self.filter, text: "b nosuch"))
        }
        #expect(try await restored().map(\.text) == ["a\nb"])
    }

    @Test("What can't be done again stays stored, and a tracer does not run without its filter")
    func otherKernel() async throws {
        try await perform(WorldInput(.write, path: Self.filter, text: "a"))
        try await perform(WorldInput(.write, path: Self.tracer, text: "function"))
        try await perform(WorldInput(.write, path: Self.tracing + "/tracing_on", text: "0"))
        let other = InputMachine()
        other.failing.withLock { _ = $0.insert(Self.filter) }
        await KeptInputs(store: store, log: log).restore(other.machine)
        #expect(other.done.withLock { $0.map(\.text) } == ["0"])
        #expect(try await restored().map(\.text) == ["a", "0", "function"])
    }

    @Test("Emptying the trace is of the moment and not done again")
    func momentary() async throws {
        try await perform(WorldInput(.write, path: Self.tracing + "/trace"))
        #expect(machine.done.withLock { $0.count } == 1)
        #expect(try await restored().isEmpty)
    }

    @Test("Many inputs are replaced by those that lead to the same state")
    func many() async throws {
        machine.listing.withLock { $0 = [WorldInput(.write, path: Self.filter, text: "all")] }
        for number in 0...KeptInputs.inputsMax {
            try await perform(WorldInput(.append, path: Self.filter, text: "f\(number)"))
        }
        #expect(try await restored().map(\.text) == ["all"])
    }

    @Test("After a step back what is stored is what the machine is, also where a change was under way")
    func steppedBack() async throws {
        try await perform(WorldInput(.write, path: Self.filter, text: "a"))
        machine.listing.withLock { $0 = [WorldInput(.write, path: Self.filter, text: "before")] }
        kept.resynchronize(machine.machine)
        #expect(try await restored().map(\.text) == ["before"])
        let (kept, listing) = (kept, machine.listing)
        let whole = machine.machine
        let stepping = KeptInputs.Machine(
            apply: { input in
                listing.withLock { $0 = [WorldInput(.write, path: Self.filter, text: "earlier still")] }
                kept.resynchronize(whole)
                try await whole.apply(input)
            }, listing: whole.listing)
        try await kept.perform(stepping) { [WorldInput(.append, path: Self.filter, text: "b")] }
        #expect(try await restored().map(\.text) == ["earlier still"])
    }

    @Test("Changes of many clients are done in the order in which they are stored")
    func concurrent() async throws {
        let (kept, machine) = (kept, machine)
        try await withThrowingTaskGroup { group in
            for number in 0..<100 {
                group.addTask {
                    try await kept.perform(machine.machine) {
                        [WorldInput(.append, path: Self.filter, text: "f\(number)")]
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await restored() == machine.done.withLock { $0 })
    }

    @Test("Where a change can't be stored it is refused and not done; when it can, what was stored before comes first")
    func unavailable() async throws {
        let base = "/tmp/patchsim-kept-\(getpid())-\(UInt64.random(in: 0 ... .max))"
        let (path, elsewhere) = (base + "-state", base + "-elsewhere")
        _ = try FindingStore(directory: elsewhere).commit(adding: [
            StoredInput(action: "write", path: Self.filter, text: "before")
        ])
        close(open(path, O_CREAT | O_WRONLY, 0o600))
        let kept = KeptInputs(store: try FindingStore(directory: path), log: log)
        await #expect(throws: ServiceFault.NotDurable.self) {
            try await kept.perform(machine.machine) { [WorldInput(.write, path: Self.tracer, text: "function")] }
        }
        #expect(machine.done.withLock { $0.isEmpty })
        unlink(path)
        rename(elsewhere, path)
        try await kept.perform(machine.machine) { [WorldInput(.write, path: Self.tracer, text: "function")] }
        #expect(machine.done.withLock { $0.map(\.text) } == ["before", "function"])
        for name in ["findings.db", "findings.db-wal", "patchsimd.lock"] { unlink("\(path)/\(name)") }
        rmdir(path)
    }
}
