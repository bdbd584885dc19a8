internal import Glibc

/// Times as people type them, after systemd.time(7), and as they are shown: local time.
public enum JournalTime {
    /// A plain number below this is no Unix time that anybody means.
    static let unixSecondsMin: Int64 = 1_000_000_000
    private static let secondsOfDay: Int64 = 86_400

    private static let units: [(names: [String], seconds: Int64)] = [
        (["", "s", "sec", "second", "seconds"], 1), (["m", "min", "minute", "minutes"], 60),
        (["h", "hr", "hour", "hours"], 3600), (["d", "day", "days"], 86_400), (["w", "week", "weeks"], 604_800),
    ]

    /// Unix time in microseconds that `text` means at the Unix time `now`, in seconds.
    public static func parse(_ text: String, now: Int64) throws(JournalTimeError) -> UInt64 {
        let text = text.trimmed.lowercased()
        guard let seconds = try seconds(text, now), seconds >= 0, seconds < Int64.max / 1_000_000 else {
            throw JournalTimeError(
                text: text,
                hint: "times look like 2026-11-22 20:00, 20:00, today, yesterday, -1h, -1h30m, 90s ago or @1795464000")
        }
        return UInt64(seconds) * 1_000_000
    }

    private static func seconds(_ text: String, _ now: Int64) throws(JournalTimeError) -> Int64? {
        switch text {
        case "now": return now
        case "today": return midnight(now, days: 0)
        case "yesterday": return midnight(now, days: -1)
        case "tomorrow": return midnight(now, days: 1)
        default: break
        }
        if text.hasPrefix("@") { return Int64(text.dropFirst()) }
        if text.hasPrefix("-") { return span(text.dropFirst()).map { now - $0 } }
        if text.hasSuffix(" ago") { return span(text.dropLast(4)).map { now - $0 } }
        if let number = Int64(text) {
            guard number >= unixSecondsMin else {
                throw JournalTimeError(
                    text: text, hint: "-\(text) is \(text) seconds ago, @\(text) that many seconds after 1970")
            }
            return number
        }
        return calendar(text, now)
    }

    /// `1h30m`, `2 days`, `90`: seconds.
    private static func span(_ text: Substring) -> Int64? {
        var rest = text.drop { $0 == " " }
        guard !rest.isEmpty else { return nil }
        var total: Int64 = 0
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            rest = rest.dropFirst(digits.count).drop { $0 == " " }
            let name = rest.prefix { $0.isASCII && $0.isLetter }
            rest = rest.dropFirst(name.count).drop { $0 == " " }
            guard let count = Int64(digits), let unit = units.first(where: { $0.names.contains(String(name)) }) else {
                return nil
            }
            let (product, overflows) = count.multipliedReportingOverflow(by: unit.seconds)
            let (sum, overflowsToo) = total.addingReportingOverflow(product)
            guard !overflows, !overflowsToo else { return nil }
            total = sum
        }
        return total
    }

    /// `2026-11-22`, `2026-11-22 20:00`, `2026-11-22t20:00:05`, `20:00`, each with `z` or ` utc` behind it.
    private static func calendar(_ text: String, _ now: Int64) -> Int64? {
        var text = text[...]
        var isUTC = false
        for suffix in [" utc", "z"] where text.hasSuffix(suffix) {
            text = text.dropLast(suffix.count)
            isUTC = true
        }
        let words = text.split { $0 == " " || $0 == "t" }
        guard (1...2).contains(words.count), let last = words.last else { return nil }
        var fields = broken(now, isUTC: isUTC)
        (fields.tm_hour, fields.tm_min, fields.tm_sec) = (0, 0, 0)
        if words[0].contains("-") {
            guard let date = numbers(words[0], "-"), date.count == 3, (1970...9999).contains(date[0]),
                (1...12).contains(date[1]), (1...31).contains(date[2])
            else { return nil }
            (fields.tm_year, fields.tm_mon, fields.tm_mday) = (date[0] - 1900, date[1] - 1, date[2])
        } else if words.count == 2 {
            return nil
        }
        if words.count == 2 || !words[0].contains("-") {
            guard let time = numbers(last, ":"), (2...3).contains(time.count), time[0] < 24, time[1] < 60,
                time.count == 2 || time[2] < 60
            else { return nil }
            (fields.tm_hour, fields.tm_min) = (time[0], time[1])
            if time.count == 3 { fields.tm_sec = time[2] }
        }
        return whole(fields, isUTC: isUTC)
    }

    private static func numbers(_ text: Substring, _ separator: Character) -> [Int32]? {
        let parts = text.split(separator: separator, omittingEmptySubsequences: false)
        let numbers = parts.compactMap { part in part.allSatisfy { $0.isASCII && $0.isNumber } ? Int32(part) : nil }
        return numbers.count == parts.count ? numbers : nil
    }

    private static func broken(_ seconds: Int64, isUTC: Bool) -> tm {
        var time = time_t(seconds)
        var fields = tm()
        if isUTC { gmtime_r(&time, &fields) } else { localtime_r(&time, &fields) }
        return fields
    }

    /// Nil for a day that its month doesn't have.
    private static func whole(_ fields: tm, isUTC: Bool) -> Int64? {
        var normalized = fields
        // Whether summer time is on is the date's matter.
        normalized.tm_isdst = -1
        let seconds = isUTC ? timegm(&normalized) : mktime(&normalized)
        return normalized.tm_mday == fields.tm_mday ? Int64(seconds) : nil
    }

    private static func midnight(_ now: Int64, days: Int32) -> Int64 {
        var fields = broken(now, isUTC: false)
        (fields.tm_hour, fields.tm_min, fields.tm_sec, fields.tm_isdst) = (0, 0, 0, -1)
        fields.tm_mday += days
        return Int64(mktime(&fields))
    }

    /// `2026-11-22 20:45:02.123456`.
    public static func text(microseconds: UInt64) -> String {
        func padded(_ number: Int32, _ width: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        let fields = broken(Int64(microseconds / 1_000_000), isUTC: false)
        let date = [padded(fields.tm_year + 1900, 4), padded(fields.tm_mon + 1, 2), padded(fields.tm_mday, 2)]
        let time = [padded(fields.tm_hour, 2), padded(fields.tm_min, 2), padded(fields.tm_sec, 2)]
        return date.joined(separator: "-") + " " + time.joined(separator: ":") + "."
            + padded(Int32(microseconds % 1_000_000), 6)
    }
}

/// A text that is no time.
public struct JournalTimeError: Error, Sendable, Hashable, CustomStringConvertible {
    public let text: String
    public let hint: String

    public var description: String { "\(text) is no time: \(hint)" }
}

extension String {
    fileprivate var trimmed: String {
        String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}
