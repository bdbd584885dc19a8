public import X86

/// The text as the image brought it: immutable, shared by every world made from the image.
public struct TextSource: @unchecked Sendable {
    // Sendable: the bytes are never written, and `owner` keeps them alive.
    public let address: VirtualAddress
    public let bytes: UnsafeRawBufferPointer
    let owner: any AnyObject & Sendable

    public init(address: VirtualAddress, bytes: UnsafeRawBufferPointer, owner: any AnyObject & Sendable) {
        self.address = address
        self.bytes = bytes
        self.owner = owner
    }

    @inlinable
    public func contains(_ address: UInt64) -> Bool {
        address &- self.address.rawValue < UInt64(bytes.count)
    }
}

/// One store to text that some CPU may not have seen yet; it never crosses a chunk boundary.
public struct TextStore: Sendable, Hashable {
    /// Place in the append-only log.
    public let entry: UInt64
    public let address: UInt64
    public let count: UInt8
    /// What the store overwrote, little-endian.
    public let old: UInt64
}

/// What one CPU's front end has already seen above its floor. The floor itself stands in `TextMemory`.
public struct FrontEnd: Sendable, Hashable {
    /// chunk → the log position below which everything in the chunk has been seen.
    var seen: [UInt64: UInt64] = [:]

    public init() {}
}

/// The text segment that all CPUs share: newest bytes, and the log of stores that not every CPU must have seen.
///
/// Memory holds the newest bytes. All stores are entries of one append-only log. Per CPU there is a floor (everything
/// below is seen) and, per chunk, how far above the floor it has looked. A fetch sees for each chunk that it touches
/// some version from there up to the newest: monotone within a chunk, independent between chunks.
public struct TextMemory: Sendable {
    public static let pageSize = 4096

    public let base: TextSource
    public let model: FetchModel
    /// Pages of the base that have been stored to.
    private var pages: [[UInt8]?]
    /// A page outside of the base: a trampoline.
    private struct MappedPage: Sendable {
        let number: UInt64
        var bytes: [UInt8]
    }
    private var mapped: [MappedPage] = []
    /// Numbers of all pages that were ever mapped.
    private var everMapped: Set<UInt64> = []
    /// chunk → stores that some CPU may still not have seen, ascending.
    private(set) var live: [UInt64: [TextStore]] = [:]
    /// The next log position.
    public private(set) var head: UInt64 = 0
    /// Per CPU: every entry below is seen.
    public private(set) var floors: [UInt64]

    public init(base: TextSource, model: FetchModel, cpuCount: Int) {
        precondition(base.address.rawValue % UInt64(Self.pageSize) == 0, "text starts at a page")
        self.base = base
        self.model = model
        pages = Array(repeating: nil, count: (base.bytes.count + Self.pageSize - 1) / Self.pageSize)
        floors = Array(repeating: 0, count: cpuCount)
    }

    // MARK: Newest bytes

    private static let pageShift: UInt64 = 12

    /// The place in `mapped` of the page that holds `address`; trampolines are few.
    @inline(__always)
    private func mappedIndex(_ address: UInt64) -> Int? {
        let page = address >> Self.pageShift
        for index in mapped.indices where mapped[index].number == page { return index }
        return nil
    }

    /// Whether `address` lies in the base or in a mapped page.
    public func isMapped(_ address: UInt64) -> Bool {
        base.contains(address) || mappedIndex(address) != nil
    }

    /// A trampoline was mapped at `address` at some time, even if it is gone.
    public func wasMapped(_ address: UInt64) -> Bool {
        everMapped.contains(address >> Self.pageShift)
    }

    /// The newest byte; nil outside of text.
    public func newestByte(at address: UInt64) -> UInt8? {
        let offset = address &- base.address.rawValue
        if offset < UInt64(base.bytes.count) {
            let page = Int(offset >> Self.pageShift)
            return pages[page]?[Int(offset) & (Self.pageSize - 1)] ?? base.bytes[Int(offset)]
        }
        return mappedIndex(address).map { mapped[$0].bytes[Int(address & UInt64(Self.pageSize - 1))] }
    }

    /// Up to `count` newest bytes; fewer where text ends.
    public func newestBytes(at address: VirtualAddress, count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        for index in 0..<max(count, 0) {
            guard let byte = newestByte(at: (address + index).rawValue) else { break }
            bytes.append(byte)
        }
        return bytes
    }

    /// The newest `count` bytes as an instruction; shorter where text ends.
    public func newestInstruction(at address: UInt64, count: Int) -> InstructionBytes {
        let offset = address &- base.address.rawValue
        let inPage = Int(truncatingIfNeeded: address) & (Self.pageSize - 1)
        if inPage + 16 <= Self.pageSize {
            if offset &+ 16 <= UInt64(base.bytes.count), offset < UInt64(base.bytes.count) {
                let page = Int(offset >> Self.pageShift)
                if pages[page] == nil { return Self.words(base.bytes, Int(offset), count) }
                return pages[page]!.withUnsafeBytes { Self.words($0, inPage, count) }
            } else if let index = mappedIndex(address) {
                return mapped[index].bytes.withUnsafeBytes { Self.words($0, inPage, count) }
            }
        }
        return newestBytewise(at: address, count: count)
    }

