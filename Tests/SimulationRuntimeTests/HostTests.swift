import Dispatch
import Ftrace
import KernelFiles
import KernelImage
import Locking
import MachineModel
import Testing
import TextPatching
import X86

@testable import Simulation
@testable import SimulationRuntime

/// A host on the built-in kernel, driven through its files as the daemon does it.
struct Bench {
    static let image = KernelImage.builtin()
    static let tracer = KernelFileTree.tracing + "/current_tracer"

    let host: SimulationHost

    static func perform(_ input: WorldInput, _ kernel: inout KernelState) throws(KernelFileError) -> KernelWriteResult {
        try KernelFileTree.write(input.path, input.text, append: input.action == .append, in: &kernel)
    }

    static let apply: InputApplication = { input, kernel in _ = try? perform(input, &kernel) }

    static func world(ablation: TextPokeAblation = [], seed: UInt64 = 1, speed: Int = 50_000_000) throws -> World {
        let entries = image.mcountSites.compactMap { site -> Workload.Entry? in
            image.symbols.lookup(site).flatMap { $0.offset == 0 ? Workload.Entry(function: site, weight: 1) : nil }
        }
        let irq = ["tick_sched_timer", "sysvec_apic_timer_interrupt"].compactMap { image.symbols.address(of: $0) }
        let workload = Workload(entries: entries, irqEntries: irq, nmiEntries: irq, speed: speed)
        let configuration = WorldConfiguration(
            cpuCount: 4, taskCount: 8, seed: seed, ablation: ablation, workload: workload)
        return try World(image: image, configuration: configuration)
    }

    init(_ driver: SimulationDriver, ablation: TextPokeAblation = [], seed: UInt64 = 1) throws {
        host = SimulationHost(
            world: try Self.world(ablation: ablation, seed: seed), driver: driver, apply: Self.apply)
    }

    /// Writes current_tracer and returns when the text is changed, or the world stopped.
    func setTracer(_ name: String) async throws {
        let input = WorldInput(.write, path: Self.tracer, text: name)
        let result = try await host.perform(input) { kernel throws(KernelFileError) in try Self.perform(input, &kernel)
        }
        if case .pending(let ticket) = result { _ = await host.wait(for: ticket) }
    }

    var turn: UInt64 { host.withKernel { $0.turn } }
    var hash: UInt64 { host.withKernel { $0.events.hash } }
    var violation: Violation? { host.withKernel { $0.verdict.violation } }
}

@Suite("The live driver")
struct LiveDriverTests {
    @Test("Text is patched on and off while CPUs run on their own queues, and every invariant holds")
    func patching() async throws {
        let bench = try Bench(.live)
        try await bench.host.resume()
        for _ in 0..<3 {
            try await bench.setTracer("function")
            try await bench.setTracer("nop")
        }
        await bench.host.pause()
        #expect(bench.violation == nil)
        let (traps, sites) = bench.host.withKernel { ($0.traps, $0.array.statistics.sites) }
        #expect(traps.taken > 0 && traps.emulated == traps.taken)
        #expect(sites >= 6 * 274)
        #expect(bench.host.withViews { views, _ in views.allSatisfy { $0.counts.instructions > 0 } })
    }

    @Test("What live CPUs did is taken again turn by turn with the same events")
    func replay() async throws {
        let bench = try Bench(.live)
        try await bench.host.resume()
        try await bench.setTracer("function")
        try await bench.setTracer("nop")
        await bench.host.pause()
        let again = try await bench.host.replayed(toTurn: bench.turn)
        #expect(again.kernel.events.hash == bench.hash)
        #expect(again.kernel.turn == bench.turn)
        let retired = again.cpus.map(\.state.counts)
        #expect(bench.host.withViews { views, _ in views.map(\.counts) } == retired)
    }

    @Test("A paused world takes no turn, and goes on after it")
    func pause() async throws {
        let bench = try Bench(.live)
        try await bench.host.resume()
        try await bench.setTracer("function")
        await bench.host.pause()
        let turn = bench.turn
        _ = await bench.host.withWorld { $0.kernel.turn }
        #expect(bench.turn == turn)
        try await bench.host.resume()
        try await bench.setTracer("nop")
        #expect(bench.turn > turn)
        await bench.host.stop()
    }

