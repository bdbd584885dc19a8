import Glibc
import Testing

@testable import Systemd

@Suite("Times that people type") struct JournalTimeTests {
    /// 2026-11-22 20:00:00 UTC.
    private let now: Int64 = 1_795_377_600

    private func seconds(_ text: String) throws -> Int64 {
        Int64(try JournalTime.parse(text, now: now) / 1_000_000)
    }

    @Test(
        "Spans count back from now",
        arguments: [
            ("now", 0), ("-1h", 3600), ("-90", 90), ("-90s", 90), ("-1h30m", 5400), ("-1h 30min", 5400),
            ("-2d", 172_800),
            ("2 hours ago", 7200), ("1w ago", 604_800), (" -5 minutes ", 300), ("-0", 0),
        ] as [(String, Int64)])
    func spans(text: String, ago: Int64) throws {
        #expect(try seconds(text) == now - ago)
    }

    @Test(
        "Dates and times of day in UTC",
        arguments: [
            ("2026-11-22 20:00 UTC", 0), ("2026-11-22T20:00:05Z", 5), ("2026-11-22 20:00:59 utc", 59),
            ("2026-11-22 UTC", -72_000), ("19:59 UTC", -60), ("2024-02-29 00:00Z", -86_212_800),
            ("@1795377601", 1), ("1795377601", 1),
        ] as [(String, Int64)])
    func dates(text: String, offset: Int64) throws {
        #expect(try seconds(text) == now + offset)
    }

    @Test("Days begin at local midnight, and local times are what is shown") func localTimes() throws {
        let today = try JournalTime.parse("today", now: now)
        #expect(JournalTime.text(microseconds: today).hasSuffix(" 00:00:00.000000"))
        let yesterday = JournalTime.text(microseconds: try JournalTime.parse("yesterday", now: now))
        #expect(yesterday.hasSuffix(" 00:00:00.000000"))
        #expect(
            try JournalTime.parse(String(yesterday.prefix(10)), now: now) == JournalTime.parse("yesterday", now: now))
        let some = "2026-07-01 12:34:56"
        #expect(JournalTime.text(microseconds: try JournalTime.parse(some, now: now) + 7) == some + ".000007")
    }

    @Test(
        "What is no time is refused with examples",
        arguments: [
            "", "soon", "-", "-h", "-1x", "-1h30", "2026-02-30", "2026-13-01", "2026-11-22 24:00", "20:60", "1:2:3:4",
            "2026-11-22 20", "x 20:00", "@", "@-1", "-99999999999999999999", "-9999999999w", "ago",
        ])
    func refusals(text: String) {
        // `-1h30` is an hour and thirty seconds; everything else is nothing.
        if text == "-1h30" { return #expect((try? seconds(text)) == now - 3630) }
        #expect(throws: JournalTimeError.self) { try JournalTime.parse(text, now: now) }
    }

    @Test("A small number says what it could mean") func smallNumbers() {
        #expect(throws: JournalTimeError(text: "90", hint: "-90 is 90 seconds ago, @90 that many seconds after 1970")) {
            try JournalTime.parse("90", now: now)
        }
    }
}
