import X86

/// The instruction at a static_branch() site as the file has it.
struct JumpSite {
    /// 2 or 5 bytes.
    let length: Int
    /// Where it jumps; nil for a NOP.
    let jumpTarget: UInt64?

    /// i386's two-byte NOP, `movl %esi,%esi` (x86_nops[2] without CONFIG_64BIT).
    static let nop2For32Bit = InstructionBytes([0x89, 0xf6])

    /// Nil where the bytes are neither of the jumps nor one of the NOPs that compilers and objtool leave.
    init?(_ code: UInt64, _ map: AddressMap) {
        guard let at = map.fileOffset(code, count: 2) else { return nil }
        let bytes = map.reader.bytes
        switch (bytes[at], bytes[at + 1]) {
        case (0xeb, let displacement):
            length = 2
            let distance = Int64(Int8(bitPattern: displacement)) + 2
            jumpTarget = (code &+ UInt64(bitPattern: distance)) & map.addressMask
        case (0x66, 0x90), (0x89, 0xf6):
            length = 2
            jumpTarget = nil
        default:
            guard let at = map.fileOffset(code, count: 5) else { return nil }
            length = 5
            if bytes[at] == 0xe9 {
                jumpTarget = map.relativeTarget(code, at)
            } else if map.reader.has(InstructionBytes.nop5.bytes, at: at)
                || map.reader.has(InstructionBytes.nop5For32Bit.bytes, at: at)
            {
                jumpTarget = nil
            } else {
                return nil
            }
        }
    }

    /// Whether a jump of this length can get from `code` to `target`, and does where the file holds the jump.
    func reaches(_ target: UInt64, _ code: UInt64) -> Bool {
        if let jumpTarget { return jumpTarget == target }
        return length == 5 || Int8(exactly: VirtualAddress(target) - VirtualAddress(code) - 2) != nil
    }
}

extension AddressMap {
    /// Where the `rel32` behind the one-byte opcode at file offset `at`, address `site`, leads.
    @inline(__always)
    func relativeTarget(_ site: UInt64, _ at: Int) -> UInt64 {
        let displacement = reader.bytes.loadUnaligned(fromByteOffset: at + 1, as: Int32.self)
        return (site &+ 5 &+ UInt64(bitPattern: Int64(displacement))) & addressMask
    }

    /// The target of `e8 rel32` at file offset `at`, address `site`; nil where another instruction stands.
    @inline(__always)
    func callTarget(_ site: UInt64, _ at: Int) -> UInt64? {
        reader.bytes[at] == 0xe8 ? relativeTarget(site, at) : nil
    }
}
