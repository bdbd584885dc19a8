import PatchsimInterface
import Testing

@testable import PatchsimService

@Suite("Rates of entries") struct LogRateTests {
    private let second: UInt64 = 1_000_000_000

    @Test("A user's burst passes, what is beyond is counted, and time brings one after the other back")
    func bucket() {
        var rates = LogRates()
        let burst = LogRate.complaints.burst
        let admitted = (0..<burst + 30).map { _ in rates.admit(.refused, user: 7, now: 5 * second) }
        #expect(admitted == Array(repeating: true, count: burst) + Array(repeating: false, count: 30))
        let period = LogRate.complaints.nanoseconds
        let times = [period - 1, period, period].map { 5 * second + $0 }
        let refilled = times.map { rates.admit(.refused, user: 7, now: $0) }
        #expect(refilled == [false, true, false])
        // However long nothing comes, there is one burst and not more.
        let later = (0..<burst + 1).map { _ in rates.admit(.refused, user: 7, now: 1_000_000 * second) }
        #expect(later.filter { $0 }.count == burst)
    }

    @Test("Users and kinds don't take each other's share") func keys() {
        var rates = LogRates()
        while rates.admit(.refused, user: 7, now: 0) {}
        let keys: [(MessageID, UInt32)] = [(.refused, 8), (.connectionRefused, 7), (.refused, 7)]
        let admitted = keys.map { rates.admit($0.0, user: $0.1, now: 0) }
        #expect(admitted == [true, true, false])
    }

    @Test("It is told how many were left out, once, and not before it is time") func summaries() {
        var rates = LogRates()
        while rates.admit(.refused, user: 7, now: 0) {}
        _ = rates.admit(.refused, user: 7, now: 1)
        #expect(rates.hasSuppressed)
        let period = LogRates.summaryNanoseconds
        let counts = [period - 1, period, .max].map { rates.summaries(now: $0) }
        #expect(counts == [[], [LogRates.Summary(key: LogRates.Key(id: .refused, user: 7), count: 2)], []])
        #expect(!rates.hasSuppressed)
        while rates.admit(.refused, user: 7, now: 2 * period) {}
        let early = rates.summaries(now: 2 * period).map(\.count)
        let atTheEnd = rates.summaries(now: 2 * period, all: true).map(\.count)
        #expect(early.isEmpty && atTheEnd == [1])
    }

    @Test("What no client causes again and again is never left out") func unlimited() {
        var rates = LogRates()
        for id in [MessageID.violation, .started, .stopped, .configurationChanged, .entriesSuppressed] {
            let passed = (0..<10_000).count { _ in rates.admit(id, user: nil, now: 0) }
            #expect(passed == 10_000)
        }
    }

    @Test("Ever new users cost bounded memory, and share a bucket where they are too many") func manyUsers() {
        var rates = LogRates()
        let users = UInt32(LogRates.bucketsMax * 2)
        let admitted = (0..<users).count { rates.admit(.refused, user: $0, now: 0) }
        #expect(admitted == LogRates.bucketsMax + LogRate.complaints.burst)
        // Buckets that are full again make room.
        let later = (users..<2 * users).count { rates.admit(.refused, user: $0, now: 100 * second) }
        #expect(later > LogRates.bucketsMax)
    }
}
