/// Bytes of guest memory, and a state for each byte where havoc is tracked. Outside of text nothing else holds any.
final class MemoryBlock: @unchecked Sendable {
    // Sendable: bytes change only while `PrivateRegion` knows itself to be the only owner.
    let data: UnsafeMutableRawPointer
    /// Nil where every byte counts as written.
    let state: UnsafeMutableRawPointer?
    let size: Int

    /// Eight bytes of slack let a load of any size read a whole word.
    private static let slack = 8

    init(size: Int, tracksHavoc: Bool) {
        self.size = size
        data = .allocate(byteCount: size + Self.slack, alignment: 64)
        data.initializeMemory(as: UInt8.self, repeating: 0, count: size + Self.slack)
        state = tracksHavoc ? .allocate(byteCount: size + Self.slack, alignment: 64) : nil
        state?.initializeMemory(as: UInt8.self, repeating: PrivateRegion.ByteState.unwritten, count: size + Self.slack)
    }

    init(copying other: MemoryBlock) {
        size = other.size
        data = .allocate(byteCount: size + Self.slack, alignment: 64)
        data.copyMemory(from: other.data, byteCount: size + Self.slack)
        if let otherState = other.state {
            let copy = UnsafeMutableRawPointer.allocate(byteCount: size + Self.slack, alignment: 64)
            copy.copyMemory(from: otherState, byteCount: size + Self.slack)
            state = copy
        } else {
            state = nil
        }
    }

    deinit {
        data.deallocate()
        state?.deallocate()
    }
}

/// A contiguous run of private memory; copied when a copy of it is written.
struct PrivateRegion: Sendable {
    enum ByteState {
        static let unwritten: UInt8 = 0
        static let exact: UInt8 = 1
        static let havoc: UInt8 = 2
    }

    let base: UInt64
    let size: Int
    private(set) var block: MemoryBlock

    init(base: UInt64, size: Int, tracksHavoc: Bool = true) {
        self.base = base
        self.size = size
        block = MemoryBlock(size: size, tracksHavoc: tracksHavoc)
    }

    /// Makes sure that nobody else sees what is stored from now on.
    @inline(__always)
    mutating func makeUnique() {
        if !isKnownUniquelyReferenced(&block) { block = MemoryBlock(copying: block) }
    }

    @inline(__always)
    func contains(_ address: UInt64, _ count: Int) -> Bool {
        let offset = address &- base
        return offset < UInt64(size) && Int(offset) + count <= size
    }

    /// nil where some byte was never written.
    @inline(__always)
    func load(_ address: UInt64, _ count: Int) -> Word? {
        let offset = Int(truncatingIfNeeded: address &- base)
        let mask = Self.mask(count)
        let value = block.data.loadUnaligned(fromByteOffset: offset, as: UInt64.self) & mask
        guard let state = block.state else { return Word(value: value, isHavoc: false) }
        let states = state.loadUnaligned(fromByteOffset: offset, as: UInt64.self) & mask
        if states == 0x0101_0101_0101_0101 & mask { return Word(value: value, isHavoc: false) }
        let written = (states | states >> 1) & 0x0101_0101_0101_0101 & mask
        return written == 0x0101_0101_0101_0101 & mask ? Word(value: value, isHavoc: true) : nil
    }

    @inline(__always)
    mutating func store(_ address: UInt64, _ word: Word, _ count: Int) {
        makeUnique()
        let offset = Int(truncatingIfNeeded: address &- base)
        let mask = Self.mask(count)
        Self.merge(block.data, offset, word.value, mask)
        if let state = block.state {
            Self.merge(state, offset, word.isHavoc ? 0x0202_0202_0202_0202 : 0x0101_0101_0101_0101, mask)
        }
    }

    @inline(__always)
    private static func merge(_ bytes: UnsafeMutableRawPointer, _ offset: Int, _ value: UInt64, _ mask: UInt64) {
        let old = bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        bytes.storeBytes(of: old & ~mask | value & mask, toByteOffset: offset, as: UInt64.self)
    }

    /// The byte and its state.
    func byte(_ address: UInt64) -> (value: UInt8, state: UInt8) {
        let offset = Int(truncatingIfNeeded: address &- base)
        return (
            block.data.load(fromByteOffset: offset, as: UInt8.self),
            block.state?.load(fromByteOffset: offset, as: UInt8.self) ?? ByteState.exact
        )
    }

    @inline(__always)
    static func mask(_ count: Int) -> UInt64 {
        count >= 8 ? ~0 : (1 << UInt64(count * 8)) - 1
    }
}

/// Page permissions as paging gives them: what is present can be read. None of them means supervisor only, read-only and
/// not executable.
public struct PagePermissions: OptionSet, Sendable, Hashable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    public static let write = PagePermissions(rawValue: 1)
    public static let execute = PagePermissions(rawValue: 2)
    public static let user = PagePermissions(rawValue: 4)
}

/// Pages of a machine whose memory is mapped explicitly.
struct MappedRegion: Sendable {
    var region: PrivateRegion
    let permissions: PagePermissions
}

/// The writable memory of one task: its kernel stack, an arena that havoc'd pointers lead into, and copies of the image
/// pages that it wrote. Private, so that a run is fixed by the CPU's own steps; docs/MODEL.md says what this hides.
///
/// Or, for a machine without an image, pages that were mapped explicitly: everything else is not present.
public struct GuestMemory: Sendable {
    /// THREAD_SIZE of x86_64.
    public static let stackSize = 16 * 1024
    public static let arenaSize = 32 * 1024
    /// Copies of image pages that a task keeps; beyond it forgets them all.
    public static let overlayPagesMax = 64
    static let pageSize: UInt64 = 4096

    public let stackBase: UInt64
    public let arenaBase: UInt64
    let seed: UInt64
    /// Only what is in `mapped` is present, and nothing is havoc.
    let isExplicit: Bool
    var stack: PrivateRegion
    var arena: PrivateRegion
    var overlay: [UInt64: PrivateRegion] = [:]
    /// Ascending.
    var mapped: [MappedRegion] = []

    /// Memory of task `number`; `seed` decides the content of what nobody wrote.
    public init(number: Int, seed: UInt64) {
        stackBase = 0xffff_c900_0000_0000 + UInt64(number) * 0x8000
        arenaBase = 0xffff_8881_0000_0000 + UInt64(number) * 0x10000
        self.seed = seed
        isExplicit = false
        stack = PrivateRegion(base: stackBase, size: Self.stackSize)
        arena = PrivateRegion(base: arenaBase, size: Self.arenaSize)
    }

    /// Memory in which nothing is present yet.
    init() {
        (stackBase, arenaBase, seed) = (0, 0, 0)
        isExplicit = true
        stack = PrivateRegion(base: 0, size: 0, tracksHavoc: false)
        arena = stack
    }

    /// The address just above the stack.
    public var stackTop: UInt64 {
        stackBase + UInt64(Self.stackSize)
    }

    /// The place in `mapped` of the region that holds `address`.
    @inline(__always)
    func mappedIndex(_ address: UInt64) -> Int? {
        var index = 0
        while index < mapped.count {
            if mapped[index].region.contains(address, 1) { return index }
            index += 1
        }
        return nil
    }
}
