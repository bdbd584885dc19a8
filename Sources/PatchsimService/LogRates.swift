internal import PatchsimInterface

/// How many entries of a kind one user may cause: `burst` at once, and one more every `nanoseconds`.
struct LogRate: Sendable, Hashable {
    let burst: Int
    let nanoseconds: UInt64

    /// What a client in a loop causes without changing anything.
    static let complaints = LogRate(burst: 20, nanoseconds: 3_000_000_000)
    /// What changes something: administrators want each, as long as that can be read.
    static let changes = LogRate(burst: 200, nanoseconds: 500_000_000)
}

extension MessageID {
    /// Nil for what no client can cause again and again.
    var rate: LogRate? {
        switch self {
        case .refused, .accessDenied, .connectionRefused, .acceptFailed, .failed: .complaints
        case .tracerChanged, .machineChanged, .findingsDeleted, .textUpdated: .changes
        default: nil
        }
    }
}

/// Token buckets, one for each kind and user. Time is given, in nanoseconds of a clock that never goes back.
struct LogRates: Sendable {
    /// Buckets that are kept; users beyond share one.
    static let bucketsMax = 1024
    /// While entries are left out, this often it is said how many.
    static let summaryNanoseconds: UInt64 = 10_000_000_000

    struct Key: Hashable, Sendable {
        let id: MessageID
        /// Nil for what no user caused, and for all users that have no bucket.
        let user: UInt32?
    }

    struct Summary: Hashable, Sendable {
        let key: Key
        let count: Int
    }

    private struct Bucket {
        var tokens: Int
        /// When `tokens` was right.
        var at: UInt64
        var suppressed = 0
        /// When the first of `suppressed` was left out.
        var suppressedSince: UInt64 = 0

        mutating func refill(_ rate: LogRate, now: UInt64) {
            let gained = (now - at) / rate.nanoseconds
            guard gained > 0 else { return }
            if gained >= UInt64(rate.burst - tokens) {
                tokens = rate.burst
                at = now
            } else {
                tokens += Int(gained)
                at += gained * rate.nanoseconds
            }
        }
    }

    private var buckets: [Key: Bucket] = [:]

    /// Whether an entry is to be written now. If not it is counted.
    mutating func admit(_ id: MessageID, user: UInt32?, now: UInt64) -> Bool {
        guard let rate = id.rate else { return true }
        let key = key(id, user, now)
        var bucket = buckets[key] ?? Bucket(tokens: rate.burst, at: now)
        bucket.refill(rate, now: now)
        defer { buckets[key] = bucket }
        guard bucket.tokens > 0 else {
            if bucket.suppressed == 0 { bucket.suppressedSince = now }
            bucket.suppressed += 1
            return false
        }
        bucket.tokens -= 1
        return true
    }

    /// What is to be said about entries that were left out by now; `all` also where it isn't time yet.
    mutating func summaries(now: UInt64, all: Bool = false) -> [Summary] {
        var summaries: [Summary] = []
        for (key, bucket) in buckets where bucket.suppressed > 0 {
            guard all || now - bucket.suppressedSince >= Self.summaryNanoseconds else { continue }
            summaries.append(Summary(key: key, count: bucket.suppressed))
            buckets[key]!.suppressed = 0
        }
        return summaries.sorted { ($0.key.id.rawValue, $0.key.user ?? 0) < ($1.key.id.rawValue, $1.key.user ?? 0) }
    }

    /// Whether something was left out that nobody has been told.
    var hasSuppressed: Bool {
        buckets.values.contains { $0.suppressed > 0 }
    }

    /// The bucket for a user, who gets one of their own while there is room.
    private mutating func key(_ id: MessageID, _ user: UInt32?, _ now: UInt64) -> Key {
        let key = Key(id: id, user: user)
        if buckets[key] != nil || buckets.count < Self.bucketsMax { return key }
        // A full bucket is as good as none.
        buckets = buckets.filter { key, bucket in
            var bucket = bucket
            if let rate = key.id.rate { bucket.refill(rate, now: now) }
            return bucket.suppressed > 0 || bucket.tokens < (key.id.rate?.burst ?? 0)
        }
        return buckets.count < Self.bucketsMax ? key : Key(id: id, user: nil)
    }
}
