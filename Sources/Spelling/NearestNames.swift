/// Names of `candidates` that are likely what `name` was meant to be, best first.
public func nearest(to name: String, in candidates: some Sequence<String>, countMax: Int) -> [String] {
    // One slip in three characters is still recognizable; more would suggest nonsense.
    let distanceMax = max(1, name.utf8.count / 3)
    let wanted = Array(name.utf8)
    var found: [(distance: Int, name: String)] = []
    for candidate in candidates where abs(candidate.utf8.count - wanted.count) <= distanceMax {
        let distance = editDistance(wanted, Array(candidate.utf8), max: distanceMax)
        if distance <= distanceMax { found.append((distance, candidate)) }
    }
    found.sort { $0.distance != $1.distance ? $0.distance < $1.distance : $0.name < $1.name }
    return found.prefix(countMax).map(\.name)
}

/// Levenshtein's distance; anything above `max` is reported as max + 1.
public func editDistance(_ left: [UInt8], _ right: [UInt8], max: Int) -> Int {
    var previous = Array(0...right.count)
    for (i, a) in left.enumerated() {
        var row = [i + 1]
        row.reserveCapacity(right.count + 1)
        var best = i + 1
        for (j, b) in right.enumerated() {
            let cost = Swift.min(previous[j] + (a == b ? 0 : 1), previous[j + 1] + 1, row[j] + 1)
            row.append(cost)
            best = Swift.min(best, cost)
        }
        if best > max { return max + 1 }
        previous = row
    }
    return Swift.min(previous[right.count], max + 1)
}
