public import X86

/// task_struct.comm: up to 15 bytes and a NUL, kept inline so that a trace entry allocates nothing.
@frozen
public struct TaskComm: Sendable, Hashable {
    /// TASK_COMM_LEN without its NUL.
    public static let lengthMax = 15

    @usableFromInline var low: UInt64
    @usableFromInline var high: UInt64

    /// Longer names are cut, as the kernel does.
    public init(_ name: String) {
        low = 0
        high = 0
        for (index, byte) in name.utf8.prefix(Self.lengthMax).enumerated() {
            if index < 8 {
                low |= UInt64(byte) << UInt64(index * 8)
            } else {
                high |= UInt64(byte) << UInt64((index - 8) * 8)
            }
        }
    }

    /// The bytes up to the first NUL.
    public var bytes: [UInt8] {
        var result: [UInt8] = []
        for index in 0..<Self.lengthMax {
            let byte = UInt8(truncatingIfNeeded: (index < 8 ? low : high) >> UInt64(index % 8 * 8))
            if byte == 0 { break }
            result.append(byte)
        }
        return result
    }
}

extension TaskComm: CustomStringConvertible {
    public var description: String {
        String(decoding: bytes, as: UTF8.self)
    }
}

/// struct trace_entry's context and struct ftrace_entry: one call that the function tracer saw.
@frozen
public struct TraceEntry: Sendable, Hashable {
    /// TRACE_FLAG_*
    @frozen
    public struct Flags: OptionSet, Sendable, Hashable {
        public let rawValue: UInt8

        @inlinable
        public init(rawValue: UInt8) {
            self.rawValue = rawValue
        }

        public static let irqsOff = Flags(rawValue: 0x01)
        /// TRACE_FLAG_NEED_RESCHED
        public static let needResched = Flags(rawValue: 0x04)
        public static let hardirq = Flags(rawValue: 0x08)
        public static let softirq = Flags(rawValue: 0x10)
        /// TRACE_FLAG_PREEMPT_RESCHED
        public static let preemptResched = Flags(rawValue: 0x20)
        public static let nmi = Flags(rawValue: 0x40)
        /// TRACE_FLAG_BH_OFF
        public static let bottomHalvesOff = Flags(rawValue: 0x80)
    }

    public var nanoseconds: UInt64
    /// The traced function: the address of its site.
    public var ip: VirtualAddress
    /// Where it returns to.
    public var parent: VirtualAddress
    public var comm: TaskComm
    public var pid: Int32
    public var flags: Flags
    /// The preemption depth in the low four bits, the migrate-disable depth in the high four.
    public var preemptCount: UInt8

    @inlinable
    public init(
        nanoseconds: UInt64, ip: VirtualAddress, parent: VirtualAddress, pid: Int32, comm: TaskComm, flags: Flags,
        preemptCount: UInt8
    ) {
        self.nanoseconds = nanoseconds
        self.ip = ip
        self.parent = parent
        self.comm = comm
        self.pid = pid
        self.flags = flags
        self.preemptCount = preemptCount
    }
}
