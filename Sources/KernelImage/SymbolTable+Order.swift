extension SymbolTable {
    /// Indices sorted by address, ties in kallsyms' order. kallsyms come sorted, so that mostly nothing is to do.
    static func sortedByAddress(_ addresses: [UInt64]) -> [UInt32] {
        let indices = Array(0..<UInt32(addresses.count))
        let isSorted = addresses.withUnsafeBufferPointer { addresses in
            (1..<max(addresses.count, 1)).allSatisfy { addresses[$0 - 1] <= addresses[$0] }
        }
        if isSorted { return indices }
        return addresses.withUnsafeBufferPointer { addresses in
            indices.sorted {
                let (left, right) = (addresses[Int($0)], addresses[Int($1)])
                return left != right ? left < right : $0 < $1
            }
        }
    }

    /// A name's first eight bytes in an order that one comparison of integers decides.
    private struct Key {
        let prefix: UInt64
        let index: UInt32
    }

    /// Indices sorted by name (bytes), ties in kallsyms' order.
    ///
    /// Most pairs differ within their first eight bytes: comparing those as one integer makes the sort three times as
    /// fast as comparing names.
    static func sortedByName(_ names: [UInt8], _ offsets: [UInt32]) -> [UInt32] {
        names.withUnsafeBufferPointer { names in
            offsets.withUnsafeBufferPointer { offsets in
                var keys = (0..<offsets.count - 1).map { index in
                    Key(prefix: prefix(names, offsets, index), index: UInt32(index))
                }
                keys.sort { left, right in
                    if left.prefix != right.prefix { return left.prefix < right.prefix }
                    let order = compareTails(names, offsets, Int(left.index), Int(right.index))
                    return order != 0 ? order < 0 : left.index < right.index
                }
                return keys.map(\.index)
            }
        }
    }

    private static func prefix(
        _ names: UnsafeBufferPointer<UInt8>, _ offsets: UnsafeBufferPointer<UInt32>, _ index: Int
    ) -> UInt64 {
        let start = Int(offsets[index])
        let end = min(Int(offsets[index + 1]), start + 8)
        var prefix: UInt64 = 0
        for place in start..<end {
            prefix = prefix << 8 | UInt64(names[place])
        }
        let missing = 8 - (end - start)
        return missing == 8 ? 0 : prefix << UInt64(missing * 8)
    }

    /// Compares two names whose first eight bytes, padded with zeros, are equal.
    private static func compareTails(
        _ names: UnsafeBufferPointer<UInt8>, _ offsets: UnsafeBufferPointer<UInt32>, _ left: Int, _ right: Int
    ) -> Int {
        let leftEnd = Int(offsets[left + 1])
        let rightEnd = Int(offsets[right + 1])
        let leftCount = leftEnd - Int(offsets[left])
        let rightCount = rightEnd - Int(offsets[right])
        var i = Int(offsets[left]) + min(8, leftCount)
        var j = Int(offsets[right]) + min(8, rightCount)
        while i < leftEnd && j < rightEnd {
            if names[i] != names[j] { return names[i] < names[j] ? -1 : 1 }
            i += 1
            j += 1
        }
        return leftCount - rightCount
    }
}

extension SymbolTable {
    /// Every symbol whose name starts with `prefix`, by name.
    public func indices(prefix: String) -> [Int] {
        let wanted = Array(prefix.utf8)
        var low = 0
        var high = byName.count
        while low < high {
            let middle = (low + high) / 2
            if nameBytes(at: Int(byName[middle])).lexicographicallyPrecedes(wanted) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return byName[low...].prefix { nameBytes(at: Int($0)).starts(with: wanted) }.map(Int.init)
    }
}
