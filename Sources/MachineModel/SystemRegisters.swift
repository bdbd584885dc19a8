/// Bits of CR0 and CR4 that the machine looks at (SDM vol. 3, 2.5).
public enum ControlBit {
    public static let protection: UInt64 = 1 << 0
    public static let taskSwitched: UInt64 = 1 << 3
    public static let writeProtect: UInt64 = 1 << 16
    public static let alignmentMask: UInt64 = 1 << 18
    /// MP, ET, NE, PG besides those above: what a kernel runs with.
    static let usual0: UInt64 = 0x8000_0032 | protection | writeProtect

    public static let timeStampDisable: UInt64 = 1 << 2
    public static let performanceCounter: UInt64 = 1 << 8
    public static let userModeInstructionPrevention: UInt64 = 1 << 11
    public static let segmentBase: UInt64 = 1 << 16
    public static let supervisorExecutionPrevention: UInt64 = 1 << 20
    public static let supervisorAccessPrevention: UInt64 = 1 << 21
    /// PAE, PGE, OSFXSR.
    static let usual4: UInt64 = 0x2a0 | segmentBase
}

/// Numbers of the model-specific registers that are modelled (SDM vol. 4).
public enum ModelSpecificRegister {
    public static let sysenterCS: UInt32 = 0x174
    public static let sysenterESP: UInt32 = 0x175
    public static let sysenterEIP: UInt32 = 0x176
    public static let efer: UInt32 = 0xc000_0080
    public static let star: UInt32 = 0xc000_0081
    public static let lstar: UInt32 = 0xc000_0082
    public static let cstar: UInt32 = 0xc000_0083
    public static let sfmask: UInt32 = 0xc000_0084
    public static let fsBase: UInt32 = 0xc000_0100
    public static let gsBase: UInt32 = 0xc000_0101
    public static let kernelGSBase: UInt32 = 0xc000_0102
    public static let tscAux: UInt32 = 0xc000_0103
}

/// Base and limit of the GDT or IDT as LGDT and LIDT load them. What stands in guest memory there is not looked at: the
/// machine's tables are values (`DescriptorTable`, `GateTable`).
public struct TableRegister: Sendable, Hashable {
    public var base: UInt64 = 0
    public var limit: UInt16 = 0

    public init() {}
}

/// The part of the task state segment that the processor reads when it enters a handler.
public struct TaskStateSegment: Sendable, Hashable {
    /// RSP0, or ESP0.
    public var stack0: UInt64 = 0
    /// SS0 of 32 bit.
    public var stackSegment0: UInt16 = 0
    /// IST1 ... IST7 of 64 bit.
    public var interruptStacks: [UInt64] = Array(repeating: 0, count: 7)

    public init() {}
}

/// Processor state besides general registers, RIP and RFLAGS.
public struct SystemRegisters: Sendable {
    public var cr0: UInt64 = ControlBit.usual0
    public var cr2: UInt64 = 0
    public var cr3: UInt64 = 0
    public var cr4: UInt64 = ControlBit.usual4
    /// Task priority; only 64 bit has the register.
    public var cr8: UInt64 = 0
    public var debug = InlineArray<8, UInt64>(repeating: 0)
    public var efer: UInt64
    public var star: UInt64 = 0
    public var lstar: UInt64 = 0
    public var cstar: UInt64 = 0
    public var sfmask: UInt64 = 0
    public var sysenterCS: UInt64 = 0
    public var sysenterESP: UInt64 = 0
    public var sysenterEIP: UInt64 = 0
    public var kernelGSBase: UInt64 = 0
    public var tscAux: UInt64 = 0
    public var fsBase: UInt64 = 0
    public var gsBase: UInt64 = 0
    /// Selectors in encoding order: ES, CS, SS, DS, FS, GS.
    public var selectors = InlineArray<6, UInt16>(repeating: 0)
    public var localTable: UInt16 = 0
    public var taskRegister: UInt16 = 0
    public var gdtr = TableRegister()
    public var idtr = TableRegister()
    /// CPL, 0 or 3 (1 and 2 exist, but nobody uses them).
    public var privilegeLevel = 0
    public var task = TaskStateSegment()

    /// DR6 and DR7 after reset.
    private static let debug6: UInt64 = 0xffff_0ff0
    private static let debug7: UInt64 = 0x400

    init(mode64: Bool) {
        // SCE, LME, LMA, NXE.
        efer = mode64 ? 0xd01 : 0x800
        debug[6] = Self.debug6
        debug[7] = Self.debug7
    }

    public subscript(selector: SegmentName) -> UInt16 {
        get { selectors[selector.rawValue] }
        set { selectors[selector.rawValue] = newValue }
    }

    /// Segment registers in encoding order.
    public enum SegmentName: Int, Sendable, CaseIterable {
        case es, cs, ss, ds, fs, gs
    }
}
