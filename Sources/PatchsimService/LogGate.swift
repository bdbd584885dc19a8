internal import Dispatch
internal import Locking
internal import PatchsimInterface

/// Lets entries pass as `LogRates` has it, and sees to it that somebody is told of those that were left out.
final class LogGate: Sendable {
    private struct State {
        var rates = LogRates()
        var isSummaryDue = false
    }

    private let state = Guarded(State())
    private let queue = DispatchQueue(label: "io.patchsim.log", qos: .utility)

    /// Whether an entry is to be written. `tell` is called later, on a queue, with what was left out.
    func admits(
        _ id: MessageID, user: UInt32?, tell: @escaping @Sendable (LogRates.Summary) -> Void
    ) -> Bool {
        guard id.rate != nil else { return true }
        let now = DispatchTime.now().uptimeNanoseconds
        let (isAdmitted, mustSchedule) = state.withLock { state in
            let isAdmitted = state.rates.admit(id, user: user, now: now)
            guard !isAdmitted, !state.isSummaryDue else { return (isAdmitted, false) }
            state.isSummaryDue = true
            return (isAdmitted, true)
        }
        if mustSchedule { schedule(tell) }
        return isAdmitted
    }

    private func schedule(_ tell: @escaping @Sendable (LogRates.Summary) -> Void) {
        queue.asyncAfter(deadline: .now() + .nanoseconds(Int(LogRates.summaryNanoseconds))) {
            let now = DispatchTime.now().uptimeNanoseconds
            let (summaries, isMore) = self.state.withLock { state in
                let summaries = state.rates.summaries(now: now)
                state.isSummaryDue = state.rates.hasSuppressed
                return (summaries, state.isSummaryDue)
            }
            for summary in summaries { tell(summary) }
            if isMore { self.schedule(tell) }
        }
    }

    /// Everything that was left out and not told yet.
    func remaining() -> [LogRates.Summary] {
        state.withLock { $0.rates.summaries(now: DispatchTime.now().uptimeNanoseconds, all: true) }
    }
}
