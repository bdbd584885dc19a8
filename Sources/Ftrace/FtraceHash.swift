/// struct ftrace_hash: a set of records, by their index.
///
/// A bit per record: the list function asks for every function call whether an ops wants it.
public struct FtraceHash: Sendable, Hashable {
    var words: [UInt64] = []
    public private(set) var count = 0
    /// FTRACE_HASH_FL_MOD: a filter waits for a module, so that an empty set means no function, not every one.
    var waitsForModule = false

    public init() {}

    public init(_ records: some Sequence<Int>) {
        for record in records { insert(record) }
    }

    /// ftrace_hash_empty()
    public var isEmpty: Bool {
        count == 0 && !waitsForModule
    }

    /// ftrace_lookup_ip()
    public func contains(_ record: Int) -> Bool {
        let word = record >> 6
        return word < words.count && words[word] >> UInt64(record & 63) & 1 != 0
    }

    /// add_hash_entry()
    public mutating func insert(_ record: Int) {
        let word = record >> 6
        while words.count <= word { words.append(0) }
        let bit: UInt64 = 1 << UInt64(record & 63)
        if words[word] & bit == 0 {
            words[word] |= bit
            count += 1
        }
    }

    /// free_hash_entry()
    public mutating func remove(_ record: Int) {
        let word = record >> 6
        guard word < words.count else { return }
        let bit: UInt64 = 1 << UInt64(record & 63)
        if words[word] & bit != 0 {
            words[word] &= ~bit
            count -= 1
        }
    }

    /// The first record at or above `record`, or nil.
    public func next(from record: Int) -> Int? {
        var word = record >> 6
        guard word < words.count else { return nil }
        var bits = words[word] & (~0 << UInt64(record & 63))
        while bits == 0 {
            word += 1
            guard word < words.count else { return nil }
            bits = words[word]
        }
        return word << 6 + bits.trailingZeroBitCount
    }

    public static func == (left: FtraceHash, right: FtraceHash) -> Bool {
        guard left.count == right.count, left.waitsForModule == right.waitsForModule else { return false }
        // Sets that grew differently may end in zero words.
        for word in 0..<max(left.words.count, right.words.count)
        where (word < left.words.count ? left.words[word] : 0) != (word < right.words.count ? right.words[word] : 0) {
            return false
        }
        return true
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(count)
        hasher.combine(waitsForModule)
        hasher.combine(next(from: 0))
    }
}

/// struct ftrace_ops_hash: which records an ops wants.
public struct FtraceOpsHash: Sendable, Hashable {
    /// Empty: every function.
    public internal(set) var filter = FtraceHash()
    public internal(set) var notrace = FtraceHash()

    public init(filter: FtraceHash = FtraceHash(), notrace: FtraceHash = FtraceHash()) {
        self.filter = filter
        self.notrace = notrace
    }

    /// hash_contains_ip()
    public func admits(_ record: Int) -> Bool {
        (filter.isEmpty || filter.contains(record)) && !notrace.contains(record)
    }
}