    @Test("Every driver tells how far it has come, and is excused while the world is at rest")
    func progress() async throws {
        let bench = try Bench(.live)
        try await bench.host.resume()
        let first = await bench.host.driverProgress()
        #expect(first.map(\.name) == ["CPU 0", "CPU 1", "CPU 2", "CPU 3"])
        var last = first
        while zip(first, last).contains(where: { $0.turns == $1.turns && !$1.isExcused }) {
            last = await bench.host.driverProgress()
        }
        await bench.host.pause()
        #expect(await bench.host.driverProgress().allSatisfy(\.isExcused))
        await bench.host.stop()
    }

    @Test("Drivers that are stuck under the guard do not tell how far they have come")
    func stuck() async throws {
        let bench = try Bench(.live)
        try await bench.host.resume()
        let (held, hold) = AsyncStream.makeStream(of: Void.self)
        let released = DispatchSemaphore(value: 0)
        let host = bench.host
        DispatchQueue(label: "holder").async {
            host.withKernel { _ in
                hold.yield()
                released.wait()
            }
        }
        for await _ in held { break }
        let answered = Guarded(false)
        let asking = Task {
            _ = await host.driverProgress()
            answered.withLock { $0 = true }
        }
        // The host itself goes on.
        for _ in 0..<100 { _ = await host.isPaused }
        #expect(!answered.withLock { $0 })
        released.signal()
        await asking.value
        #expect(answered.withLock { $0 })
        await host.stop()
    }

    @Test("Steps of a command show that it goes on")
    func commands() async throws {
        let bench = try Bench(.live)
        let before = bench.host.commandProgress
        _ = try await bench.host.step(cpu: nil, count: 3000, shown: 1)
        #expect(bench.host.commandProgress == before + 3)
        await bench.host.stop()
    }

    @Test("A violation stops the world, and the recorded run leads to the same one")
    func violation() async throws {
        let bench = try Bench(.live, ablation: .lookup)
        try await bench.host.resume()
        while bench.violation == nil {
            try await bench.setTracer("function")
            if bench.violation == nil { try await bench.setTracer("nop") }
        }
        await bench.host.pause()
        let found = try #require(bench.violation)
        #expect(found.invariant == .noUnexplainedBreakpoint)
        let again = try await bench.host.replayed(toTurn: found.turn + 1)
        #expect(again.kernel.verdict.violation == found)
        await #expect(throws: SimulationHostError.stopped(found)) { try await bench.host.resume() }
    }
}

