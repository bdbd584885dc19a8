/// RFLAGS of integer arithmetic, SDM vol. 1, appendix A.
enum Flags {
    @inline(__always)
    static func signBit(_ size: Int) -> UInt64 {
        1 << UInt64(size * 8 - 1)
    }

    /// SF, ZF and PF of a result.
    @inline(__always)
    static func ofResult(_ result: UInt64, _ size: Int) -> UInt64 {
        let value = result & PrivateRegion.mask(size)
        var flags: UInt64 = value == 0 ? FlagBit.zero : 0
        if value & signBit(size) != 0 { flags |= FlagBit.sign }
        if UInt8(truncatingIfNeeded: value).nonzeroBitCount % 2 == 0 { flags |= FlagBit.parity }
        return flags
    }

    @inline(__always)
    static func ofAddition(_ a: UInt64, _ b: UInt64, _ result: UInt64, _ size: Int) -> UInt64 {
        let sign = signBit(size)
        var flags = ofResult(result, size)
        if ((a & b) | ((a | b) & ~result)) & sign != 0 { flags |= FlagBit.carry }
        if ((a ^ result) & (b ^ result)) & sign != 0 { flags |= FlagBit.overflow }
        flags |= (a ^ b ^ result) & FlagBit.adjust
        return flags
    }

    @inline(__always)
    static func ofSubtraction(_ a: UInt64, _ b: UInt64, _ result: UInt64, _ size: Int) -> UInt64 {
        let sign = signBit(size)
        var flags = ofResult(result, size)
        if ((~a & b) | ((~a | b) & result)) & sign != 0 { flags |= FlagBit.carry }
        if ((a ^ b) & (a ^ result)) & sign != 0 { flags |= FlagBit.overflow }
        flags |= (a ^ b ^ result) & FlagBit.adjust
        return flags
    }

    /// Whether condition code `code` (the opcode's low four bits) holds; SDM vol. 1, appendix B.
    @inline(__always)
    static func holds(_ code: UInt8, _ flags: UInt64) -> Bool {
        let carry = flags & FlagBit.carry != 0
        let zero = flags & FlagBit.zero != 0
        let sign = flags & FlagBit.sign != 0
        let overflow = flags & FlagBit.overflow != 0
        let isTrue =
            switch code >> 1 & 7 {
            case 0: overflow
            case 1: carry
            case 2: zero
            case 3: carry || zero
            case 4: sign
            case 5: flags & FlagBit.parity != 0
            case 6: sign != overflow
            default: zero || sign != overflow
            }
        return isTrue != (code & 1 != 0)
    }
}

/// Condition codes for the kernel's emulation of Jcc.
public enum ConditionCode {
    /// Whether condition `code` (the opcode's low four bits) holds in `flags`.
    public static func holds(_ code: UInt8, flags: UInt64) -> Bool {
        Flags.holds(code & 0xf, flags)
    }
}

extension CPUState {
    @inline(__always)
    mutating func setStatus(_ flags: UInt64, isHavoc: Bool, keeping kept: UInt64 = 0) {
        let changed = FlagBit.status & ~kept
        context.rflags = context.rflags & ~changed | flags & changed
        context.flagsAreHavoc = isHavoc || kept != 0 && context.flagsAreHavoc
    }
}
