internal import Dispatch

/// Tells the manager that a start goes on, for as long as this lives: a large image takes longer to load than a start may take.
public final class LongStart: Sendable {
    /// How often the manager is told, and how much time it is asked for each time.
    static let periodSeconds = 5
    static let extensionSeconds = 20
    /// A start that takes longer than this is none: the manager's own timeout ends it.
    static let signsMax = 60

    /// Dispatch's sources are thread-safe by themselves.
    private nonisolated(unsafe) let timer: any DispatchSourceTimer

    /// `status` says what takes so long.
    public convenience init(_ manager: ServiceManager, status: String) {
        self.init(manager, status: status, periodMilliseconds: Self.periodSeconds * 1000)
    }

    init(_ manager: ServiceManager, status: String, periodMilliseconds: Int) {
        manager.status(status)
        timer = DispatchSource.makeTimerSource(queue: DispatchQueue(label: "io.patchsim.start"))
        // Touched on the timer's queue only.
        nonisolated(unsafe) var signs = 0
        timer.setEventHandler {
            guard signs < Self.signsMax else { return }
            signs += 1
            manager.extendStart(bySeconds: Self.extensionSeconds)
        }
        timer.schedule(deadline: .now(), repeating: .milliseconds(periodMilliseconds))
        timer.resume()
    }

    public func end() {
        timer.cancel()
    }

    deinit {
        timer.cancel()
    }
}
