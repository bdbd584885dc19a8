public import MachineModel
public import X86

/// Memory as code of the kernel reaches it on one CPU: with the rights that the CPU has at that moment.
public protocol KernelMemory {
    /// `size` bytes (4 or 8), little-endian; nil where the load faults.
    mutating func load(_ address: UInt64, size: Int) -> UInt64?
    /// False where the store faults; nothing has happened then.
    mutating func store(_ address: UInt64, _ value: UInt64, size: Int) -> Bool
}

/// The memory of a simulated CPU in a world. Valid while the CPU that it points to stays where it is.
public struct CPUMemory: KernelMemory {
    private let cpu: UnsafeMutablePointer<CPUState>
    private let machine: MachineAccess

    public init(_ cpu: UnsafeMutablePointer<CPUState>, _ machine: MachineAccess) {
        self.cpu = cpu
        self.machine = machine
    }

    public mutating func load(_ address: UInt64, size: Int) -> UInt64? {
        cpu.pointee.readWord(address, machine)
    }

    public mutating func store(_ address: UInt64, _ value: UInt64, size: Int) -> Bool {
        cpu.pointee.writeWord(address, value, machine)
    }
}

/// struct pt_regs on a kernel stack: 21 words of x86_64, 17 words of i386, `bx`-style names as in asm/ptrace.h.
public struct PtRegs: Sendable, Hashable {
    /// The words of both widths.
    public enum Slot: String, Sendable, CaseIterable {
        case r15, r14, r13, r12, r11, r10, r9, r8
        case bp, bx, ax, cx, dx, si, di
        case ds, es, fs, gs
        case origAx, ip, cs, flags, sp, ss
    }

    private static let order64: [Slot] = [
        .r15, .r14, .r13, .r12, .bp, .bx, .r11, .r10, .r9, .r8, .ax, .cx, .dx, .si, .di, .origAx, .ip, .cs, .flags,
        .sp, .ss,
    ]
    private static let order32: [Slot] = [
        .bx, .cx, .dx, .si, .di, .bp, .ax, .ds, .es, .fs, .gs, .origAx, .ip, .cs, .flags, .sp, .ss,
    ]
    private static let places64 = places(order64)
    private static let places32 = places(order32)

    private static func places(_ order: [Slot]) -> [Slot: Int] {
        Dictionary(uniqueKeysWithValues: order.enumerated().map { ($1, $0) })
    }

    /// The words that a frame of `mode` has, the lowest first.
    public static func slots(_ mode: ProcessorMode) -> [Slot] {
        mode == .x86_64 ? order64 : order32
    }

    /// sizeof(struct pt_regs), in bytes.
    public static func size(_ mode: ProcessorMode) -> UInt64 {
        UInt64(slots(mode).count * mode.wordSize)
    }

    /// Where the frame's lowest word stands.
    public let base: UInt64
    public let mode: ProcessorMode

    public init(base: UInt64, mode: ProcessorMode) {
        self.base = base
        self.mode = mode
    }

    /// Where a word stands; the frame's width has it.
    public func address(_ slot: Slot) -> UInt64 {
        guard let place = (mode == .x86_64 ? Self.places64 : Self.places32)[slot] else {
            preconditionFailure("pt_regs of \(mode) have no \(slot)")
        }
        return base &+ UInt64(place * mode.wordSize)
    }

    /// A word; nil where the load faults.
    public func read(_ slot: Slot, _ memory: inout some KernelMemory) -> UInt64? {
        memory.load(address(slot), size: mode.wordSize)
    }

    /// False where the store faults.
    public func write(_ slot: Slot, _ value: UInt64, _ memory: inout some KernelMemory) -> Bool {
        memory.store(address(slot), mode.wordSize == 4 ? value & 0xffff_ffff : value, size: mode.wordSize)
    }

    /// user_mode(): the interrupted privilege level is 3, or virtual 8086 mode was on.
    public func isUserMode(_ memory: inout some KernelMemory) -> Bool {
        if mode == .i386, let flags = read(.flags, &memory), flags & FlagBit.virtual8086 != 0 { return true }
        return read(.cs, &memory).map { $0 & 3 != 0 } ?? false
    }
}

/// Segment selectors of the kernel (asm/segment.h).
public enum Segment {
    public static let kernelCode: UInt64 = 0x10
    public static let kernelData: UInt64 = 0x18
}
