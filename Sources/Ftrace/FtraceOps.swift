public import X86

/// Names an ops of an `FtraceState`: its slot.
public struct FtraceOpsID: Sendable, Hashable {
    public let slot: Int
}

/// A set of ops of one `FtraceState`, a bit per slot.
public struct FtraceOpsSet: OptionSet, Sendable, Hashable {
    public let rawValue: UInt64

    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    public init(_ id: FtraceOpsID) {
        rawValue = 1 << UInt64(id.slot)
    }

    public func contains(_ id: FtraceOpsID) -> Bool {
        contains(FtraceOpsSet(id))
    }
}

/// struct ftrace_ops: a callback and the records that it is called for.
public struct FtraceOps: Sendable, Hashable {
    /// FTRACE_OPS_FL_*, those that matter here.
    public struct Flags: OptionSet, Sendable, Hashable {
        public let rawValue: UInt16

        public init(rawValue: UInt16) {
            self.rawValue = rawValue
        }

        /// FTRACE_OPS_FL_ENABLED: registered.
        public static let enabled = Flags(rawValue: 1 << 0)
        /// FTRACE_OPS_FL_DYNAMIC: the object may be freed, so its trampoline is freed with the registration.
        public static let dynamic = Flags(rawValue: 1 << 1)
        /// FTRACE_OPS_FL_SAVE_REGS
        public static let saveRegs = Flags(rawValue: 1 << 2)
        /// FTRACE_OPS_FL_STUB: takes up records, but its callback isn't called by the list function.
        public static let stub = Flags(rawValue: 1 << 3)
        /// FTRACE_OPS_FL_ADDING: between the change of the records and that of the text.
        public static let adding = Flags(rawValue: 1 << 4)
        /// FTRACE_OPS_FL_MODIFYING: a hash has changed, the text hasn't.
        public static let modifying = Flags(rawValue: 1 << 5)
        /// FTRACE_OPS_FL_REMOVING
        public static let removing = Flags(rawValue: 1 << 6)
        /// FTRACE_OPS_FL_ALLOC_TRAMP: the trampoline was made for this ops.
        public static let allocatedTrampoline = Flags(rawValue: 1 << 7)
        /// FTRACE_OPS_FL_IPMODIFY
        public static let ipModify = Flags(rawValue: 1 << 8)
        /// FTRACE_OPS_FL_PERMANENT: ftrace can't be switched off by sysctl while it is registered.
        public static let permanent = Flags(rawValue: 1 << 9)
    }

    public let id: FtraceOpsID
    public let name: String
    /// Where the object lies in the simulated kernel's memory; the trampoline loads this as an argument.
    public let address: VirtualAddress
    /// The callback.
    public let function: VirtualAddress
    public internal(set) var flags: Flags
    /// func_hash
    public internal(set) var hash = FtraceOpsHash()
    /// old_hash: what the text still shows while the ops is modified or removed.
    var oldHash = FtraceOpsHash()
    /// The ops' own trampoline, or nil.
    public internal(set) var trampoline: VirtualAddress?

    public var isRegistered: Bool {
        flags.contains(.enabled)
    }
}
