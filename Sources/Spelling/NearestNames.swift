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

/// Levenshtein's distance; anything above `max` is reported as max + 1.
func editDistance(_ left: [UInt8], _ right: ArraySlice<UInt8>, max: Int) -> Int {
    var row = Array(0...right.count)
    for (i, byte) in left.enumerated() {
        var diagonal = row[0]
        row[0] = i + 1
        var best = row[0]
        for (j, other) in right.enumerated() {
            let replaced = diagonal + (byte == other ? 0 : 1)
            diagonal = row[j + 1]
            row[j + 1] = min(replaced, row[j] + 1, diagonal + 1)
            best = min(best, row[j + 1])
        }
        if best > max { return max + 1 }
    }
    return min(row[right.count], max + 1)
}
