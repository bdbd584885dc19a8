import X86

/// What a loop is specialised for.
protocol LoopVariant {
    /// Values may derive from havoc.
    static var tracksHavoc: Bool { get }
    /// Each instruction's address is recorded, and the attention word looked at before it.
    static var records: Bool { get }
}

enum PlainVariant: LoopVariant {
    static var tracksHavoc: Bool { false }
    static var records: Bool { false }
}

enum WalkVariant: LoopVariant {
    static var tracksHavoc: Bool { true }
    static var records: Bool { false }
}

enum RecordingVariant: LoopVariant {
    static var tracksHavoc: Bool { false }
    static var records: Bool { true }
}

enum RecordingWalkVariant: LoopVariant {
    static var tracksHavoc: Bool { true }
    static var records: Bool { true }
}

/// A run of memory that the loop reaches through pointers: the stack, the arena, a mapped region.
struct MemoryWindow {
    var base: UInt64 = 0
    /// Addresses from `base` at which eight bytes may be read, and written.
    var readSpan: UInt64 = 0
    var writeSpan: UInt64 = 0
    var data = UnsafeMutableRawPointer(bitPattern: 8).unsafelyUnwrapped
    /// States of the bytes; not looked at where havoc is not tracked.
    var state = UnsafeMutableRawPointer(bitPattern: 8).unsafelyUnwrapped

    init() {}

    /// The caller holds the region alone.
    init(_ region: PrivateRegion, isReadable: Bool = true, isWritable: Bool = true) {
        base = region.base
        let span = UInt64(max(region.size - 7, 0))
        readSpan = isReadable ? span : 0
        writeSpan = isWritable ? span : 0
        data = region.block.data
        state = region.block.state ?? data
    }
}

/// The loop's part of a CPU's state: flags that are not computed yet, havoc's marks, and two windows into memory.
///
/// Status flags stand in three words: ZF where `zero` is 0; SF is bit 63 of `sign`, PF the parity of its low byte; CF is
/// bit 63 of `carries`, OF the difference of bits 63 and 62, AF bit 3.
struct HotState<Variant: LoopVariant> {
    let cpu: UnsafeMutablePointer<CPUState>
    let registers: UnsafeMutablePointer<UInt64>
    var zero: UInt64 = 1
    var sign: UInt64 = 0
    var carries: UInt64 = 0
    var havoc: UInt32 = 0
    var flagsAreHavoc = false
    var havocInputs: UInt64 = 0
    var near = MemoryWindow()
    var far = MemoryWindow()

    init(_ cpu: UnsafeMutablePointer<CPUState>) {
        self.cpu = cpu
        // The register file is stored inline in the CPU, which stays where it is while the loop runs.
        registers = withUnsafeMutablePointer(to: &cpu.pointee.context.registers) {
            UnsafeMutableRawPointer($0).assumingMemoryBound(to: UInt64.self)
        }
    }

    // MARK: Registers

    @inline(__always)
    func register(_ number: UInt8, _ size: Int) -> UInt64 {
        let value = registers[Int(number & 31)]
        return size == 8 ? value : size == 4 ? value & 0xffff_ffff : size == 2 ? value & 0xffff : value & 0xff
    }

    @inline(__always)
    func word(_ number: UInt8, _ size: Int) -> Word {
        Word(value: register(number, size), isHavoc: isHavoc(number))
    }

    @inline(__always)
    func isHavoc(_ number: UInt8) -> Bool {
        Variant.tracksHavoc && havoc &>> UInt32(number) & 1 != 0
    }

    /// Writes 4 or 8 bytes.
    @inline(__always)
    mutating func set(_ number: UInt8, _ word: Word, _ size: Int) throws(Trap) {
        if Variant.tracksHavoc {
            let bit: UInt32 = 1 &<< UInt32(number)
            if word.isHavoc {
                if number == UInt8(RegisterNumber.sp) { throw .havocStack }
                havoc |= bit
            } else {
                havoc &= ~bit
            }
        }
        registers[Int(number & 31)] = size == 4 ? word.value & 0xffff_ffff : word.value
    }

    @inline(__always)
    mutating func note(_ isHavoc: Bool) {
        if Variant.tracksHavoc, isHavoc { havocInputs &+= 1 }
    }

    // MARK: Memory

