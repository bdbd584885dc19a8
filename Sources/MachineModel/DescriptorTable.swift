public import X86

/// What a selector stands for; limits are not modelled, all segments span the address space.
public struct SegmentDescriptor: Sendable, Hashable {
    public enum Kind: Sendable, Hashable {
        case code, data, taskState
    }

    public var kind: Kind
    public var privilegeLevel: Int
    /// Code of 64-bit mode (L).
    public var is64Bit: Bool
    public var base: UInt64

    public init(_ kind: Kind, privilegeLevel: Int, is64Bit: Bool = false, base: UInt64 = 0) {
        (self.kind, self.privilegeLevel, self.is64Bit, self.base) = (kind, privilegeLevel, is64Bit, base)
    }

    /// The access rights of a present descriptor as LAR shows them, without the base and the limit.
    var accessRights: UInt64 {
        let type: UInt64 =
            switch kind {
            case .code: 0x9b
            case .data: 0x93
            case .taskState: 0x8b
            }
        let width: UInt64 = is64Bit ? 0xa : kind == .taskState ? 0 : 0xc
        return type << 8 | UInt64(privilegeLevel) << 13 | width << 20
    }
}

/// The GDT, as a value: descriptors by index. Guest memory holds none.
public struct DescriptorTable: Sendable {
    public var entries: [SegmentDescriptor?]

    public init(entries: [SegmentDescriptor?]) {
        self.entries = entries
    }

    /// The descriptor that `selector` names; nil for NULL, the LDT and empty slots.
    public func descriptor(_ selector: UInt16) -> SegmentDescriptor? {
        let index = Int(selector >> 3)
        guard selector & 4 == 0, index > 0, index < entries.count else { return nil }
        return entries[index]
    }

    /// Linux's GDT (asm/segment.h).
    public static func linux(_ mode: ProcessorMode) -> DescriptorTable {
        mode == .x86_64 ? linux64 : linux32
    }

    // GDT_ENTRY_KERNEL32_CS 1, KERNEL_CS 2, KERNEL_DS 3, DEFAULT_USER32_CS 4, DEFAULT_USER_DS 5, DEFAULT_USER_CS 6, TSS 8.
    private static let linux64 = DescriptorTable(entries: [
        nil, SegmentDescriptor(.code, privilegeLevel: 0), SegmentDescriptor(.code, privilegeLevel: 0, is64Bit: true),
        SegmentDescriptor(.data, privilegeLevel: 0), SegmentDescriptor(.code, privilegeLevel: 3),
        SegmentDescriptor(.data, privilegeLevel: 3), SegmentDescriptor(.code, privilegeLevel: 3, is64Bit: true), nil,
        SegmentDescriptor(.taskState, privilegeLevel: 0),
    ])

    // KERNEL_CS 12, KERNEL_DS 13, DEFAULT_USER_CS 14, DEFAULT_USER_DS 15, TSS 16, PERCPU 27.
    private static let linux32: DescriptorTable = {
        var entries = [SegmentDescriptor?](repeating: nil, count: 32)
        entries[12] = SegmentDescriptor(.code, privilegeLevel: 0)
        entries[13] = SegmentDescriptor(.data, privilegeLevel: 0)
        entries[14] = SegmentDescriptor(.code, privilegeLevel: 3)
        entries[15] = SegmentDescriptor(.data, privilegeLevel: 3)
        entries[16] = SegmentDescriptor(.taskState, privilegeLevel: 0)
        entries[27] = SegmentDescriptor(.data, privilegeLevel: 0)
        return DescriptorTable(entries: entries)
    }()
}

/// Selectors of Linux (asm/segment.h).
public enum LinuxSelector {
    /// __KERNEL_CS.
    public static func kernelCode(_ mode: ProcessorMode) -> UInt16 { mode == .x86_64 ? 0x10 : 0x60 }
    /// __KERNEL_DS.
    public static func kernelData(_ mode: ProcessorMode) -> UInt16 { mode == .x86_64 ? 0x18 : 0x68 }
    /// __USER_CS.
    public static func userCode(_ mode: ProcessorMode) -> UInt16 { mode == .x86_64 ? 0x33 : 0x73 }
    /// __USER_DS.
    public static func userData(_ mode: ProcessorMode) -> UInt16 { mode == .x86_64 ? 0x2b : 0x7b }
}
