import Ftrace
import KernelModel
import MachineModel
import Testing
import X86

@testable import Simulation

@Suite("Determinism")
struct ReplayTests {
    /// Everything cheap that two equal runs must agree in.
    struct Fingerprint: Equatable {
        let hash: UInt64
        let nanoseconds: UInt64
        let instructions: [UInt64]
        let positions: [UInt64]
        let traps: UInt64
        let loops: [UInt64]
        let havoc: [HavocCounts]

        init(_ world: World) {
            hash = world.kernel.events.hash
            nanoseconds = world.kernel.nanoseconds
            instructions = world.cpus.map(\.state.counts.instructions)
            positions = world.cpus.map(\.state.context.rip) + world.cpus.map(\.state.context.rsp)
            traps = world.kernel.traps.taken
            loops = world.kernel.scheduler.tasks.map(\.loops)
            havoc = world.cpus.map(\.state.counts.havoc)
        }
    }

    private static let turns = 40_000

    /// A run with the tracer switched on at the start and off in the middle; what is given sees every turn.
    private func run(seed: UInt64, _ note: (World, Turn) -> Void = { _, _ in }) throws -> World {
        var world = try Fixture.world(seed: seed)
        let driver = SeededDriver(seed: seed, environment: world.kernel.environment)
        _ = Fixture.setTracer(.function, &world)
        for index in 0..<Self.turns {
            if index == Self.turns / 2 { _ = Fixture.setTracer(.nop, &world) }
            let turn = driver.take(&world).turn
            note(world, turn)
        }
        return world
    }

    @Test("One seed is one run, another seed another")
    func seeds() throws {
        let first = Fingerprint(try run(seed: 5))
        #expect(first == Fingerprint(try run(seed: 5)))
        #expect(first.hash != Fingerprint(try run(seed: 6)).hash)
    }

    @Test("Recorded turns replay to the same world, and to any turn in between: a back-step")
    func replay() throws {
        var turns: [Turn] = []
        var marks: [Int: Fingerprint] = [:]
        let last = Fingerprint(
            try run(seed: 5) { world, turn in
                turns.append(turn)
                if turns.count % 9_999 == 0 { marks[turns.count] = Fingerprint(world) }
            })
        var world = try Fixture.world(seed: 5)
        let cache = DecodeCache(world.kernel.environment)
        _ = Fixture.setTracer(.function, &world)
        var compared = 0
        for (index, turn) in turns.enumerated() {
            if index == Self.turns / 2 { _ = Fixture.setTracer(.nop, &world) }
            world.take(turn, cache)
            if let mark = marks[index + 1] {
                #expect(mark == Fingerprint(world))
                compared += 1
            }
        }
        #expect(compared == marks.count && compared == 4 && Fingerprint(world) == last)
    }

    @Test("A copy of a world is a branch: what the one does, the other does not see")
    func branches() throws {
        var world = try Fixture.world(seed: 5)
        let driver = SeededDriver(seed: 5, environment: world.kernel.environment)
        for _ in 0..<5_000 { driver.take(&world) }
        let before = Fingerprint(world)
        var branch = world
        for _ in 0..<5_000 { driver.take(&branch) }
        #expect(Fingerprint(world) == before)
        for _ in 0..<5_000 { driver.take(&world) }
        #expect(Fingerprint(world) == Fingerprint(branch))
    }
}
