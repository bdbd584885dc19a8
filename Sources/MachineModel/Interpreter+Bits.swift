import X86

/// Bit tests, scans and counts, and what BMI, ADX and SSE4.2 add.
extension CPUState {
    mutating func bitTest(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let size = Int(i.pointee.size)
        let offset = try source(i, size, m)
        var address: UInt64 = 0
        let left: Word
        if i.pointee.destinationKind == .memory {
            address = bitAddress(i, offset, size)
            let isStack = i.pointee.segment == .ss
            if i.pointee.operation != .bitTest { try checkStore(address, size, isStack: isStack, m) }
            left = try load(address, size, isStack: isStack, m)
        } else {
            left = word(i.pointee.destination, size)
        }
        let bit: UInt64 = 1 << (offset.value & UInt64(size * 8 - 1))
        let havoc = left.isHavoc || offset.isHavoc
        let result: UInt64
        switch i.pointee.operation {
        case .bitTestSet: result = left.value | bit
        case .bitTestReset: result = left.value & ~bit
        default: result = left.value ^ bit
        }
        if i.pointee.operation != .bitTest {
            try setDestination(i, address, Word(value: result, isHavoc: havoc), size)
        }
        setCarry(left.value & bit != 0 ? FlagBit.carry : 0, isHavoc: havoc)
        if havoc { context.flagsAreHavoc = true }
        note(havoc)
    }

    /// A bit offset in a register reaches beyond the memory operand, in steps of its size, both ways.
    private mutating func bitAddress(_ i: UnsafePointer<Instruction>, _ offset: Word, _ size: Int) -> UInt64 {
        var effective = effectiveAddress(i)
        if i.pointee.sourceKind == .register {
            let signed = Int64(bitPattern: Self.signExtend(offset.value, size))
            let shift: Int64 = size == 8 ? 6 : size == 4 ? 5 : 4
            effective.value &+= UInt64(bitPattern: (signed >> shift) &* Int64(size))
            effective.value &= PrivateRegion.mask(i.pointee.addressSize)
            effective.isHavoc = effective.isHavoc || offset.isHavoc
        }
        return linear(effective, i.pointee.segment)
    }

    mutating func bitScan(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let size = Int(i.pointee.size)
        let word = try source(i, size, m)
        // With a source of zero the destination keeps its value (AMD's manual; Intel leaves it undefined).
        if word.value != 0 {
            let place =
                i.pointee.operation == .bitScanForward
                ? word.value.trailingZeroBitCount : 63 - word.value.leadingZeroBitCount
            try setRegister(i.pointee.destination, Word(value: UInt64(place), isHavoc: word.isHavoc), size)
        }
        setStatus(word.value == 0 ? FlagBit.zero : 0, isHavoc: word.isHavoc)
        note(word.isHavoc)
    }

    /// TZCNT, LZCNT, POPCNT.
    mutating func count(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let size = Int(i.pointee.size)
        let word = try source(i, size, m)
        let bits = size * 8
        let isZero = word.value == 0
        var flags: UInt64 = 0
        let count: Int
        switch i.pointee.operation {
        case .trailingZeroCount: count = isZero ? bits : word.value.trailingZeroBitCount
        case .leadingZeroCount: count = word.value.leadingZeroBitCount - (64 - bits)
        default: count = word.value.nonzeroBitCount
        }
        if i.pointee.operation == .populationCount {
            if isZero { flags = FlagBit.zero }
        } else {
            flags = (count == 0 ? FlagBit.zero : 0) | (isZero ? FlagBit.carry : 0)
        }
        try setRegister(i.pointee.destination, Word(value: UInt64(count), isHavoc: word.isHavoc), size)
        setStatus(flags, isHavoc: word.isHavoc)
        note(word.isHavoc)
    }

    /// ANDN, BEXTR, BZHI.
    mutating func extractField(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let size = Int(i.pointee.size)
        let bits = UInt64(size * 8)
        let value = try source(i, size, m)
        let control = word(i.pointee.auxiliary, size)
        let result: UInt64
        var carry = false
        switch i.pointee.operation {
        case .andNot: result = ~control.value & value.value & PrivateRegion.mask(size)
        case .bitFieldExtract:
            let start = control.value & 0xff
            let length = control.value >> 8 & 0xff
            let shifted = start < bits ? value.value >> start : 0
            result = length < 64 ? shifted & ((1 << length) - 1) : shifted
        default:
            let length = control.value & 0xff
            result = length < bits ? value.value & ((1 << length) - 1) : value.value
            carry = length >= bits
        }
        let havoc = value.isHavoc || control.isHavoc
        try setRegister(i.pointee.destination, Word(value: result, isHavoc: havoc), size)
        setStatus(
            Flags.ofResult(result, size) & ~FlagBit.parity | (carry ? FlagBit.carry : 0), isHavoc: havoc)
        note(havoc)
    }

