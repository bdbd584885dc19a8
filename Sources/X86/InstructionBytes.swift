/// The encoding of one instruction, or any run of up to 15 bytes (SDM vol. 2, 2.3.11), kept inline.
@frozen
public struct InstructionBytes: Hashable, Sendable {
    /// The longest instruction that the processor decodes.
    public static let lengthMax = 15

    // Little-endian: byte i of the instruction is byte i of (low, high).
    @usableFromInline var low: UInt64
    @usableFromInline var high: UInt64
    public let count: Int

    @inlinable
    public init(low: UInt64, high: UInt64, count: Int) {
        precondition(count >= 0 && count <= Self.lengthMax, "an instruction has at most 15 bytes")
        let lowCount = min(count, 8)
        self.low = lowCount == 8 ? low : low & ((1 << UInt64(lowCount * 8)) - 1)
        self.high = count <= 8 ? 0 : high & ((1 << UInt64((count - 8) * 8)) - 1)
        self.count = count
    }

    @inlinable
    public init(_ bytes: some Collection<UInt8>) {
        var low: UInt64 = 0
        var high: UInt64 = 0
        var index = 0
        for byte in bytes {
            precondition(index < Self.lengthMax, "an instruction has at most 15 bytes")
            if index < 8 {
                low |= UInt64(byte) << UInt64(index * 8)
            } else {
                high |= UInt64(byte) << UInt64((index - 8) * 8)
            }
            index += 1
        }
        self.low = low
        self.high = high
        self.count = index
    }

    @inlinable
    public subscript(index: Int) -> UInt8 {
        precondition(index >= 0 && index < count, "index inside the instruction")
        return index < 8
            ? UInt8(truncatingIfNeeded: low >> UInt64(index * 8))
            : UInt8(truncatingIfNeeded: high >> UInt64((index - 8) * 8))
    }

    /// Bytes 0...7 and 8...14, little-endian, for hashing and quick comparison.
    @inlinable
    public var words: (low: UInt64, high: UInt64) {
        (low, high)
    }

    public var bytes: [UInt8] {
        (0..<count).map { self[$0] }
    }

    /// The first `length` bytes.
    @inlinable
    public func prefix(_ length: Int) -> InstructionBytes {
        InstructionBytes(low: low, high: high, count: min(length, count))
    }

    /// The same bytes with byte `index` replaced.
    @inlinable
    public func replacing(_ index: Int, with byte: UInt8) -> InstructionBytes {
        precondition(index >= 0 && index < count, "index inside the instruction")
        var copy = self
        if index < 8 {
            let shift = UInt64(index * 8)
            copy.low = copy.low & ~(0xff << shift) | UInt64(byte) << shift
        } else {
            let shift = UInt64((index - 8) * 8)
            copy.high = copy.high & ~(0xff << shift) | UInt64(byte) << shift
        }
        return copy
    }
}

extension InstructionBytes: CustomStringConvertible {
    /// `e8 ab cd ef 01`, as objdump and the kernel's oops code line print bytes.
    public var description: String {
        bytes.map { $0 < 16 ? "0" + String($0, radix: 16) : String($0, radix: 16) }.joined(separator: " ")
    }
}

extension InstructionBytes {
    /// `cc`, the one-byte breakpoint (INT3_INSN_OPCODE).
    public static let int3 = InstructionBytes([0xcc])
    /// x86_64's P6 NOP5, `nopl 0(%rax,%rax,1)` (x86_nops[5]).
    public static let nop5 = InstructionBytes([0x0f, 0x1f, 0x44, 0x00, 0x00])
    /// i386's NOP5, `ds leal 0(%esi,%eiz,1),%esi` (x86_nops[5] with CONFIG_X86_32).
    public static let nop5For32Bit = InstructionBytes([0x3e, 0x8d, 0x74, 0x26, 0x00])
    /// `66 90`, the two-byte NOP (x86_nops[2]).
    public static let nop2 = InstructionBytes([0x66, 0x90])

    /// `e8 rel32` at `site` to `target` (text_gen_insn with CALL_INSN_OPCODE).
    public static func call(from site: VirtualAddress, to target: VirtualAddress) -> InstructionBytes {
        relative(opcode: 0xe8, from: site, to: target)
    }

    /// `e9 rel32` at `site` to `target` (text_gen_insn with JMP32_INSN_OPCODE).
    public static func jump(from site: VirtualAddress, to target: VirtualAddress) -> InstructionBytes {
        relative(opcode: 0xe9, from: site, to: target)
    }

    /// The NOP5 of a width.
    public static func nop5(_ mode: ProcessorMode) -> InstructionBytes {
        mode == .x86_64 ? nop5 : nop5For32Bit
    }

    private static func relative(
        opcode: UInt8, from site: VirtualAddress, to target: VirtualAddress
    ) -> InstructionBytes {
        let displacement = UInt32(truncatingIfNeeded: target - (site + 5))
        return InstructionBytes(low: UInt64(opcode) | UInt64(displacement) << 8, high: 0, count: 5)
    }

    /// The displacement of a 5-byte CALL or JMP, read as the processor does.
    @inlinable
    public var displacement32: Int {
        precondition(count == 5, "rel32 follows a one-byte opcode")
        return Int(Int32(truncatingIfNeeded: Int64(bitPattern: low >> 8)))
    }
}
