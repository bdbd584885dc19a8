/// Names of `candidates` that are likely what `name` was meant to be, best first.
public func nearest(to name: String, in candidates: some Sequence<String>, countMax: Int) -> [String] {
    let wanted = Array(name.utf8)
    let distanceMax = slipsMax(in: wanted)
    var found: [(distance: Int, name: String)] = []
    for candidate in candidates where abs(candidate.utf8.count - wanted.count) <= distanceMax {
        let distance = editDistance(wanted, Array(candidate.utf8)[...], max: distanceMax)
        if distance <= distanceMax { found.append((distance, candidate)) }
    }
    found.sort { $0.distance != $1.distance ? $0.distance < $1.distance : $0.name < $1.name }
    return found.prefix(countMax).map(\.name)
}

/// Keeps the nearest of the names that it was shown, without making a String of each: kernels have tens of thousands.
public struct NearestName {
    public let wanted: [UInt8]
    private var best: [UInt8]?
    private var distanceMax: Int

    public init(to wanted: [UInt8]) {
        self.wanted = wanted
        distanceMax = slipsMax(in: wanted)
    }

    /// The first of equally near ones is kept.
    public mutating func consider(_ candidate: ArraySlice<UInt8>) {
        guard distanceMax >= 0, abs(candidate.count - wanted.count) <= distanceMax else { return }
        let distance = editDistance(wanted, candidate, max: distanceMax)
        guard distance <= distanceMax else { return }
        best = Array(candidate)
        distanceMax = distance - 1
    }

    /// `; did you mean NAME?`, or nothing.
    public var hint: String {
        best.map { "; did you mean \(String(decoding: $0, as: UTF8.self))?" } ?? ""
    }

    /// The hint for `name` among few candidates.
    public static func hint(for name: String, among candidates: some Sequence<String>) -> String {
        var search = NearestName(to: Array(name.utf8))
        for candidate in candidates { search.consider(Array(candidate.utf8)[...]) }
        return search.hint
    }
}

/// One slip in three characters is still recognizable; more would suggest nonsense.
private func slipsMax(in name: [UInt8]) -> Int {
    max(1, name.count / 3)
}

/// Insertions, deletions, replacements and exchanges of neighbours; anything above `max` is reported as max + 1.
func editDistance(_ left: [UInt8], _ right: ArraySlice<UInt8>, max: Int) -> Int {
    let right = Array(right)
    var beforeLast = [Int](repeating: 0, count: right.count + 1)
    var last = Array(0...right.count)
    var row = last
    for (i, byte) in left.enumerated() {
        row[0] = i + 1
        var best = row[0]
        for (j, other) in right.enumerated() {
            row[j + 1] = min(last[j] + (byte == other ? 0 : 1), last[j + 1] + 1, row[j] + 1)
            if i > 0, j > 0, byte == right[j - 1], left[i - 1] == other {
                row[j + 1] = min(row[j + 1], beforeLast[j - 1] + 1)
            }
            best = min(best, row[j + 1])
        }
        // An exchange reaches back over one row.
        if best > max + 1 { return max + 1 }
        (beforeLast, last, row) = (last, row, beforeLast)
    }
    return min(last[right.count], max + 1)
}
