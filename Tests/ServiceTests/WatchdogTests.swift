import Locking
import Logging
import PatchsimInterface
import SimulationRuntime
import Testing

@testable import PatchsimService
@testable import Systemd

/// A service to watch whose answers a test sets.
private final class Watched: Sendable {
    let progress = Guarded<[DriverProgress]>([])
    let commands = Guarded<UInt64>(0)
    let fed = Guarded(0)
    let complaints = Complaints()

    /// A watchdog that asks only when it is told to.
    func watchdog(
        control: @escaping @Sendable () async -> Void = {},
        drivers: (@Sendable () async -> [DriverProgress])? = nil
    ) -> Watchdog {
        var logger = Logger(label: "test", factory: { [complaints] _ in complaints })
        logger.logLevel = .trace
        return Watchdog(
            WatchedService(
                drivers: drivers ?? { self.progress.withLock { $0 } }, commands: { self.commands.withLock { $0 } },
                control: control),
            log: ServiceLog(logger), feed: { self.fed.withLock { $0 += 1 } })
    }

    func set(turns: UInt64, isExcused: Bool = false) {
        progress.withLock {
            $0 = [
                DriverProgress(name: "CPU 0", turns: turns, isExcused: isExcused),
                DriverProgress(name: "CPU 1", turns: turns + 1000, isExcused: false),
            ]
        }
    }

    var feedings: Int { fed.withLock { $0 } }
}

/// Keeps messages.
private final class Complaints: LogHandler {
    let messages = Guarded<[String]>([])
    var metadata: Logger.Metadata {
        get { [:] }
        set {}
    }
    var logLevel: Logger.Level {
        get { .trace }
        set {}
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { nil }
        set {}
    }

    func log(event: LogEvent) {
        messages.withLock { $0.append("\(event.message)") }
    }
}

@Suite("The watchdog")
struct WatchdogTests {
    @Test("It is fed in each round in which every driver has taken a turn")
    func progress() async {
        let watched = Watched()
        let watchdog = watched.watchdog()
        for round in 1...5 {
            watched.set(turns: UInt64(round))
            await watchdog.ask()
            #expect(watched.feedings == round)
        }
        #expect(watched.complaints.messages.withLock { $0 }.isEmpty)
    }

    @Test("A driver without a new turn keeps it hungry, the journal names that driver once, and a turn feeds it again")
    func stuck() async {
        let watched = Watched()
        let watchdog = watched.watchdog()
        watched.set(turns: 7)
        await watchdog.ask()
        let other = DriverProgress(name: "CPU 1", turns: 2000, isExcused: false)
        watched.progress.withLock { $0[1] = other }
        for _ in 0..<4 {
            await watchdog.ask()
            watched.progress.withLock {
                $0[1] = DriverProgress(name: "CPU 1", turns: $0[1].turns + 1, isExcused: false)
            }
        }
        #expect(watched.feedings == 1)
        #expect(
            watched.complaints.messages.withLock { $0 } == [
                "No turn has been taken by CPU 0 since the watchdog asked last"
            ])
        watched.set(turns: 5000)
        await watchdog.ask()
        #expect(watched.feedings == 2)
    }

    @Test("A driver that is excused needs no turn: the machine is paused, or the CPU waits for others")
    func excused() async {
        let watched = Watched()
        let watchdog = watched.watchdog()
        for round in 1...3 {
            watched.progress.withLock { $0 = [DriverProgress(name: "CPU 0", turns: 7, isExcused: true)] }
            await watchdog.ask()
            #expect(watched.feedings == round)
        }
    }

    @Test("A driver or a control loop that never answers keeps it hungry", arguments: [true, false])
    func silence(isControl: Bool) async {
        let watched = Watched()
        let (answers, answer) = AsyncStream.makeStream(of: Void.self)
        let (asked, ask) = AsyncStream.makeStream(of: Void.self)
        let never: @Sendable () async -> Void = {
            ask.yield()
            for await _ in answers { return }
        }
        let watchdog =
            isControl
            ? watched.watchdog(control: never)
            : watched.watchdog(drivers: {
                await never()
                return []
            })
        watchdog.beginRound()
        for await _ in asked { break }
        for _ in 0..<4 { watchdog.beginRound() }
        #expect(watched.feedings == 0)
        let who = isControl ? "The control loop" : "A driver"
        #expect(watched.complaints.messages.withLock { $0 } == ["\(who) has not answered the watchdog"])
        answer.yield()
        while watched.feedings == 0 { await Task.yield() }
    }

    @Test("A command that works on the machine at rest feeds it as long as it gets on")
    func commands() async {
        let watched = Watched()
        let (asked, ask) = AsyncStream.makeStream(of: Void.self)
        let watchdog = watched.watchdog(control: {
            ask.yield()
            try? await Task.sleep(for: .seconds(3600))
        })
        watchdog.beginRound()
        for await _ in asked { break }
        for round in 1...3 {
            watched.commands.withLock { $0 += 1 }
            watchdog.beginRound()
            #expect(watched.feedings == round)
        }
        watchdog.beginRound()
        #expect(watched.feedings == 3)
    }

    @Test("A service feeds its manager, and tells it what it does")
    func manager() async throws {
        let told = Guarded<[String]>([])
        let manager = ServiceManager(watchdogMicroseconds: 40_000) { text in told.withLock { $0.append(text) } }
        let running = try RunningService(manager: manager)
        #expect(eventually { told.withLock { $0.filter { $0 == "WATCHDOG=1" }.count } > 3 })
        let status = "STATUS=Running builtin on 2 CPUs, 35051 sites traced by function"
        #expect(eventually { told.withLock { $0.contains(status) } })
        _ = try running.client().call(Pause.self, Pause.Parameters())
        #expect(eventually { told.withLock { $0.contains { $0.hasPrefix("STATUS=Paused by uid ") } } })
        await running.service.stop()
    }

    @Test("A long start asks for more time until it is over")
    func longStart() {
        let told = Guarded<[String]>([])
        let manager = ServiceManager(watchdogMicroseconds: nil) { text in told.withLock { $0.append(text) } }
        let start = LongStart(manager, status: "Loading\nkernel", periodMilliseconds: 5)
        #expect(eventually { told.withLock { $0.count } > 3 })
        start.end()
        #expect(told.withLock { $0[0] } == "STATUS=Loading kernel")
        #expect(told.withLock { $0[1] } == "EXTEND_TIMEOUT_USEC=20000000")
    }
}