    /// Effective and, with FS or GS, linear address; rule 1 sends a havoc'd one into the arena.
    @inline(__always)
    mutating func address(_ i: UnsafePointer<Instruction>, _ next: UInt64) -> UInt64 {
        registers[Int(Instruction.instructionPointer)] = next
        let base = i.pointee.base
        let index = i.pointee.index
        var address =
            registers[Int(base & 31)] &+ registers[Int(index & 31)] &<< UInt64(i.pointee.scale)
            &+ UInt64(bitPattern: Int64(i.pointee.displacement))
        if i.pointee.segment.rawValue >= SegmentRegister.fs.rawValue {
            address &+= i.pointee.segment == .gs ? cpu.pointee.system.gsBase : cpu.pointee.system.fsBase
        }
        if Variant.tracksHavoc, (havoc &>> UInt32(base) | havoc &>> UInt32(index)) & 1 != 0 {
            cpu.pointee.counts.havoc.addresses &+= 1
            return cpu.pointee.arenaAddress(address)
        }
        return address
    }

    @inline(__always)
    private func read(_ window: MemoryWindow, _ offset: UInt64, _ size: Int) -> (word: Word, isWritten: Bool) {
        let place = Int(truncatingIfNeeded: offset)
        let data = UnsafeRawPointer(window.data)
        let value: UInt64 =
            size == 8
            ? data.loadUnaligned(fromByteOffset: place, as: UInt64.self)
            : size == 4
                ? UInt64(data.loadUnaligned(fromByteOffset: place, as: UInt32.self))
                : size == 2
                    ? UInt64(data.loadUnaligned(fromByteOffset: place, as: UInt16.self))
                    : UInt64(data.load(fromByteOffset: place, as: UInt8.self))
        guard Variant.tracksHavoc else { return (Word(value), true) }
        let mask = PrivateRegion.mask(size)
        let states = UnsafeRawPointer(window.state).loadUnaligned(fromByteOffset: place, as: UInt64.self) & mask
        let ones: UInt64 = 0x0101_0101_0101_0101 & mask
        if states == ones { return (Word(value), true) }
        return (Word(value: value, isHavoc: true), (states | states &>> 1) & ones == ones)
    }

    @inline(__always)
    mutating func load(
        _ address: UInt64, _ size: Int, _ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess
    ) throws(Trap) -> Word {
        let nearOffset = address &- near.base
        if nearOffset < near.readSpan {
            let (word, isWritten) = read(near, nearOffset, size)
            if isWritten { return word }
        }
        let farOffset = address &- far.base
        if farOffset < far.readSpan {
            let (word, isWritten) = read(far, farOffset, size)
            if isWritten { return word }
        }
        return try loadSlowly(address, size, i.pointee.segment == .ss, m)
    }

    @inline(never)
    private mutating func loadSlowly(
        _ address: UInt64, _ size: Int, _ isStack: Bool, _ m: borrowing MachineAccess
    ) throws(Trap) -> Word {
        let word = try cpu.pointee.load(address, size, isStack: isStack, m)
        moveFarWindow(address)
        return word
    }

    /// A store that is allowed happens here; a slow one is checked first.
    @inline(__always)
    mutating func store(
        _ address: UInt64, _ word: Word, _ size: Int, isStack: Bool, _ m: borrowing MachineAccess
    ) throws(Trap) {
        let nearOffset = address &- near.base
        if nearOffset < near.writeSpan {
            write(near, nearOffset, word, size)
            return
        }
        let farOffset = address &- far.base
        if farOffset < far.writeSpan {
            write(far, farOffset, word, size)
            return
        }
        try storeSlowly(address, word, size, isStack, m)
    }

    @inline(__always)
    private func write(_ window: MemoryWindow, _ offset: UInt64, _ word: Word, _ size: Int) {
        let place = Int(truncatingIfNeeded: offset)
        Self.put(window.data + place, word.value, size)
        if Variant.tracksHavoc {
            Self.put(window.state + place, word.isHavoc ? 0x0202_0202_0202_0202 : 0x0101_0101_0101_0101, size)
        }
    }

    @inline(__always)
    private static func put(_ place: UnsafeMutableRawPointer, _ value: UInt64, _ size: Int) {
        switch size {
        case 8: place.storeBytes(of: value, as: UInt64.self)
        case 4: place.storeBytes(of: UInt32(truncatingIfNeeded: value), as: UInt32.self)
        case 2: place.storeBytes(of: UInt16(truncatingIfNeeded: value), as: UInt16.self)
        default: place.storeBytes(of: UInt8(truncatingIfNeeded: value), as: UInt8.self)
        }
    }

    @inline(never)
    private mutating func storeSlowly(
        _ address: UInt64, _ word: Word, _ size: Int, _ isStack: Bool, _ m: borrowing MachineAccess
    ) throws(Trap) {
        try cpu.pointee.checkStore(address, size, isStack: isStack, m)
        cpu.pointee.store(address, word, size)
        moveFarWindow(address)
    }

    /// In a machine with explicit memory the far window follows the accesses that the near one does not hold.
    private mutating func moveFarWindow(_ address: UInt64) {
        guard cpu.pointee.context.memory.isExplicit, let window = cpu.pointee.window(at: address) else { return }
        far = window
    }