@Suite("Single steps and the deterministic driver")
struct DeterministicDriverTests {
    @Test("A running world can't be stepped; a paused one can, one CPU at a time, and back again")
    func steps() async throws {
        let bench = try Bench(.live)
        try await bench.host.resume()
        await #expect(throws: SimulationHostError.notPaused) { try await bench.host.step(cpu: 0, count: 1, shown: 1) }
        await bench.host.pause()
        let (turn, hash) = (bench.turn, bench.hash)
        let before = bench.host.withViews { views, _ in views }
        let shown = try await bench.host.step(cpu: 2, count: 50, shown: 10)
        #expect(shown.count == 10 && shown.allSatisfy { $0.cpu == 2 })
        #expect(bench.turn == turn + 50)
        let after = bench.host.withViews { views, _ in views }
        #expect(after[0] == before[0] && after[1] == before[1] && after[3] == before[3] && after[2] != before[2])
        try await bench.host.stepBack(count: 50)
        #expect(bench.turn == turn && bench.hash == hash)
        #expect(bench.host.withViews { views, _ in views } == before)
        await #expect(throws: SimulationHostError.noSuchCPU(4)) {
            try await bench.host.step(cpu: 4, count: 1, shown: 1)
        }
        await #expect(throws: SimulationHostError.tooFarBack(first: 0)) {
            try await bench.host.stepBack(count: Int(turn) + 1)
        }
    }

    @Test("One update can be stepped through by hand, from NOP over INT3 to CALL")
    func byHand() async throws {
        let bench = try Bench(.deterministic)
        let site = try #require(Bench.image.symbols.address(of: "vfs_read"))
        let input = WorldInput(.write, path: Bench.tracer, text: "function")
        _ = try await bench.host.perform(input) { kernel throws(KernelFileError) in try Bench.perform(input, &kernel) }
        var firstBytes: [UInt8] = []
        for _ in 0..<4000 {
            _ = try await bench.host.step(cpu: nil, count: 10, shown: 0)
            let byte = bench.host.withKernel { $0.text.newestByte(at: site.rawValue)! }
            if firstBytes.last != byte { firstBytes.append(byte) }
        }
        #expect(firstBytes == [0x0f, 0xcc, 0xe8])
        #expect(bench.violation == nil)
    }

    @Test("The deterministic host is the run of its seed and its inputs, whenever they came")
    func seeded() async throws {
        let bench = try Bench(.deterministic, seed: 7)
        try await bench.host.resume()
        try await bench.setTracer("function")
        try await bench.setTracer("nop")
        await bench.host.pause()
        let inputs = try #require(bench.host.seededInputs)
        let again = SeededRun.replay(try Bench.world(seed: 7), inputs: inputs, turns: bench.turn, apply: Bench.apply)
        #expect(again.kernel.events.hash == bench.hash)
        #expect(again.kernel.turn == bench.turn)
        _ = try await bench.host.step(cpu: 0, count: 1, shown: 0)
        #expect(bench.host.seededInputs == nil)
    }

    @Test("What is written while somebody steps is not lost")
    func writtenWhileStepping() async throws {
        let bench = try Bench(.deterministic)
        let host = bench.host
        async let stepping = host.step(cpu: nil, count: 20_000, shown: 0)
        let input = WorldInput(.write, path: Bench.tracer, text: "function")
        let result = try await host.perform(input) { kernel throws(KernelFileError) in
            try Bench.perform(input, &kernel)
        }
        _ = try await stepping
        guard case .pending(let ticket) = result else {
            Issue.record("the tracer needs its sites changed")
            return
        }
        try await host.resume()
        #expect(await host.wait(for: ticket) == .complete)
        #expect(host.withKernel { $0.ftrace.arrays[0].currentTracer } == .function)
        await host.stop()
    }

    @Test("Who waits for a change that is stepped back is told so")
    func takenBack() async throws {
        let bench = try Bench(.deterministic)
        let host = bench.host
        _ = try await host.step(cpu: nil, count: 10, shown: 0)
        let input = WorldInput(.write, path: Bench.tracer, text: "function")
        let result = try await host.perform(input) { kernel throws(KernelFileError) in
            try Bench.perform(input, &kernel)
        }
        guard case .pending(let ticket) = result else {
            Issue.record("the tracer needs its sites changed")
            return
        }
        async let outcome = host.wait(for: ticket)
        // The waiter must be there before the step back, whichever thread runs first.
        while host.shared.withLock({ $0.waiters.isEmpty }) { await Task.yield() }
        _ = try await host.step(cpu: nil, count: 20, shown: 0)
        try await host.stepBack(count: 25)
        #expect(await outcome == .takenBack)
        #expect(host.withKernel { $0.ftrace.arrays[0].currentTracer } == .nop)
    }

    @Test("A stopped world takes no input, and none is recorded")
    func stoppedWorld() async throws {
        let bench = try Bench(.deterministic, ablation: .lookup)
        try await bench.host.resume()
        while bench.violation == nil {
            try await bench.setTracer("function")
            if bench.violation == nil { try await bench.setTracer("nop") }
        }
        let inputs = bench.host.seededInputs?.count
        let input = WorldInput(.write, path: Bench.tracer, text: "nop")
        let result = try await bench.host.perform(input) { kernel throws(KernelFileError) in
            try Bench.perform(input, &kernel)
        }
        #expect(result == nil)
        #expect(bench.host.seededInputs?.count == inputs)
        await bench.host.stop()
    }
}
