import Ftrace
import KernelModel
import MachineModel
import Testing
import TextPatching
import X86

@testable import Simulation

/// Each step that can be dropped from the algorithm is dropped, and the right invariant must notice.
@Suite("Planted violations")
struct PlantedViolationTests {
    /// Switches tracers on and off, with a second ops between, until a violation stops the world or `turnsMax` are over.
    static func churn(
        _ ablation: TextPokeAblation, seed: UInt64 = 2, model: FetchModel = .chunk16, turnsMax: Int = 400_000,
        isHot: Bool = true
    ) throws -> World {
        var world =
            isHot
            ? try Fixture.hotWorld(seed: seed, model: model, ablation: ablation)
            : try Fixture.world(seed: seed, model: model, ablation: ablation)
        let driver = SeededDriver(seed: seed, environment: world.kernel.environment)
        var churn = Churn()
        for _ in 0..<turnsMax {
            if world.kernel.isStopped { break }
            if !world.kernel.isPatching { churn.next(&world) }
            driver.take(&world)
        }
        return world
    }

    private func expect(
        _ invariants: Set<Invariant>, _ ablation: TextPokeAblation, model: FetchModel = .chunk16
    ) throws {
        let world = try Self.churn(ablation, model: model)
        let violation = try #require(world.kernel.verdict.violation)
        #expect(invariants.contains(violation.invariant), "\(violation.message)")
    }

    @Test("Without sync 1 an instruction tears where the site crosses a chunk (I1)")
    func sync1() throws { try expect([.noTornInstruction], .sync1) }

    @Test("Without sync 2 an instruction tears where the site crosses a chunk (I1)")
    func sync2() throws { try expect([.noTornInstruction], .sync2) }

    @Test("Under coherent fetch nothing tears without sync 1 and 2")
    func coherent() throws {
        let world = try Self.churn([.sync1, .sync2], model: .coherent, turnsMax: 100_000)
        #expect(world.kernel.verdict.violation == nil && world.kernel.traps.emulated > 0)
    }

    @Test(
        "Without sync 3 a #BP is unexplained (I4) or stale text runs on (I9)", arguments: [FetchModel.chunk16, .line])
    func sync3(_ model: FetchModel) throws {
        try expect([.noUnexplainedBreakpoint, .completion], .sync3, model: model)
    }

    @Test("Without sync 3 a #BP is unexplained even where fetch is coherent (I4)")
    func coherentSync3() throws { try expect([.noUnexplainedBreakpoint], .sync3, model: .coherent) }

    @Test("A handler that skips a call loses it when it goes from one trampoline to another (I2)")
    func emulation() throws { try expect([.noLostCall], .emulation) }

    @Test("Without the gap the emulated push overwrites the saved SS, and IRETQ takes #GP (I3)")
    func gap() throws {
        // The 16-aligned stacks are those of functions that are called by others, so all of them run.
        let violation = try #require(try Self.churn(.gap, seed: 1, isHot: false).kernel.verdict.violation)
        #expect(violation.invariant == .trueEmulation && violation.message.contains("#GP"))
    }

    @Test("Without RCU-tasks a preempted task wakes up in a freed trampoline (I7)")
    func rcuTasks() throws { try expect([.noFreedText], .rcuTasks) }

    @Test("When an IPI is lost the patcher never ends (I5)")
    func ipi() throws { try expect([.progress], .ipi) }

    @Test("The whole algorithm breaks nothing in the same world", arguments: FetchModel.allCases)
    func nothingDropped(_ model: FetchModel) throws {
        let world = try Self.churn([], model: model, turnsMax: 60_000)
        #expect(world.kernel.verdict.violation == nil && world.kernel.traps.emulated > 100)
    }

    @Test("A handler that looks nothing up leaves the #BP unexplained (I4)")
    func lookup() throws { try expect([.noUnexplainedBreakpoint], .lookup) }
}

/// A rota of updates: the tracer on, an instance's tracer on and off beside it, the tracer off, the instance alone.
struct Churn {
    private(set) var round = 0

    mutating func next(_ world: inout World) {
        _ = world.kernel.updateFtrace { (ftrace: inout FtraceState, kernel: borrowing KernelState) -> FtraceUpdate in
            if ftrace.arrayIndex(named: "foo") == nil { try? ftrace.makeInstance("foo") }
            let foo = ftrace.arrayIndex(named: "foo")!
            return switch round % 6 {
            case 0: ftrace.setTracer(array: 0, .function, text: kernel)
            case 1: ftrace.setTracer(array: foo, .function, text: kernel)
            case 2: ftrace.setTracer(array: foo, .nop, text: kernel)
            case 3: ftrace.setTracer(array: 0, .nop, text: kernel)
            case 4: ftrace.setTracer(array: foo, .function, text: kernel)
            default: ftrace.setTracer(array: foo, .nop, text: kernel)
            }
        }
        round += 1
    }
}