    @inline(__always)
    private static func words(_ bytes: UnsafeRawBufferPointer, _ offset: Int, _ count: Int) -> InstructionBytes {
        InstructionBytes(
            low: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self),
            high: bytes.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self), count: count)
    }

    @inline(never)
    private func newestBytewise(at address: UInt64, count: Int) -> InstructionBytes {
        var low: UInt64 = 0
        var high: UInt64 = 0
        var length = 0
        while length < count, let byte = newestByte(at: address &+ UInt64(length)) {
            if length < 8 {
                low |= UInt64(byte) << UInt64(length * 8)
            } else {
                high |= UInt64(byte) << UInt64(length * 8 - 64)
            }
            length += 1
        }
        return InstructionBytes(low: low, high: high, count: length)
    }

    // MARK: Stores

    /// Stores `count` bytes (1...8, little-endian in `value`) through the patching alias, split at chunk boundaries.
    ///
    /// The caller has checked that the range is mapped.
    public mutating func store(_ value: UInt64, count: Int, at address: UInt64) {
        precondition(count >= 1 && count <= 8, "a store has 1 to 8 bytes")
        let shift = model.chunkShift
        var done = 0
        while done < count {
            let start = address &+ UInt64(done)
            let chunkEnd = ((start >> shift) &+ 1) << shift
            let length = min(count - done, Int(chunkEnd &- start))
            storeInChunk(value >> UInt64(done * 8), count: length, at: start, chunk: start >> shift)
            done += length
        }
    }

    private mutating func storeInChunk(_ value: UInt64, count: Int, at address: UInt64, chunk: UInt64) {
        var old: UInt64 = 0
        for index in 0..<count {
            let place = address &+ UInt64(index)
            old |=
                UInt64(replace(UInt8(truncatingIfNeeded: value >> UInt64(index * 8)), at: place)) << UInt64(index * 8)
        }
        if model != .coherent {
            live[chunk, default: []].append(TextStore(entry: head, address: address, count: UInt8(count), old: old))
        }
        head += 1
    }

    private mutating func replace(_ byte: UInt8, at address: UInt64) -> UInt8 {
        let offset = address &- base.address.rawValue
        if offset < UInt64(base.bytes.count) {
            let page = Int(offset) / Self.pageSize
            if pages[page] == nil {
                let start = page * Self.pageSize
                var copy = Array(base.bytes[start..<min(start + Self.pageSize, base.bytes.count)])
                copy.append(contentsOf: repeatElement(0xcc, count: Self.pageSize - copy.count))
                pages[page] = copy
            }
            let old = pages[page]![Int(offset) % Self.pageSize]
            pages[page]![Int(offset) % Self.pageSize] = byte
            return old
        }
        guard let index = mappedIndex(address) else { preconditionFailure("a text store lies inside mapped text") }
        let inPage = Int(address % UInt64(Self.pageSize))
        let old = mapped[index].bytes[inPage]
        mapped[index].bytes[inPage] = byte
        return old
    }

    /// Maps a page of new text (a trampoline) with its final content; nobody can have fetched it before.
    public mutating func map(_ bytes: [UInt8], at address: VirtualAddress) {
        let size = UInt64(Self.pageSize)
        precondition(address.rawValue % size == 0 && bytes.count <= Self.pageSize, "a trampoline is one page")
        precondition(!isMapped(address.rawValue), "a page is mapped once")
        let number = address.rawValue / size
        mapped.append(
            MappedPage(number: number, bytes: bytes + Array(repeating: 0, count: Self.pageSize - bytes.count)))
        everMapped.insert(number)
    }

    /// Takes a mapped page away; a fetch from it is a use of freed text from now on.
    public mutating func unmap(_ address: VirtualAddress) {
        mapped.removeAll { $0.number == address.rawValue / UInt64(Self.pageSize) }
    }

    // MARK: Serialization

    /// A serializing event on `cpu`: everything stored so far is seen from now on.
    public mutating func serialize(cpu: Int, frontEnd: inout FrontEnd) {
        frontEnd.seen.removeAll(keepingCapacity: true)
        guard floors[cpu] != head else { return }
        floors[cpu] = head
        let oldest = floors.min() ?? head
        if oldest == head { live.removeAll(keepingCapacity: true) }
    }

    /// Every CPU has seen every store: a fetch has one view.
    public var isSettled: Bool {
        live.isEmpty
    }

    /// Stores that some CPU may not have seen.
    public var liveStoreCount: Int {
        live.values.reduce(0) { $0 + $1.count }
    }
}
