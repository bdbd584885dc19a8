public import X86

/// Why a case can't be run.
public struct ScratchCaseError: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// Code, registers and memory to execute on a CPU of its own.
public struct ScratchCase: Sendable, Hashable {
    /// Bytes of one case line.
    public static let lineMax = 1 << 20
    /// Instructions of one case.
    public static let stepsMax = 100_000_000
    /// Bytes of code.
    public static let codeMax = 1 << 16
    /// Pieces of memory that a case names.
    public static let memoryCountMax = 256
    /// Bytes of memory that a case names.
    public static let memoryMax = 1 << 20
    /// Where code stands unless `rip` says otherwise.
    public static let codeAddress: UInt64 = 0x1000
    /// RSP unless the case says otherwise.
    public static let stackPointer: UInt64 = 0x80000
    /// The stack's 64 KiB lie around `stackPointer`, so that code may pop what it didn't push.
    static let stackBase: UInt64 = 0x78000
    static let stackSize = 0x10000

    /// What is executed.
    public enum Code: Sendable, Hashable {
        case bytes([UInt8])
        case assembly(String)
        /// A function of the image that the run was given. It is called: its return ends the case.
        case function(String)
    }

    /// Bytes somewhere; their pages are mapped.
    public struct Memory: Sendable, Hashable {
        public var address: VirtualAddress
        public var bytes: [UInt8]
        public var isWritable = true
        public var isExecutable = false
        /// The page belongs to user mode; nil: it does where the case runs in user mode.
        public var isUser: Bool?

        public init(address: VirtualAddress, bytes: [UInt8]) {
            self.address = address
            self.bytes = bytes
        }
    }

    public var mode: ProcessorMode
    public var code: Code
    /// Names as `ScratchRegister` knows them.
    public var registers: [ScratchRegister: UInt64] = [:]
    public var memory: [Memory] = []
    public var steps = 1
    /// 0 or 3.
    public var privilegeLevel = 0
    /// CR4.SMAP and CR4.SMEP.
    public var preventsSupervisorAccess = false
    public var preventsSupervisorExecution = false

    public init(mode: ProcessorMode, code: Code) {
        self.mode = mode
        self.code = code
    }

    /// Where the first instruction stands.
    public var start: UInt64 {
        registers[.rip] ?? Self.codeAddress
    }

    /// Throws where a limit is exceeded or something doesn't fit the mode.
    public func check() throws(ScratchCaseError) {
        guard (0...Self.stepsMax).contains(steps) else {
            throw ScratchCaseError("steps: at most \(Self.stepsMax), not \(steps)")
        }
        guard privilegeLevel == 0 || privilegeLevel == 3 else {
            throw ScratchCaseError("cpl: 0 or 3, not \(privilegeLevel)")
        }
        guard memory.count <= Self.memoryCountMax else {
            throw ScratchCaseError("memory: at most \(Self.memoryCountMax) pieces, not \(memory.count)")
        }
        var bytes = 0
        for piece in memory {
            bytes += piece.bytes.count
            try checkRange(piece.address.rawValue, piece.bytes.count, "memory")
        }
        guard bytes <= Self.memoryMax else {
            throw ScratchCaseError("memory: at most \(Self.memoryMax) bytes, not \(bytes)")
        }
        if case .bytes(let code) = code {
            guard code.count <= Self.codeMax else {
                throw ScratchCaseError("bytes: at most \(Self.codeMax), not \(code.count)")
            }
            try checkRange(start, code.count, "bytes")
        }
        for (register, value) in registers { try register.check(value, mode) }
    }

    func checkRange(_ address: UInt64, _ count: Int, _ member: String) throws(ScratchCaseError) {
        let last = address.addingReportingOverflow(UInt64(max(count, 1) - 1))
        guard !last.overflow, mode == .x86_64 || last.partialValue <= UInt64(UInt32.max) else {
            throw ScratchCaseError("\(member): 0x\(String(address, radix: 16)) and \(count) bytes are no addresses")
        }
    }
}
