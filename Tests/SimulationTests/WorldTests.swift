import Ftrace
import KernelImage
import KernelModel
import MachineModel
import Testing
import X86

@testable import Simulation

@Suite("Worlds")
struct WorldTests {
    @Test("Tasks run real functions on every CPU, take interrupts and NMIs, sleep, are preempted and migrate")
    func load() throws {
        var world = try Fixture.world()
        let driver = SeededDriver(seed: 1, environment: world.kernel.environment)
        for _ in 0..<200_000 { driver.take(&world) }
        #expect(world.kernel.verdict.violation == nil)
        for cpu in world.cpus {
            #expect(cpu.state.counts.instructions > 10_000)
            #expect(cpu.interruptsTaken > 10)
        }
        let guests = world.kernel.scheduler.tasks.filter { $0.kind == .guest }
        #expect(guests.allSatisfy { $0.loops > 20 })
        #expect(guests.contains { $0.migrations > 0 })
    }

    @Test("The function tracer goes on and off under running tasks: bytes, traps and invariants")
    func tracer() throws {
        var world = try Fixture.world()
        let driver = SeededDriver(seed: 2, environment: world.kernel.environment)
        let site = try #require(Fixture.image.symbols.address(of: "vfs_read"))
        #expect(world.kernel.textBytes(at: site, count: 5) == InstructionBytes.nop5.bytes)
        try Fixture.finish(Fixture.setTracer(.function, &world), &world, driver)
        #expect(world.kernel.verdict.violation == nil)
        #expect(world.kernel.textBytes(at: site, count: 1) == [0xe8])
        for _ in 0..<50_000 { driver.take(&world) }
        try Fixture.finish(Fixture.setTracer(.nop, &world), &world, driver)
        #expect(world.kernel.textBytes(at: site, count: 5) == InstructionBytes.nop5.bytes)
        #expect(world.kernel.verdict.violation == nil)
        #expect(world.kernel.traps.taken > 0)
    }
}
