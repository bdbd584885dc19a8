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

    /// Traced functions whose site crosses a boundary of 16 bytes with bytes that differ on both sides.
    static let crossing: [VirtualAddress] = Array(
        image.mcountSites.filter { $0.rawValue % 16 > 11 && image.symbols.lookup($0)?.offset == 0 }.prefix(4))

    /// Tasks enter all traced functions of `image` alike, or those of `only`.
    static func workload(_ image: KernelImage = image, only: [VirtualAddress]? = nil) -> Workload {
        let entries = (only ?? image.mcountSites).filter { image.symbols.lookup($0)?.offset == 0 }
        func find(_ names: [String]) -> [VirtualAddress] { names.compactMap { image.symbols.address(of: $0) } }
        var served: [VirtualAddress: ServedAction] = [:]
        for address in find([
            "schedule", "__schedule", "preempt_schedule", "preempt_schedule_notrace", "preempt_schedule_irq",
            "schedule_idle",
        ]) { served[address] = .schedule }
        for address in find([
            "__switch_to_asm", "do_exit", "make_task_dead", "do_task_dead", "panic", "__stack_chk_fail", "do_idle",
            "default_idle", "cpu_startup_entry",
        ]) { served[address] = .unwind }
        return Workload(
            entries: entries.map { Workload.Entry(function: $0, weight: 1) },
            irqEntries: find([
                "sysvec_apic_timer_interrupt", "tick_sched_timer", "hrtimer_interrupt", "update_process_times",
            ]),
            nmiEntries: find(["exc_nmi", "default_do_nmi", "nmi_handle"]), served: served)
    }

    static func world(
        cpus: Int = 4, tasks: Int = 8, seed: UInt64 = 1, model: FetchModel = .chunk16, ablation: TextPokeAblation = [],
        only: [VirtualAddress]? = nil, irqRate: Int = 250
    ) throws -> World {
        var workload = workload(only: only)
        workload.irqRate = irqRate
        return try World(
            image: image,
            configuration: WorldConfiguration(
                cpuCount: cpus, taskCount: tasks, seed: seed, fetchModel: model, ablation: ablation,
                workload: workload))
    }

    /// A world whose tasks run few functions, all with crossing sites, and two ops that trace nothing else: updates are
    /// short and every CPU is always near a site.
    static func hotWorld(seed: UInt64, model: FetchModel, ablation: TextPokeAblation) throws -> World {
        var world = try world(
            tasks: 12, seed: seed, model: model, ablation: ablation, only: crossing, irqRate: 500)
        let words = crossing.map { image.symbols.name(at: image.symbols.lookup($0)!.index) }.joined(separator: " ")
        for array in 0..<2 {
            _ = try world.kernel.updateFtrace {
                (ftrace: inout FtraceState, kernel: borrowing KernelState) throws(FtraceError) in
                if array > 0 { try ftrace.makeInstance("foo") }
                return try ftrace.writeFilter(array: array, notrace: false, words: words, append: false, text: kernel)
            }
        }
        return world
    }

    /// Runs until `ticket` is complete or a violation stopped the world; fails after `turnsMax`.
    static func finish(
        _ ticket: UpdateTicket?, _ world: inout World, _ driver: SeededDriver, turnsMax: Int = 4_000_000
    ) throws {
        guard let ticket else { return }
        for _ in 0..<turnsMax where !world.kernel.isComplete(ticket) && !world.kernel.isStopped { driver.take(&world) }
        try #require(
            world.kernel.isComplete(ticket) || world.kernel.isStopped, "the update ends within \(turnsMax) turns")
    }

    static func setTracer(_ tracer: Tracer, _ world: inout World) -> UpdateTicket? {
        world.kernel.updateFtrace { ftrace, kernel in ftrace.setTracer(array: 0, tracer, text: kernel) }.ticket
    }
}
