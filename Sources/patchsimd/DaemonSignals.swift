internal import Dispatch
internal import Glibc
internal import Locking

/// SIGTERM, SIGINT and SIGHUP, as something to wait for. A second SIGTERM or SIGINT ends the process at once: the clean stop
/// may hang.
final class DaemonSignals: Sendable {
    private let stops: AsyncStream<String>
    /// SIGHUP. Several that come during a reload are one.
    let hangups: AsyncStream<Void>
    /// Dispatch forgets a source that nobody holds.
    private let sources: Guarded<[any DispatchSourceSignal]>
    /// What a stop does while there is nothing yet to stop in order; nil afterwards.
    private let whileStarting: Guarded<(@Sendable (String) -> Void)?>

    init(whileStarting: @escaping @Sendable (String) -> Void) {
        let (stops, stop) = AsyncStream.makeStream(of: String.self)
        let (hangups, hangup) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        self.stops = stops
        self.hangups = hangups
        let early = Guarded<(@Sendable (String) -> Void)?>(whileStarting)
        self.whileStarting = early
        signal(SIGPIPE, SIG_IGN)
        let queue = DispatchQueue(label: "io.patchsim.signals")
        var sources: [any DispatchSourceSignal] = []
        func handle(_ number: Int32, _ body: @escaping @Sendable () -> Void) {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler(handler: body)
            source.resume()
            sources.append(source)
        }
        for (number, name) in [(SIGTERM, "SIGTERM"), (SIGINT, "SIGINT")] {
            handle(number) {
                if let early = early.withLock({ $0 }) { return early(name) }
                stop.yield(name)
                // From now on the signal does what it does by default.
                signal(number, SIG_DFL)
            }
        }
        handle(SIGHUP) { hangup.yield() }
        self.sources = Guarded(sources)
    }

    func startIsOver() {
        whileStarting.withLock { $0 = nil }
    }

    /// The signal that asks for the end.
    func stop() async -> String {
        for await name in stops { return name }
        return "the end of the program"
    }
}
