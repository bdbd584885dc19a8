import Ftrace
import Locking
import MachineModel
import Testing

@testable import Simulation
@testable import SimulationRuntime

@Suite("The figures that are published")
struct SummaryTests {
    @Test("While the machine runs they never go back, whoever asks, and every member belongs to the same moment")
    func whileRunning() async throws {
        for driver in [SimulationDriver.live, .deterministic] {
            let bench = try Bench(driver)
            let host = bench.host
            try await host.resume()
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<3 {
                    group.addTask {
                        var last = host.summary()
                        var atOnce = 0
                        // As often as it takes until the machine has moved on a while.
                        while atOnce < 200 || last.kernel.nanoseconds < 2_000_000 {
                            guard let next = host.summaryAtOnce() else {
                                await Task.yield()
                                continue
                            }
                            atOnce += 1
                            #expect(next.kernel.nanoseconds >= last.kernel.nanoseconds)
                            #expect(next.counts.instructions >= last.counts.instructions)
                            #expect(next.kernel.nextEvent >= last.kernel.nextEvent)
                            // Time stands still only where nothing is executed.
                            let hasTimePassed = next.kernel.nanoseconds != last.kernel.nanoseconds
                            #expect(hasTimePassed || next.counts.instructions == last.counts.instructions)
                            last = next
                        }
                    }
                }
                group.addTask {
                    try? await bench.setTracer("function")
                    // Who has been told that it is done sees it.
                    #expect(host.summary().kernel.tracer == "function")
                    #expect(host.summaryAtOnce().map { $0.kernel.enabledSites > 0 } ?? true)
                }
            }
            #expect(!host.summary().isPaused)
            await host.pause()
            let rest = try #require(host.summaryAtOnce())
            let kernel = host.withKernel { $0.summary }
            let counts = host.withViews { views, _ in
                views.reduce(into: RetiredCounts()) { $0 += $1.counts }
            }
            #expect(rest.isPaused && rest.kernel == kernel && rest.counts == counts)
            #expect(kernel.enabledSites == host.withKernel { $0.ftrace.records.count { $0.has(.enabled) } })
        }
    }

    @Test("Who asks while somebody has the guard gets the figures from before, or is sent to wait")
    func whileHeld() throws {
        let world = try Bench.world()
        let history = History(base: world, isSeeded: true)
        let guarded = WorldGuard(
            SharedKernel(kernel: world.kernel, history: history, views: world.cpus.map { CPUView($0) }))
        let before = guarded.summary()
        guarded.withLock { shared in
            shared.isRestAsked = false
            // Of this hold nobody has seen anything yet.
            #expect(guarded.summaryAtOnce() == before)
        }
        // The hold published at its end, because somebody had asked.
        #expect(guarded.summaryAtOnce()?.isPaused == false)
        for _ in 0..<2000 { guarded.withLock { $0.isRestAsked.toggle() } }
        // So long after a question holds don't publish any more.
        guarded.withLock { _ in #expect(guarded.summaryAtOnce() == nil) }
        #expect(guarded.summaryAtOnce() == guarded.summary())
    }
}
