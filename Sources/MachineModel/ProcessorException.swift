public import X86

/// An exception or interrupt with what its frame holds (SDM vol. 3, 6.15).
public struct ProcessorException: Error, Sendable, Hashable {
    public enum Vector {
        public static let divideError: UInt8 = 0
        public static let debug: UInt8 = 1
        public static let nonMaskable: UInt8 = 2
        public static let breakpoint: UInt8 = 3
        public static let overflow: UInt8 = 4
        public static let boundRange: UInt8 = 5
        public static let undefinedOpcode: UInt8 = 6
        public static let doubleFault: UInt8 = 8
        public static let segmentNotPresent: UInt8 = 11
        public static let stackFault: UInt8 = 12
        public static let generalProtection: UInt8 = 13
        public static let pageFault: UInt8 = 14
        public static let alignmentCheck: UInt8 = 17
        public static let machineCheck: UInt8 = 18
    }

    public var vector: UInt8
    public var errorCode: UInt32?
    /// The linear address of a #PF, which CR2 takes.
    public var address: VirtualAddress?

    public init(vector: UInt8, errorCode: UInt32? = nil, address: VirtualAddress? = nil) {
        (self.vector, self.errorCode, self.address) = (vector, errorCode, address)
    }

    /// Saved RIP is the instruction's own, and the saved flags have RF set.
    public var isFault: Bool {
        switch vector {
        case Vector.debug, Vector.nonMaskable, Vector.breakpoint, Vector.overflow, Vector.doubleFault,
            Vector.machineCheck:
            false
        default: vector < 32
        }
    }

    /// How it combines with a second one that comes while it is delivered (SDM vol. 3, table 6-5).
    enum Severity {
        case benign, contributory, pageFault
    }

    var severity: Severity {
        switch vector {
        case Vector.divideError, 10, Vector.segmentNotPresent, Vector.stackFault, Vector.generalProtection, 21:
            .contributory
        case Vector.pageFault: .pageFault
        default: .benign
        }
    }
}

/// Where an event comes from, which decides about privilege checks and the error code's EXT bit.
public enum EventSource: Sendable, Hashable {
    /// An exception that the processor found.
    case exception
    /// INT n, INT3, INTO: the gate's privilege level is checked.
    case software
    /// An interrupt or NMI from outside.
    case external
}

/// One entry of the IDT.
public struct Gate: Sendable, Hashable {
    public var handler: VirtualAddress
    public var selector: UInt16
    /// A trap gate leaves IF as it is; an interrupt gate clears it.
    public var isTrap: Bool
    /// The outermost level from which INT n may use the gate.
    public var privilegeLevel: Int
    /// 1...7: the stack of the interrupt stack table; 0: none. 64-bit only.
    public var interruptStack: Int

    public init(
        handler: VirtualAddress, selector: UInt16, isTrap: Bool = false, privilegeLevel: Int = 0,
        interruptStack: Int = 0
    ) {
        precondition((0...7).contains(interruptStack), "the interrupt stack table has seven entries")
        (self.handler, self.selector, self.isTrap) = (handler, selector, isTrap)
        (self.privilegeLevel, self.interruptStack) = (privilegeLevel, interruptStack)
    }
}

/// The IDT, as a value. Guest memory holds none.
public struct GateTable: Sendable {
    public static let size = 256
    private var entries: [Gate?] = Array(repeating: nil, count: GateTable.size)

    public init() {}

    public subscript(vector: UInt8) -> Gate? {
        get { entries[Int(vector)] }
        set { entries[Int(vector)] = newValue }
    }
}

/// What differs between processors, as data.
public struct ProcessorOptions: Sendable, Hashable {
    /// The shadow of STI holds NMIs off, too: P6 and later do, P5 and Quark don't.
    public var interruptShadowBlocksNMI = false
    /// A pushed segment register leaves the slot's upper bytes as they are, as recent Intel processors do.
    public var pushesSegmentsAs16Bits = false

    public init() {}
}
