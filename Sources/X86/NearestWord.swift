/// The existing name that somebody who mistyped one may have meant.
enum NearestWord {
    /// Edits up to which a name counts as mistyped.
    static let distanceMax = 2

    static func nearest(to word: String, in names: some Sequence<String>) -> String? {
        let wanted = Array(word.utf8.prefix(lengthMax))
        var best: String?
        var bestDistance = min(distanceMax, wanted.count / 2) + 1
        for name in names {
            guard abs(name.utf8.count - wanted.count) <= min(bestDistance, distanceMax) else { continue }
            let distance = distance(wanted, Array(name.utf8))
            // The order of a dictionary is no order: of two equally near names the first in the alphabet is named.
            if distance < bestDistance || distance == bestDistance && best.map({ name < $0 }) == true {
                (best, bestDistance) = (name, distance)
            }
        }
        return best
    }

    /// Longer words are no misspelt names.
    private static let lengthMax = 64

    /// Edits between two words: replaced, inserted, dropped and exchanged neighbouring letters.
    private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var before: [Int] = []
        var row = Array(0...right.count)
        for i in left.indices {
            var next = [i + 1]
            for j in right.indices {
                var least = min(row[j] + (left[i] == right[j] ? 0 : 1), row[j + 1] + 1, next[j] + 1)
                if i > 0, j > 0, left[i] == right[j - 1], left[i - 1] == right[j] {
                    least = min(least, before[j - 1] + 1)
                }
                next.append(least)
            }
            (before, row) = (row, next)
        }
        return row[right.count]
    }
}
