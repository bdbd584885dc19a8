import Synchronization
import X86

/// Moves, stack and branches of the loop.
extension HotState {
    @inline(__always)
    mutating func move(_ i: UnsafePointer<Instruction>, _ word: Word, _ size: Int) throws(Trap) {
        note(word.isHavoc)
        try set(i.pointee.destination, word, size)
    }

    @inline(__always)
    mutating func storeMove(
        _ i: UnsafePointer<Instruction>, _ word: Word, _ size: Int, _ next: UInt64, _ m: borrowing MachineAccess
    ) throws(Trap) {
        note(word.isHavoc)
        try store(address(i, next), word, size, isStack: i.pointee.segment == .ss, m)
    }

    /// Sign-extends to 8 bytes.
    @inline(__always)
    func extended(_ word: Word, _ size: Int) -> Word {
        let value: Int64 =
            size == 4
            ? Int64(Int32(truncatingIfNeeded: word.value)) : Int64(Int8(truncatingIfNeeded: word.value))
        return Word(value: UInt64(bitPattern: value), isHavoc: word.isHavoc)
    }

    @inline(__always)
    mutating func loadAddress(_ i: UnsafePointer<Instruction>, _ size: Int, _ next: UInt64) throws(Trap) {
        registers[Int(Instruction.instructionPointer)] = next
        let base = i.pointee.base
        let index = i.pointee.index
        let address =
            registers[Int(base & 31)] &+ registers[Int(index & 31)] &<< UInt64(i.pointee.scale)
            &+ UInt64(bitPattern: Int64(i.pointee.displacement))
        let isHavoc = Variant.tracksHavoc && (havoc &>> UInt32(base) | havoc &>> UInt32(index)) & 1 != 0
        try move(i, Word(value: address, isHavoc: isHavoc), size)
    }

    /// ADD to memory: the check for writing comes before the load.
    @inline(__always)
    mutating func addMemory(
        _ i: UnsafePointer<Instruction>, _ b: Word, _ size: Int, _ next: UInt64, _ m: borrowing MachineAccess
    ) throws(Trap) {
        let place = address(i, next)
        let isStack = i.pointee.segment == .ss
        if place &- near.base >= near.writeSpan {
            try cpu.pointee.checkStore(place, size, isStack: isStack, m)
        }
        let a = try load(place, size, i, m)
        try store(place, add(a, b, size), size, isStack: isStack, m)
    }

    @inline(__always)
    mutating func test(_ a: Word, _ b: Word, _ size: Int) {
        _ = logic(a.value & b.value, a, b, size)
    }

    /// CDQE.
    @inline(__always)
    mutating func extendAccumulator() throws(Trap) {
        let word = extended(word(UInt8(RegisterNumber.ax), 4), 4)
        note(word.isHavoc)
        try set(UInt8(RegisterNumber.ax), word, 8)
    }

    // MARK: Stack

    @inline(__always)
    mutating func pushNoted(_ word: Word, _ m: borrowing MachineAccess) throws(Trap) {
        note(word.isHavoc)
        try push(word, m)
    }

    @inline(__always)
    mutating func pop(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        let word = try top(m)
        registers[RegisterNumber.sp] &+= 8
        try move(i, word, 8)
    }

    @inline(__always)
    mutating func leave(_ m: borrowing MachineAccess) throws(Trap) {
        let frame = UInt8(RegisterNumber.bp)
        if isHavoc(frame) { throw .havocStack }
        let saved = registers[RegisterNumber.sp]
        registers[RegisterNumber.sp] = registers[RegisterNumber.bp]
        let word: Word
        do {
            word = try top(m)
        } catch {
            registers[RegisterNumber.sp] = saved
            throw error
        }
        registers[RegisterNumber.sp] &+= 8
        note(word.isHavoc)
        try set(frame, word, 8)
    }

    // MARK: Branches

    /// Goes to the target of a direct branch; false where its text must be looked at.
    @inline(__always)
    func branch(
        _ pc: inout UnsafePointer<Instruction>, _ rip: inout UInt64, _ next: UInt64, _ m: borrowing MachineAccess
    ) -> Bool {
        rip = next &+ UInt64(bitPattern: pc.pointee.immediate)
        let number = Predecode.link(pc).pointee.load(ordering: .acquiring)
        if number != 0 {
            pc = m.environment.predecode.record(number)
            return true
        }
        return m.environment.predecode.follow(&pc, to: rip, m.environment)
    }

    @inline(__always)
    func find(_ pc: inout UnsafePointer<Instruction>, _ rip: UInt64, _ m: borrowing MachineAccess) -> Bool {
        guard let found = m.environment.predecode.instruction(at: rip, m.environment) else { return false }
        pc = found
        return true
    }

    @inline(__always)
    mutating func returnAddress(_ m: borrowing MachineAccess) throws(Trap) -> UInt64 {
        let word = try top(m)
        if word.isHavoc { throw .havocStack }
        if !Variant.tracksHavoc, !CPUState.isCanonical(word.value) { throw cpu.pointee.fault(.generalProtection) }
        registers[RegisterNumber.sp] &+= 8
        cpu.pointee.context.lastIndirectTarget = word.value
        return word.value
    }
}