    /// The windows as memory and privilege are now.
    mutating func openWindows() {
        if cpu.pointee.context.memory.isExplicit {
            near = cpu.pointee.window(at: cpu.pointee.context.rsp) ?? MemoryWindow()
            far = MemoryWindow()
        } else {
            cpu.pointee.context.memory.stack.makeUnique()
            cpu.pointee.context.memory.arena.makeUnique()
            near = MemoryWindow(cpu.pointee.context.memory.stack)
            far = MemoryWindow(cpu.pointee.context.memory.arena)
        }
    }

    @inline(__always)
    mutating func push(_ word: Word, _ m: borrowing MachineAccess) throws(Trap) {
        let address = registers[RegisterNumber.sp] &- 8
        try store(address, word, 8, isStack: true, m)
        registers[RegisterNumber.sp] = address
    }

    @inline(__always)
    mutating func top(_ m: borrowing MachineAccess) throws(Trap) -> Word {
        let address = registers[RegisterNumber.sp]
        let nearOffset = address &- near.base
        if nearOffset < near.readSpan {
            let (word, isWritten) = read(near, nearOffset, 8)
            if isWritten { return word }
        }
        return try loadSlowly(address, 8, true, m)
    }

    // MARK: Flags

    /// Spreads RFLAGS over the three words.
    mutating func takeFlags() {
        let flags = cpu.pointee.context.rflags
        zero = flags & FlagBit.zero != 0 ? 0 : 1
        // A low byte of 0 has even parity, one of 1 odd.
        sign = (flags & FlagBit.sign) &<< 56 | (flags & FlagBit.parity != 0 ? 0 : 1)
        let carry = flags & FlagBit.carry
        let overflow = flags &>> 11 & 1
        carries = carry &<< 63 | (carry ^ overflow) &<< 62 | (flags & FlagBit.adjust) &>> 1
        havoc = UInt32(cpu.pointee.context.havocRegisters)
        flagsAreHavoc = cpu.pointee.context.flagsAreHavoc
    }

    /// Puts them together again.
    mutating func giveFlags() {
        var flags = cpu.pointee.context.rflags & ~FlagBit.status
        if zero == 0 { flags |= FlagBit.zero }
        flags |= sign &>> 56 & FlagBit.sign
        if isParityEven { flags |= FlagBit.parity }
        flags |= carries &>> 63
        if overflows { flags |= FlagBit.overflow }
        flags |= carries &<< 1 & FlagBit.adjust
        cpu.pointee.context.rflags = flags
        cpu.pointee.context.havocRegisters = UInt16(truncatingIfNeeded: havoc)
        cpu.pointee.context.flagsAreHavoc = flagsAreHavoc
        cpu.pointee.counts.havocInputs &+= havocInputs
        havocInputs = 0
    }

    @inline(__always)
    var overflows: Bool { Int64(bitPattern: carries ^ carries &<< 1) < 0 }

    @inline(__always)
    var isCarry: Bool { Int64(bitPattern: carries) < 0 }

    @inline(__always)
    var isSign: Bool { Int64(bitPattern: sign) < 0 }

    @inline(__always)
    var isParityEven: Bool { UInt8(truncatingIfNeeded: sign).nonzeroBitCount & 1 == 0 }

    /// SF differs from OF.
    @inline(__always)
    var isLess: Bool { Int64(bitPattern: sign ^ carries ^ carries &<< 1) < 0 }

    func holds(_ condition: UInt8) -> Bool {
        let isTrue =
            switch condition &>> 1 & 7 {
            case 0: overflows
            case 1: isCarry
            case 2: zero == 0
            case 3: isCarry || zero == 0
            case 4: isSign
            case 5: isParityEven
            case 6: isLess
            default: isLess || zero == 0
            }
        return isTrue != (condition & 1 != 0)
    }

    /// SF, ZF and PF of `result`, which is cut to `size`.
    @inline(__always)
    mutating func setResult(_ result: UInt64, _ size: Int, isHavoc: Bool) {
        zero = result
        sign = size == 8 ? result : result &<< UInt64(64 - size * 8) | result & 0xff
        if Variant.tracksHavoc { flagsAreHavoc = isHavoc }
    }

    /// CF and OF from the carry out of each bit.
    @inline(__always)
    mutating func setCarries(_ vector: UInt64, _ size: Int) {
        carries = size == 8 ? vector : vector &<< UInt64(64 - size * 8) | vector & 8
    }

    /// CF, and the topmost bit of a shift's result, from which OF differs by CF.
    @inline(__always)
    mutating func setShift(carry: UInt64, overflow: UInt64) {
        carries = carry &<< 63 | (carry ^ overflow) &<< 62
    }
}
