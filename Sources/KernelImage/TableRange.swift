import X86

/// A table of equally long entries whose bytes have been checked to be in the file.
struct TableRange {
    let address: UInt64
    let entrySize: Int
    let count: Int
    private let start: Int

    init(
        _ name: String, _ range: Range<UInt64>, entrySize: Int, _ map: AddressMap
    ) throws(KernelImageError) {
        let size = range.upperBound - range.lowerBound
        guard let size = Int(exactly: size), size % entrySize == 0 else {
            throw KernelImageError(
                .invalid, name, "\(size) bytes from \(hex(range.lowerBound)); its entries have \(entrySize) bytes")
        }
        guard size == 0 || map.fileOffset(range.lowerBound, count: size) != nil else {
            throw KernelImageError(
                .invalid, name, "\(hex(range.lowerBound)) to \(hex(range.upperBound)) isn't in one section with bytes")
        }
        address = range.lowerBound
        start = size == 0 ? 0 : map.fileOffset(range.lowerBound, count: size)!
        self.entrySize = entrySize
        count = size / entrySize
    }

    /// Where an entry stands in the file.
    func offset(_ index: Int) -> Int {
        start + index * entrySize
    }

    /// An entry that is an address.
    @inline(__always)
    func word(_ index: Int, _ map: AddressMap) -> UInt64 {
        precondition(index >= 0 && index < count, "an entry of the table")
        return map.wordSize == 8
            ? map.reader.bytes.loadUnaligned(fromByteOffset: offset(index), as: UInt64.self)
            : UInt64(map.reader.bytes.loadUnaligned(fromByteOffset: offset(index), as: UInt32.self))
    }

    /// The address that a signed 32-bit field names, relative to the field itself.
    @inline(__always)
    func relative(_ index: Int, _ field: Int, _ map: AddressMap) -> UInt64 {
        precondition(index >= 0 && index < count && field + 4 <= entrySize, "a field of the table")
        let value = map.reader.bytes.loadUnaligned(fromByteOffset: offset(index) + field, as: Int32.self)
        let own = address + UInt64(index * entrySize + field)
        return (own &+ UInt64(bitPattern: Int64(value))) & map.addressMask
    }

    /// The address that a field of the kernel's word size names, relative to the field itself.
    @inline(__always)
    func relativeWord(_ index: Int, _ field: Int, _ map: AddressMap) -> UInt64 {
        guard map.wordSize == 8 else { return relative(index, field, map) }
        precondition(index >= 0 && index < count && field + 8 <= entrySize, "a field of the table")
        let value = map.reader.bytes.loadUnaligned(fromByteOffset: offset(index) + field, as: UInt64.self)
        return address + UInt64(index * entrySize + field) &+ value
    }
}
