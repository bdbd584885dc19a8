public import X86

/// A run of guest data as the image brought it.
public struct DataRegion: Sendable {
    public let address: UInt64
    public let size: UInt64
    /// Nil for memory that the image does not fill (.bss): nobody wrote it, so a load from it is havoc.
    public let bytes: TextSource?
    public let isWritable: Bool

    public init(address: VirtualAddress, size: Int, bytes: TextSource?, isWritable: Bool) {
        self.address = address.rawValue
        self.size = UInt64(size)
        self.bytes = bytes
        self.isWritable = isWritable
    }
}

/// What never changes while a world runs: the booted text and data, which bytes may be patched, and where control goes
/// that the simulator serves itself. Shared by all CPUs and all copies of a world.
public final class MachineEnvironment: Sendable {
    public let text: TextSource
    public let regions: [DataRegion]
    /// Template of a per-CPU area, addressed from GS.
    public let perCPUTemplate: TextSource?
    /// Read-only data that boot code fills (__start_ro_after_init to __end_ro_after_init).
    public let readOnlyAfterInit: Range<UInt64>
    /// Where every CPU's per-CPU area stands; nil for a place of the simulator's. The areas are private to the CPUs, so
    /// all can stand where the template's own this_cpu_off and __per_cpu_offset[] say: at __per_cpu_load.
    public let perCPUBase: UInt64?
    /// Where an indirect branch through a havoc'd word may go.
    public let havocTargets: [UInt64]
    /// Addresses at which the simulator acts in the text's place.
    public let served: Set<UInt64>
    /// Entries of retpolines, and the register that each jumps to. They execute as that jump: a walk through the
    /// retpoline's own RET would end at the first havoc'd target.
    public let indirectThunks: [UInt64: UInt8]
    public let decoder: InstructionDecoder
    /// The text that no patch changes, decoded once for all CPUs.
    let predecode: Predecode
    /// A bit for each byte of text that a patch may ever change.
    private let patchable: [UInt64]
    /// A bit for each byte of text at which the simulator acts in its place.
    private let servedBits: [UInt64]

    public init(
        text: TextSource, regions: [DataRegion], perCPUTemplate: TextSource?, havocTargets: [UInt64],
        served: Set<UInt64>, mode: ProcessorMode, patchableSites: some Sequence<(VirtualAddress, Int)>,
        indirectThunks: [UInt64: UInt8] = [:], perCPUBase: UInt64? = nil,
        readOnlyAfterInit: Range<UInt64> = 0..<0
    ) {
        self.text = text
        self.regions = regions.sorted { $0.address < $1.address }
        self.perCPUTemplate = perCPUTemplate
        self.havocTargets = havocTargets
        self.served = served
        self.indirectThunks = indirectThunks
        self.perCPUBase = perCPUBase
        self.readOnlyAfterInit = readOnlyAfterInit
        decoder = InstructionDecoder(mode: mode)
        predecode = Predecode(text: text)
        var bits = [UInt64](repeating: 0, count: text.bytes.count / 64 + 1)
        for (site, length) in patchableSites {
            for index in 0..<length {
                let offset = (site + index) - text.address
                if offset >= 0, offset < text.bytes.count { bits[offset / 64] |= 1 << UInt64(offset % 64) }
            }
        }
        patchable = bits
        bits = [UInt64](repeating: 0, count: bits.count)
        for address in served where text.contains(address) {
            let offset = Int(address &- text.address.rawValue)
            bits[offset / 64] |= 1 << UInt64(offset % 64)
        }
        servedBits = bits
    }

    /// Keeps no bytes alive.
    private final class Nobody: Sendable {}

    private static func makeEmpty(_ mode: ProcessorMode) -> MachineEnvironment {
        let none = UnsafeRawBufferPointer(start: nil, count: 0)
        return MachineEnvironment(
            text: TextSource(address: VirtualAddress(0), bytes: none, owner: Nobody()), regions: [],
            perCPUTemplate: nil, havocTargets: [], served: [], mode: mode, patchableSites: [])
    }

    private static let empty64 = makeEmpty(.x86_64)
    private static let empty32 = makeEmpty(.i386)

    /// No text and no data: what a machine with explicit memory stands in.
    static func empty(_ mode: ProcessorMode) -> MachineEnvironment {
        mode == .x86_64 ? empty64 : empty32
    }

    /// Text that never changes and no data: what a machine with explicit memory runs at speed.
    static func plain(_ mode: ProcessorMode, text: TextSource) -> MachineEnvironment {
        MachineEnvironment(
            text: text, regions: [], perCPUTemplate: nil, havocTargets: [], served: [], mode: mode, patchableSites: [])
    }

    /// Bytes that the decoded text takes by now.
    public var predecodeMemory: Int { predecode.memory }

    /// Whether the simulator acts at `address` in the text's place.
    @inline(__always)
    public func isServed(_ address: UInt64) -> Bool {
        let offset = address &- text.address.rawValue
        return offset < UInt64(text.bytes.count) && servedBits[Int(offset / 64)] >> (offset % 64) & 1 != 0
    }

    /// Whether some byte of [address, address + count) may be patched. Text outside of the base always may.
    public func isPatchable(_ address: UInt64, count: Int) -> Bool {
        for index in 0..<count {
            let offset = address &+ UInt64(index) &- text.address.rawValue
            if offset >= UInt64(text.bytes.count) || patchable[Int(offset / 64)] >> (offset % 64) & 1 != 0 {
                return true
            }
        }
        return false
    }

    /// The region that holds `address`, or nil.
    func region(_ address: UInt64) -> DataRegion? {
        var low = 0
        var high = regions.count
        while low < high {
            let middle = (low + high) / 2
            if regions[middle].address <= address { low = middle + 1 } else { high = middle }
        }
        guard low > 0, address &- regions[low - 1].address < regions[low - 1].size else { return nil }
        return regions[low - 1]
    }
}
