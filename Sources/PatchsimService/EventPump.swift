internal import Dispatch
internal import KernelImage
internal import Locking
internal import PatchsimInterface
internal import Simulation
internal import SimulationRuntime
internal import X86

/// Carries events from the world to subscribers and to the journal, a few at a time.
final class EventPump: Sendable {
    private static let periodMilliseconds = 20
    private static let eventsPerRound = 2048

    private let host: SimulationHost
    private let feed: EventFeed
    private let image: KernelImage
    private let log: ServiceLog
    private let origin: RunOrigin
    private let findings: FindingRecorder
    private let queue = DispatchQueue(label: "io.patchsim.events", qos: .utility)
    private let next = Guarded<UInt64>(0)
    /// Number of the next line of the kernel's log.
    private let nextLine = Guarded<UInt64>(0)
    /// Touched on `queue` only.
    private nonisolated(unsafe) var timer: (any DispatchSourceTimer)?

    init(
        host: SimulationHost, feed: EventFeed, image: KernelImage, log: ServiceLog, origin: RunOrigin,
        findings: FindingRecorder
    ) {
        self.findings = findings
        self.host = host
        self.feed = feed
        self.image = image
        self.log = log
        self.origin = origin
    }

    func start() {
        queue.sync { self.startTimer() }
    }

    private func startTimer() {
        let timer = DispatchSource.makeTimerSource(queue: queue)
        timer.setEventHandler { [weak self] in
            guard let self else { return }
            self.round()
            Task { await self.host.snapshotIfDue() }
        }
        timer.schedule(
            deadline: .now(), repeating: .milliseconds(Self.periodMilliseconds),
            leeway: .milliseconds(Self.periodMilliseconds))
        timer.resume()
        self.timer = timer
    }

    func stop() {
        queue.sync {
            self.timer?.cancel()
            self.timer = nil
            self.round()
        }
    }

    /// Publishes everything that has happened before this call.
    func flush() {
        queue.sync { self.round() }
    }

    private func round() {
        roundOfEvents()
        roundOfLines()
    }

    private func roundOfEvents() {
        while true {
            let from = next.withLock { $0 }
            let events = host.withKernel { $0.events.events(from: from, limit: Self.eventsPerRound) }
            // A step back takes events away; what comes after them is new again.
            let newest = host.withKernel { $0.events.next }
            guard let last = events.last else {
                if newest < from { next.withLock { $0 = newest } }
                return
            }
            next.withLock { $0 = last.sequence + 1 }
            for event in events { publish(event) }
        }
    }

    /// The kernel's log, with the same care about steps back.
    private func roundOfLines() {
        guard log.kernel != nil else { return }
        let from = nextLine.withLock { $0 }
        let (lines, next) = host.withKernel { $0.log.lines(from: from, limit: Self.eventsPerRound) }
        nextLine.withLock { $0 = next }
        for line in lines { log.kernelLine(line) }
    }

    private func publish(_ event: Event) {
        // Stored before anybody is told.
        if case .violated(let violation) = event.kind {
            findings.record(violation, replay: origin.schedule(violation), image: image, host: host)
        }
        let address = event.kind.address
        feed.publish(
            EventRecord(
                sequence: 0, nanoseconds: Int(event.nanoseconds), kind: event.kind.name, cpu: event.cpu,
                address: address.map { Wire.address($0.rawValue) }, symbol: address.map { image.place($0) },
                text: text(event.kind)))
        switch event.kind {
        case .violated(let violation): log.violated(violation, image: image, origin: origin)
        case .updateFinished(let ticket):
            // Kept for the newest updates only; a pump that lags so far has lost events as well.
            if let update = host.withKernel({ $0.update(ticket) }) { log.updated(update, origin: origin) }
        default: break
        }
    }

    private func text(_ kind: EventKind) -> String {
        func place(_ address: VirtualAddress) -> String { image.place(address) }
        return switch kind {
        case .updateBegan(let ticket): "update \(ticket) began"
        case .updateFinished(let ticket): "update \(ticket) finished"
        case .batchBegan(let count, let first, let last):
            "batch of \(count), \(place(first)) to \(place(last))"
        case .syncRequested(let number): "sync \(number) requested"
        case .batchFinished(let count): "batch of \(count) finished"
        case .int3Trapped(let site): "INT3 at \(place(site))"
        case .int3Emulated(let site, let instruction): "emulated \(instruction) at \(place(site))"
        case .trampolineMapped(let address): "trampoline at 0x\(address)"
        case .trampolineFreed(let address): "trampoline at 0x\(address) freed"
        case .gracePeriodBegan(let number): "RCU-tasks grace period \(number) began"
        case .violated(let violation): "\(violation.invariant.label) \(violation.invariant.title): \(violation.message)"
        }
    }
}
