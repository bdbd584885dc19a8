/// A contiguous run of private memory with a state for each byte.
struct PrivateRegion: Sendable {
    enum ByteState {
        static let unwritten: UInt8 = 0
        static let exact: UInt8 = 1
        static let havoc: UInt8 = 2
    }

    var base: UInt64
    let size: Int
    private var data: [UInt8]
    private var state: [UInt8]

    init(base: UInt64, size: Int) {
        self.base = base
        self.size = size
        // Eight bytes of slack let a load of any size read a whole word.
        data = Array(repeating: 0, count: size + 8)
        state = Array(repeating: ByteState.unwritten, count: size + 8)
    }

    @inline(__always)
    func contains(_ address: UInt64, _ count: Int) -> Bool {
        let offset = address &- base
        return offset < UInt64(size) && Int(offset) + count <= size
    }

    /// nil where some byte was never written.
    @inline(__always)
    func load(_ address: UInt64, _ count: Int) -> (value: UInt64, isHavoc: Bool)? {
        let offset = Int(truncatingIfNeeded: address &- base)
        let mask = Self.mask(count)
        let states = state.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: UInt64.self) } & mask
        let value = data.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: UInt64.self) } & mask
        if states == 0x0101_0101_0101_0101 & mask { return (value, false) }
        let written = (states | states >> 1) & 0x0101_0101_0101_0101 & mask
        return written == 0x0101_0101_0101_0101 & mask ? (value, true) : nil
    }

    @inline(__always)
    mutating func store(_ address: UInt64, _ value: UInt64, _ count: Int, isHavoc: Bool) {
        let offset = Int(truncatingIfNeeded: address &- base)
        let mask = Self.mask(count)
        let marks: UInt64 = isHavoc ? 0x0202_0202_0202_0202 : 0x0101_0101_0101_0101
        data.withUnsafeMutableBytes { Self.merge($0, offset, value, mask) }
        state.withUnsafeMutableBytes { Self.merge($0, offset, marks, mask) }
    }

    @inline(__always)
    private static func merge(_ bytes: UnsafeMutableRawBufferPointer, _ offset: Int, _ value: UInt64, _ mask: UInt64) {
        let old = bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        bytes.storeBytes(of: old & ~mask | value & mask, toByteOffset: offset, as: UInt64.self)
    }

    /// The byte and its state.
    func byte(_ address: UInt64) -> (value: UInt8, state: UInt8) {
        let offset = Int(truncatingIfNeeded: address &- base)
        return (data[offset], state[offset])
    }

    @inline(__always)
    static func mask(_ count: Int) -> UInt64 {
        count >= 8 ? ~0 : (1 << UInt64(count * 8)) - 1
    }
}

/// The writable memory of one task: its kernel stack, an arena that havoc'd pointers lead into, and copies of the image
/// pages that it wrote. Private, so that a run is fixed by the CPU's own steps; docs/MODEL.md says what this hides.
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
    var stack: PrivateRegion
    var arena: PrivateRegion
    var overlay: [UInt64: PrivateRegion] = [:]

    /// Memory of task `number`; `seed` decides the content of what nobody wrote.
    public init(number: Int, seed: UInt64) {
        stackBase = 0xffff_c900_0000_0000 + UInt64(number) * 0x8000
        arenaBase = 0xffff_8881_0000_0000 + UInt64(number) * 0x10000
        self.seed = seed
        stack = PrivateRegion(base: stackBase, size: Self.stackSize)
        arena = PrivateRegion(base: arenaBase, size: Self.arenaSize)
    }

    /// The address just above the stack.
    public var stackTop: UInt64 {
        stackBase + UInt64(Self.stackSize)
    }
}
