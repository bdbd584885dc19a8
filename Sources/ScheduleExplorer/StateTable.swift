/// Every state that a search has met, once, in the order of meeting: its words, and the number of the state before it.
///
/// States lie in chunks that never move. The hash table over them is open addressing in 8-byte slots: the state's number
/// plus one, above a 32-bit fingerprint whose upper bits are the home slot; so growing it reads no state. It owns its
/// memory, and so is not copied.
public struct StateTable: ~Copyable {
    public static let wordsMax = 4096
    /// More states cannot be numbered.
    public static let statesMax = Int(UInt32.max) - 1
    @usableFromInline static let noParent = UInt32.max
    @usableFromInline static let chunkShift = 12
    @usableFromInline static let chunkStates = 1 << chunkShift
    static let slotBitsMin = 12

    public let wordCount: Int
    @usableFromInline var stored = 0
    @usableFromInline var chunks: UnsafeMutablePointer<UnsafeMutablePointer<UInt64>>
    @usableFromInline var parents: UnsafeMutablePointer<UnsafeMutablePointer<UInt32>>
    private var chunkCount = 0
    private var chunkCapacity = 1024
    @usableFromInline var slots: UnsafeMutablePointer<UInt64>
    @usableFromInline var slotBits: Int
    /// States at which the slots are doubled.
    @usableFromInline var growsAt: Int

    public init(wordCount: Int) {
        precondition((1...Self.wordsMax).contains(wordCount), "a state has 1 to \(Self.wordsMax) words")
        self.wordCount = wordCount
        chunks = .allocate(capacity: chunkCapacity)
        parents = .allocate(capacity: chunkCapacity)
        slotBits = Self.slotBitsMin
        slots = .allocate(capacity: 1 << slotBits)
        slots.initialize(repeating: 0, count: 1 << slotBits)
        growsAt = Self.load(slotBits)
    }

    deinit {
        for index in 0..<chunkCount {
            chunks[index].deallocate()
            parents[index].deallocate()
        }
        chunks.deallocate()
        parents.deallocate()
        slots.deallocate()
    }

    /// States stored.
    @inlinable
    public var count: Int { stored }

    /// Bytes held for states, parents and slots.
    public var bytes: Int {
        chunkCount * Self.chunkStates * (wordCount * 8 + 4) + (8 << slotBits)
    }

    /// Three quarters: linear probing stays short, and a state costs 11 to 21 bytes of slots.
    private static func load(_ bits: Int) -> Int {
        (1 << bits) / 4 * 3
    }

    /// The words of state `number`.
    @inlinable
    public subscript(number: Int) -> UnsafeMutablePointer<UInt64> {
        chunks[number >> Self.chunkShift] + (number & (Self.chunkStates - 1)) * wordCount
    }

    /// The state from which `number` was first met; nil for the initial one.
    @inlinable
    public func parent(of number: Int) -> Int? {
        let parent = parents[number >> Self.chunkShift][number & (Self.chunkStates - 1)]
        return parent == Self.noParent ? nil : Int(parent)
    }

    /// A 64-bit hash; the upper half is the fingerprint.
    @inlinable
    public static func hash(_ state: UnsafePointer<UInt64>, _ wordCount: Int) -> UInt64 {
        var hash: UInt64 = 0x9e37_79b9_7f4a_7c15
        for index in 0..<wordCount {
            let product = (hash ^ state[index]).multipliedFullWidth(by: 0xd6e8_feb8_6659_fd93)
            hash = product.high ^ product.low
        }
        return hash &* 0x9e37_79b9_7f4a_7c15
    }

    /// The content of the home slot of a hash; reading it early brings its cache line.
    @inlinable
    public func home(_ hash: UInt64) -> UInt64 {
        slots[Int(truncatingIfNeeded: hash >> UInt64(64 - slotBits))]
    }

    /// The number of `state`, and whether it was met before.
    @inlinable
    public mutating func insert(
        _ state: UnsafePointer<UInt64>, hash: UInt64, parent: UInt32
    ) -> (number: Int, isNew: Bool) {
        if stored >= growsAt { grow() }
        let fingerprint = hash >> 32
        let mask = 1 << slotBits - 1
        var slot = Int(truncatingIfNeeded: hash >> UInt64(64 - slotBits))
        while true {
            let content = slots[slot]
            if content == 0 { break }
            if content & 0xffff_ffff == fingerprint {
                let number = Int(content >> 32) - 1
                if isEqual(self[number], state) { return (number, false) }
            }
            slot = (slot + 1) & mask
        }
        let number = add(state, parent)
        slots[slot] = UInt64(number + 1) << 32 | fingerprint
        return (number, true)
    }

    /// The number of `state`; nil where it was never met.
    @inlinable
    public func find(_ state: UnsafePointer<UInt64>, hash: UInt64) -> Int? {
        let fingerprint = hash >> 32
        let mask = 1 << slotBits - 1
        var slot = Int(truncatingIfNeeded: hash >> UInt64(64 - slotBits))
        while slots[slot] != 0 {
            let number = Int(slots[slot] >> 32) - 1
            if slots[slot] & 0xffff_ffff == fingerprint, isEqual(self[number], state) { return number }
            slot = (slot + 1) & mask
        }
        return nil
    }

    @inlinable
    @inline(__always)
    func isEqual(_ left: UnsafePointer<UInt64>, _ right: UnsafePointer<UInt64>) -> Bool {
        for index in 0..<wordCount where left[index] != right[index] { return false }
        return true
    }

    @usableFromInline
    mutating func add(_ state: UnsafePointer<UInt64>, _ parent: UInt32) -> Int {
        let number = stored
        if number >> Self.chunkShift == chunkCount { addChunk() }
        self[number].update(from: state, count: wordCount)
        parents[number >> Self.chunkShift][number & (Self.chunkStates - 1)] = parent
        stored += 1
        return number
    }

    private mutating func addChunk() {
        if chunkCount == chunkCapacity {
            chunks = Self.widen(chunks, chunkCapacity)
            parents = Self.widen(parents, chunkCapacity)
            chunkCapacity *= 2
        }
        chunks[chunkCount] = .allocate(capacity: Self.chunkStates * wordCount)
        parents[chunkCount] = .allocate(capacity: Self.chunkStates)
        chunkCount += 1
    }

    private static func widen<Element>(
        _ old: UnsafeMutablePointer<Element>, _ count: Int
    ) -> UnsafeMutablePointer<Element> {
        let new = UnsafeMutablePointer<Element>.allocate(capacity: count * 2)
        new.moveInitialize(from: old, count: count)
        old.deallocate()
        return new
    }

    /// Doubles the slots. Homes are upper bits, so both tables are gone through in the same order.
    @usableFromInline
    mutating func grow() {
        let old = slots
        let oldCount = 1 << slotBits
        slotBits += 1
        growsAt = Self.load(slotBits)
        let mask = 1 << slotBits - 1
        slots = .allocate(capacity: 1 << slotBits)
        slots.initialize(repeating: 0, count: 1 << slotBits)
        for index in 0..<oldCount where old[index] != 0 {
            let home = (old[index] & 0xffff_ffff) >> UInt64(32 - slotBits)
            var slot = Int(home)
            while slots[slot] != 0 { slot = (slot + 1) & mask }
            slots[slot] = old[index]
        }
        old.deallocate()
    }
}
