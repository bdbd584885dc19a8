import KernelModel
import MachineModel
import Testing
import TextPatching
import X86

@testable import Simulation

/// #BP in a world goes through executed entry and exit code.
@Suite("Entry code in a world")
struct EntryExecutionTests {
    /// A hot world that runs until some CPU stands in the entry code with at least `instructions` of it executed.
    private func worldInEntryCode(after instructions: Int) throws -> (world: World, cpu: Int, driver: SeededDriver) {
        var world = try Fixture.hotWorld(seed: 3, model: .chunk16, ablation: [])
        let driver = SeededDriver(seed: 3, environment: world.kernel.environment)
        var churn = Churn()
        let cache = DecodeCache(world.kernel.environment)
        for _ in 0..<100_000 {
            if !world.kernel.isPatching { churn.next(&world) }
            driver.take(&world)
            for index in world.cpus.indices
            where world.cpus[index].state.context.rip == world.kernel.entryCode.breakpoint {
                for _ in 0..<instructions { world.take(Turn(cpu: index, quantum: 0), cache) }
                return (world, index, driver)
            }
        }
        Issue.record("no CPU is found at the entry code")
        return (world, 0, driver)
    }

    @Test("Single steps go through the entry code, the handler and the exit code, up to the IRETQ")
    func steps() throws {
        var (world, cpu, _) = try worldInEntryCode(after: 0)
        let cache = DecodeCache(world.kernel.environment)
        var texts: [String] = []
        let depth = world.cpus[cpu].nesting
        for _ in 0..<400 where world.cpus[cpu].nesting >= depth {
            texts.append(world.describeNext(cpu: cpu, cache).text)
            world.take(Turn(cpu: cpu, quantum: 0), cache)
        }
        #expect(texts.first == "clac" && texts.last == "iretq")
        #expect(texts.filter { $0.hasPrefix("pushq 0x28(%rsp)") || $0.hasPrefix("push 0x28(%rsp)") }.count == 6)
        #expect(texts.contains("exc_int3()") && texts.contains { $0.hasPrefix("emulate") })
        #expect(world.kernel.verdict.violation == nil)
    }

    @Test("An NMI between two instructions of the entry code does no harm", arguments: [0, 3, 9, 20, 27])
    func interruptedEntry(instructions: Int) throws {
        var (world, cpu, driver) = try worldInEntryCode(after: instructions)
        let cache = DecodeCache(world.kernel.environment)
        let nmis = world.cpus[cpu].nmisTaken
        let emulated = world.kernel.traps.emulated
        world.take(Turn(cpu: cpu, quantum: 0, raisesNMI: true), cache)
        #expect(world.cpus[cpu].nmisTaken == nmis + 1 && world.cpus[cpu].contextName == "nmi")
        for _ in 0..<20_000 where !world.kernel.isStopped { driver.take(&world) }
        #expect(world.kernel.verdict.violation == nil && world.kernel.traps.emulated > emulated)
    }

    @Test("Every emulated call comes back through an IRETQ that is checked")
    func checks() throws {
        let world = try PlantedViolationTests.churn([], turnsMax: 30_000)
        let counts = world.kernel.verdict
        #expect(world.kernel.traps.emulated > 50)
        #expect(counts.checks[.trueEmulation, default: 0] > 50)
    }
}
