import Ftrace
import KernelImage
import MachineModel
import Testing
import TextPatching
import X86

@testable import Simulation

/// Worlds on the built-in kernel, and what tests do with them.
enum Fixture {
    static let image = KernelImage.builtin()

    static func workload(_ image: KernelImage = image) -> Workload {
        let entries = image.mcountSites.compactMap { site -> Workload.Entry? in
            guard let (index, offset, _) = image.symbols.lookup(site), offset == 0 else { return nil }
            _ = index
            return Workload.Entry(function: site, weight: 1)
        }
        func find(_ names: [String]) -> [VirtualAddress] { names.compactMap { image.symbols.address(of: $0) } }
        var served: [VirtualAddress: ServedAction] = [:]
        for address in find(["schedule", "preempt_schedule"]) { served[address] = .schedule }
        return Workload(
            entries: entries, irqEntries: find(["sysvec_apic_timer_interrupt", "tick_sched_timer"]),
            nmiEntries: find(["exc_nmi", "default_do_nmi"]), served: served)
    }

    static func world(
        cpus: Int = 4, tasks: Int = 8, seed: UInt64 = 1, model: FetchModel = .chunk16, ablation: TextPokeAblation = []
    ) throws -> World {
        try World(
            image: image,
            configuration: WorldConfiguration(
                cpuCount: cpus, taskCount: tasks, seed: seed, fetchModel: model, ablation: ablation, workload: workload()))
    }

    /// Runs until `ticket` is complete or a violation stopped the world; fails after `turnsMax`.
    static func finish(
        _ ticket: UpdateTicket?, _ world: inout World, _ driver: SeededDriver, turnsMax: Int = 4_000_000
    ) throws {
        guard let ticket else { return }
        for _ in 0..<turnsMax where !world.kernel.isComplete(ticket) && !world.kernel.isStopped { driver.take(&world) }
        try #require(world.kernel.isComplete(ticket) || world.kernel.isStopped, "the update ends within \(turnsMax) turns")
    }

    static func setTracer(_ tracer: Tracer, _ world: inout World) -> UpdateTicket? {
        world.kernel.updateFtrace { ftrace, kernel in ftrace.setTracer(array: 0, tracer, text: kernel) }.ticket
    }
}