    /// BLSI, BLSR, BLSMSK: the destination is VEX.vvvv.
    mutating func lowestBit(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let size = Int(i.pointee.size)
        let value = try source(i, size, m)
        let result: UInt64
        var carry = value.value == 0
        switch i.pointee.operation {
        case .isolateLowestBit:
            result = (0 &- value.value) & value.value
            carry = !carry
        case .resetLowestBit: result = (value.value &- 1) & value.value
        default: result = (value.value &- 1) ^ value.value
        }
        let masked = result & PrivateRegion.mask(size)
        try setRegister(i.pointee.destination, Word(value: masked, isHavoc: value.isHavoc), size)
        setStatus(
            Flags.ofResult(masked, size) & ~FlagBit.parity | (carry ? FlagBit.carry : 0), isHavoc: value.isHavoc)
        note(value.isHavoc)
    }

    /// MULX: the product of DX and the source; the high half wins where both destinations are one register.
    mutating func multiplyWithoutFlags(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let size = Int(i.pointee.size)
        let value = try source(i, size, m)
        let factor = word(RegisterNumber.dx, size)
        let (low, high) = Self.product(value.value, factor.value, size, isSigned: false)
        let havoc = value.isHavoc || factor.isHavoc
        try setRegister(i.pointee.auxiliary, Word(value: low, isHavoc: havoc), size)
        try setRegister(i.pointee.destination, Word(value: high, isHavoc: havoc), size)
        note(havoc)
    }

    /// ADCX and ADOX.
    mutating func addWithOneFlag(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let size = Int(i.pointee.size)
        let flag = i.pointee.operation == .addWithCarryFlag ? FlagBit.carry : FlagBit.overflow
        let right = try source(i, size, m)
        let left = word(i.pointee.destination, size)
        let carry: UInt64 = context.rflags & flag != 0 ? 1 : 0
        let result = (left.value &+ right.value &+ carry) & PrivateRegion.mask(size)
        let isCarried = Flags.ofAddition(left.value, right.value, result, size) & FlagBit.carry != 0
        let havoc = left.isHavoc || right.isHavoc || context.flagsAreHavoc
        try setRegister(i.pointee.destination, Word(value: result, isHavoc: havoc), size)
        setStatus(isCarried ? flag : 0, isHavoc: havoc, keeping: FlagBit.status & ~flag)
        note(havoc)
    }

    /// The reflected polynomial of CRC32C, 0x11EDC6F41.
    private static let castagnoli: UInt32 = 0x82f6_3b78

    mutating func cyclicRedundancyCheck(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let sourceSize = Int(i.pointee.sourceSize)
        let value = try source(i, sourceSize, m)
        let old = word(i.pointee.destination, 4)
        var sum = UInt32(truncatingIfNeeded: old.value)
        for index in 0..<sourceSize {
            sum ^= UInt32(truncatingIfNeeded: value.value >> UInt64(index * 8) & 0xff)
            for _ in 0..<8 { sum = sum & 1 != 0 ? sum >> 1 ^ Self.castagnoli : sum >> 1 }
        }
        let havoc = value.isHavoc || old.isHavoc
        try setRegister(i.pointee.destination, Word(value: UInt64(sum), isHavoc: havoc), Int(i.pointee.size))
        note(havoc)
    }

    /// PDEP and PEXT.
    mutating func scatterBits(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let size = Int(i.pointee.size)
        let maskWord = try source(i, size, m)
        let value = word(i.pointee.auxiliary, size)
        var mask = maskWord.value
        var result: UInt64 = 0
        var place: UInt64 = 0
        while mask != 0 {
            let bit = mask & (0 &- mask)
            if i.pointee.operation == .depositBits {
                if value.value >> place & 1 != 0 { result |= bit }
            } else if value.value & bit != 0 {
                result |= 1 << place
            }
            mask &= mask - 1
            place += 1
        }
        let havoc = maskWord.isHavoc || value.isHavoc
        try setRegister(i.pointee.destination, Word(value: result, isHavoc: havoc), size)
        note(havoc)
    }
}
