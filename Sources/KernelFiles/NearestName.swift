/// Finds what somebody who mistyped a name may have meant.
enum NearestName {
    /// Edits up to which a name counts as mistyped.
    static let distanceMax = 3

    /// `; did you mean NAME?`, or nothing.
    static func hint(for name: String, among candidates: some Sequence<String>) -> String {
        let wanted = Array(name.utf8)
        var search = Search(wanted)
        for candidate in candidates { search.consider(Array(candidate.utf8)[...]) }
        return search.hint
    }

    /// Keeps the nearest of the candidates that it was shown.
    struct Search {
        let wanted: [UInt8]
        private var best: [UInt8]?
        // A name may lose at most a third of itself: `abc` isn't a misspelt `xyz`.
        private var bestDistance: Int

        init(_ wanted: [UInt8]) {
            self.wanted = wanted
            bestDistance = min(NearestName.distanceMax, wanted.count / 3 + 1) + 1
        }

        mutating func consider(_ candidate: ArraySlice<UInt8>) {
            guard abs(candidate.count - wanted.count) < bestDistance else { return }
            if let distance = NearestName.distance(wanted, candidate, below: bestDistance) {
                best = Array(candidate)
                bestDistance = distance
            }
        }

        var hint: String {
            best.map { "; did you mean \(String(decoding: $0, as: UTF8.self))?" } ?? ""
        }
    }

    /// Levenshtein's distance, or nil when it isn't below `limit`.
    private static func distance(_ left: [UInt8], _ right: ArraySlice<UInt8>, below limit: Int) -> Int? {
        var row = Array(0...right.count)
        for (i, byte) in left.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            var least = row[0]
            for (j, other) in right.enumerated() {
                let replaced = diagonal + (byte == other ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(replaced, row[j] + 1, diagonal + 1)
                least = min(least, row[j + 1])
            }
            if least >= limit { return nil }
        }
        return row[right.count] < limit ? row[right.count] : nil
    }
}
