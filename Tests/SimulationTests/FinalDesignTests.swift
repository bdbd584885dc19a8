import Ftrace
import KernelModel
import MachineModel
import Testing
import TextPatching
import X86

@testable import Simulation

@Suite("The final design")
struct FinalDesignTests {
    @Test("It breaks no invariant while two ops come and go, under every fetch model", arguments: FetchModel.allCases)
    func churn(_ model: FetchModel) throws {
        var world = try Fixture.world(seed: 11, model: model)
        let driver = SeededDriver(seed: 11, environment: world.kernel.environment)
        var churn = Churn()
        while churn.round < 13, !world.kernel.isStopped, world.kernel.turn < 2_000_000 {
            if !world.kernel.isPatching { churn.next(&world) }
            driver.take(&world)
        }
        #expect(world.kernel.verdict.violation == nil)
        #expect(churn.round == 13)
        #expect(world.kernel.traps.taken > 20 && world.kernel.traps.sites.count > 10)
        for invariant in Invariant.allCases {
            #expect(world.kernel.verdict.checks[invariant] ?? 0 > 0, "\(invariant.label)")
        }
    }

    @Test("Every call that a trap emulates into a tracing trampoline is in the trace buffer")
    func traced() throws {
        var world = try Fixture.world(seed: 3)
        let driver = SeededDriver(seed: 3, environment: world.kernel.environment)
        let ticket = Fixture.setTracer(.function, &world)
        let trampolines = Set(world.kernel.ftrace.trampolines.map(\.rawValue))
        var expected: [(cpu: Int, site: VirtualAddress)] = []
        var next: UInt64 = 0
        func collect() {
            for event in world.kernel.events.events(from: next, limit: 1 << 14) {
                next = event.sequence + 1
                guard case .int3Emulated(let site, let instruction) = event.kind, instruction[0] == 0xe8 else {
                    continue
                }
                if trampolines.contains((site + 5 + instruction.displacement32).rawValue) {
                    expected.append((event.cpu, site))
                }
            }
        }
        for _ in 0..<200_000 where ticket.map({ !world.kernel.isComplete($0) }) == true {
            driver.take(&world)
            collect()
        }
        // A task that trapped may have migrated or wait before it reaches the callback; after its walk it has.
        let loops = world.kernel.scheduler.tasks.map { $0.kind == .guest ? $0.loops : 0 }
        for _ in 0..<100_000 {
            if zip(world.kernel.scheduler.tasks, loops).allSatisfy({ $0.kind != .guest || $0.loops > $1 }) { break }
            driver.take(&world)
        }
        #expect(world.kernel.verdict.violation == nil && expected.count >= 10)
        let rings = world.kernel.ftrace.arrays[0].rings
        #expect(rings.allSatisfy { $0.overrun == 0 })
        var found: [VirtualAddress: Int] = [:]
        for ring in rings { for index in 0..<ring.count { found[ring[index].ip, default: 0] += 1 } }
        for (_, site) in expected { #expect(found[site] ?? 0 > 0) }
    }

    @Test("Batches of 256 in ascending order, three syncs each, and the pokes of ftrace_call one by one")
    func batches() throws {
        var world = try Fixture.world()
        let driver = SeededDriver(seed: 1, environment: world.kernel.environment)
        try Fixture.finish(Fixture.setTracer(.function, &world), &world, driver)
        try #require(world.kernel.events.oldest == 0, "no event is forgotten yet")
        var counts: [Int] = []
        var lasts: [VirtualAddress] = []
        var syncs = 0
        for event in world.kernel.events.events(from: 0, limit: 1 << 14) {
            if case .batchBegan(let count, let first, let last) = event.kind {
                #expect(count == 1 || first > lasts.last ?? VirtualAddress(0))
                counts.append(count)
                if count > 1 { lasts.append(last) }
            }
            if case .syncRequested = event.kind { syncs += 1 }
        }
        let sites = world.kernel.ftrace.records.filter { $0.has(.enabled) }.count
        let whole = counts.filter { $0 > 1 }
        #expect(whole.dropLast().allSatisfy { $0 == 256 } && whole.reduce(0, +) == sites)
        #expect(counts.filter { $0 == 1 }.count == 4, "ftrace_call and ftrace_regs_call, to the list function and back")
        #expect(syncs == counts.count * 3)
    }

    @Test("Text is patched although no task executes it, as on i386 images")
    func withoutTasks() throws {
        var world = try Fixture.world(tasks: 0)
        let driver = SeededDriver(seed: 1, environment: world.kernel.environment)
        try Fixture.finish(Fixture.setTracer(.function, &world), &world, driver)
        #expect(world.kernel.verdict.violation == nil && world.kernel.ftrace.records.contains { $0.has(.enabled) })
    }
}
