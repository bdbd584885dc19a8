public import X86

/// struct dyn_ftrace: one site that the compiler left in front of a function.
public struct DynFtrace: Sendable, Hashable {
    /// FTRACE_FL_*: what is wanted of the site, and, with `_EN`, what its text says.
    @frozen
    public struct Flags: OptionSet, Sendable, Hashable {
        public let rawValue: UInt32

        @inlinable
        public init(rawValue: UInt32) {
            self.rawValue = rawValue
        }

        /// FTRACE_FL_ENABLED: the site is a CALL.
        public static let enabled = Flags(rawValue: 1 << 31)
        /// FTRACE_FL_REGS: some ops wants all registers saved.
        public static let regs = Flags(rawValue: 1 << 30)
        /// FTRACE_FL_REGS_EN
        public static let regsEnabled = Flags(rawValue: 1 << 29)
        /// FTRACE_FL_TRAMP: the only ops has a trampoline of its own.
        public static let trampoline = Flags(rawValue: 1 << 28)
        /// FTRACE_FL_TRAMP_EN
        public static let trampolineEnabled = Flags(rawValue: 1 << 27)
        /// FTRACE_FL_IPMODIFY: an ops may change where the function goes on.
        public static let ipModify = Flags(rawValue: 1 << 26)
        /// FTRACE_FL_DISABLED: never to be touched.
        public static let disabled = Flags(rawValue: 1 << 25)
        /// FTRACE_FL_DIRECT
        public static let direct = Flags(rawValue: 1 << 24)
        /// FTRACE_FL_DIRECT_EN
        public static let directEnabled = Flags(rawValue: 1 << 23)
    }

    /// FTRACE_REF_MAX: the number of ops that can use one record.
    public static let countMax: UInt32 = (1 << 23) - 1

    public let address: VirtualAddress
    /// The flags and, in the low 23 bits, the number of ops that use the record.
    public internal(set) var word: UInt32

    public init(address: VirtualAddress, word: UInt32 = 0) {
        self.address = address
        self.word = word
    }

    /// ftrace_rec_count()
    public var count: Int {
        Int(word & Self.countMax)
    }

    public var flags: Flags {
        Flags(rawValue: word & ~Self.countMax)
    }

    public func has(_ flag: Flags) -> Bool {
        word & flag.rawValue != 0
    }

    mutating func set(_ flag: Flags, _ wanted: Bool = true) {
        if wanted { word |= flag.rawValue } else { word &= ~flag.rawValue }
    }

    /// skip_record(): disabled, and its text isn't a CALL that would have to go.
    var isSkipped: Bool {
        has(.disabled) && !has(.enabled)
    }
}

/// FTRACE_UPDATE_*: what a record's text needs to agree with what is wanted of it.
public enum FtraceUpdateKind: Sendable, Hashable {
    /// FTRACE_UPDATE_IGNORE
    case ignore
    /// FTRACE_UPDATE_MAKE_CALL: from NOP to CALL.
    case makeCall
    /// FTRACE_UPDATE_MODIFY_CALL: from one CALL to another.
    case modifyCall
    /// FTRACE_UPDATE_MAKE_NOP
    case makeNop
}

extension DynFtrace {
    /// ftrace_test_record(): `enable` is false when all calls are being turned off.
    public func updateKind(enable: Bool = true) -> FtraceUpdateKind {
        var copy = self
        return copy.check(enable: enable, update: false)
    }

    /// ftrace_update_record(): the same, and the `_EN` flags follow.
    mutating func update(enable: Bool = true) -> FtraceUpdateKind {
        check(enable: enable, update: true)
    }

    /// ftrace_check_record(). A record whose wanted and present flags differ carries the differing flags beside ENABLED in
    /// `wanted`, so that the comparison with ENABLED fails.
    private mutating func check(enable: Bool, update: Bool) -> FtraceUpdateKind {
        if isSkipped { return .ignore }
        var wanted: Flags = enable && count > 0 ? .enabled : []
        if !wanted.isEmpty {
            if has(.regs) != has(.regsEnabled) { wanted.insert(.regs) }
            if has(.trampoline) != has(.trampolineEnabled) { wanted.insert(.trampoline) }
            // A direct function is called only while its ops is alone.
            if (count == 1 && has(.direct)) != has(.directEnabled) { wanted.insert(.direct) }
        }
        if flags.intersection(.enabled) == wanted { return .ignore }

        if wanted.isEmpty {
            if update {
                word =
                    count == 0
                    ? word & Flags.disabled.rawValue
                    : word & ~([.enabled, .trampolineEnabled, .regsEnabled, .directEnabled] as Flags).rawValue
            }
            return .makeNop
        }
        let fromNop = !has(.enabled)
        if update {
            set(.enabled)
            if wanted.contains(.regs) { set(.regsEnabled, has(.regs)) }
            if wanted.contains(.trampoline) { set(.trampolineEnabled, has(.trampoline)) }
            if wanted.contains(.direct) { set(.directEnabled, count == 1 && has(.direct)) }
        }
        return fromNop ? .makeCall : .modifyCall
    }
}
