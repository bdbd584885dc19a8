import X86

extension BuiltinCompiler {
    private var accumulator: BuiltinRegister { frame.accumulator }

    // exempt: one switch, a case a statement
    mutating func emit(_ statement: BuiltinStatement) {
        switch statement {
        case .mix(let count): emitMix(count)
        case .local: emitLocal()
        case .count(let name): assembler.increment(.symbol(name))
        case .load(let name): assembler.arithmetic(.add, accumulator, from: .symbol(name))
        case .store(let name): assembler.store(.symbol(name), accumulator)
        case .table(let name, let words): emitTable(name, words: words)
        case .sum(let name, let bytes): emitSum(name, bytes: bytes)
        case .spin(let count): emitSpin(count)
        case .minimum(let name): emitMinimum(name)
        case .flag: emitFlag()
        case .clear(let name, let words): emitClear(name, words: words)
        case .lock(let name): emitLock(name)
        case .unlock(let name): emitUnlock(name)
        case .early: emitEarly()
        case .call(let callee): emitCall(callee)
        case .when(let first, let second): emitWhen(first, second)
        case .repeated(let count, let callee): emitRepeated(count, callee)
        case .operation(let table, let index): emitOperation(table, index)
        case .dispatch(let table): emitDispatch(table)
        case .staticCall(let key): emitStaticCall(key)
        case .unlikely(let key, let callee): emitUnlikely(key, callee)
        case .likely(let key, let callee): emitLikely(key, callee)
        case .unlikelyShort(let key): emitUnlikelyShort(key)
        case .likelyShort(let key): emitLikelyShort(key)
        case .interruptsOff: emitInterruptsOff()
        case .timestamp: emitTimestamp()
        case .perCPU(let name): emitPerCPU(name)
        case .tail, .staticTail: break  // The epilogue emits it.
        }
    }

    // MARK: Straight code

    private mutating func emitMix(_ count: Int) {
        for _ in 0..<count {
            switch next(12) {
            case 0: assembler.arithmetic(.add, .register(accumulator), immediate: 1 + next(120))
            case 1: assembler.arithmetic(.xor, .register(accumulator), immediate: next(1 << 24))
            case 2: assembler.multiply(accumulator, accumulator, by: 1 + 2 * next(1 << 20))
            case 3: assembler.shift(.rol, accumulator, by: UInt8(1 + next(62)))
            case 4: assembler.loadAddress(accumulator, .memory(accumulator, next(4096)))
            case 5: assembler.complement(accumulator)
            case 6: assembler.negate(accumulator)
            case 7:
                assembler.move(.rcx, accumulator)
                assembler.shift(.shr, .rcx, by: UInt8(1 + next(40)))
                assembler.arithmetic(.xor, accumulator, .rcx)
            case 8:
                assembler.move32(.rdx, immediate: next(1 << 30))
                assembler.arithmetic(.sub, accumulator, .rdx)
            case 9:
                assembler.loadByte(.rcx, .register(accumulator))
                assembler.arithmetic(.add, accumulator, .rcx)
            case 10:
                assembler.arithmetic(.add, .register(accumulator), immediate: -1 - next(100))
                assembler.arithmetic(.adc, .register(accumulator), immediate: 0)
            default:
                assembler.move(.rdx, accumulator)
                assembler.shift(.sar, .rdx, by: UInt8(1 + next(60)))
                assembler.arithmetic(.or, .register(.rdx), immediate: 1)
                assembler.arithmetic(.add, accumulator, .rdx)
            }
        }
    }

    private mutating func emitLocal() {
        let slot = frame.localsUsed * 8
        frame.localsUsed += 1
        // rbx was pushed below the frame's address.
        let place: BuiltinOperand = frame.usesFramePointer ? .memory(.rbp, -16 - slot) : .memory(.rsp, slot)
        assembler.store(place, accumulator)
        emitMix(2)
        assembler.arithmetic(.add, accumulator, from: place)
    }

    private mutating func emitTable(_ name: String, words: Int) {
        precondition(words & (words - 1) == 0, "a table's length is a power of two, so that a mask bounds the index")
        assembler.move32(.rcx, accumulator)
        assembler.arithmetic(.and, .register(.rcx), immediate: words - 1, wide: false)
        assembler.load(.rdx, .element(name, index: .rcx))
        assembler.arithmetic([.add, .xor][next(2)], accumulator, .rdx)
        if name != "crc32_table", next(2) == 0 {
            assembler.store(.element(name, index: .rcx), accumulator)
        }
    }

    private mutating func emitSum(_ name: String, bytes: Int) {
        let top = assembler.makeLabel()
        assembler.move32(.rcx, immediate: bytes)
        assembler.loadAddress(.rsi, .symbol(name))
        assembler.arithmetic(.xor, .rdx, .rdx)
        assembler.place(top)
        assembler.loadByte(.r8, .memory(.rsi, 0))
        assembler.arithmetic(.add, .rdx, .r8)
        assembler.shift(.rol, .rdx, by: 3)
        assembler.increment(.register(.rsi))
        assembler.decrement32(.rcx)
        assembler.jumpShort(.notEqual, top)
        assembler.arithmetic(.xor, accumulator, .rdx)
    }

    private mutating func emitSpin(_ count: Int) {
        let top = assembler.makeLabel()
        assembler.move32(.rcx, immediate: count)
        assembler.place(top)
        assembler.loadAddress(accumulator, .memory(accumulator, 7))
        assembler.shift(.ror, accumulator, by: 5)
        assembler.decrement32(.rcx)
        assembler.jumpShort(.notEqual, top)
    }

    private mutating func emitMinimum(_ name: String) {
        assembler.load(.rcx, .symbol(name))
        assembler.arithmetic(.cmp, accumulator, .rcx)
        assembler.moveIf(.above, accumulator, .register(.rcx))
    }

    private mutating func emitFlag() {
        let conditions: [BuiltinCondition] = [.equal, .notEqual, .below, .above, .less, .sign, .notGreater]
        assembler.arithmetic(.cmp, .register(accumulator), immediate: next(100))
        assembler.set(conditions[next(conditions.count)], .rcx)
        assembler.loadByte(.rcx, .register(.rcx))
        assembler.arithmetic(.add, accumulator, .rcx)
    }

    private mutating func emitClear(_ name: String, words: Int) {
        assembler.move(.rdx, accumulator)
        assembler.loadAddress(.rdi, .symbol(name))
        assembler.move32(.rcx, immediate: words)
        assembler.emit(0x31, 0xc0)
        assembler.emit(0xf3, 0x48, 0xab)
        assembler.move(accumulator, .rdx)
    }

    private mutating func emitLock(_ name: String) {
        let (done, top) = (assembler.makeLabel(), assembler.makeLabel())
        assembler.move32(.rdx, immediate: 1)
        assembler.exchange32(.symbol(name), .rdx)
        assembler.test(.rdx, .rdx)
        assembler.jumpShort(.equal, done)
        assembler.move32(.rcx, immediate: 8)
        assembler.place(top)
        assembler.emit(0xf3, 0x90)
        assembler.decrement32(.rcx)
        assembler.jumpShort(.notEqual, top)
        assembler.place(done)
    }

    private mutating func emitUnlock(_ name: String) {
        assembler.arithmetic(.xor, .rcx, .rcx)
        assembler.store32(.symbol(name), .rcx)
    }

    private mutating func emitEarly() {
        let out = frame.out ?? assembler.makeLabel()
        frame.out = out
        assembler.testByte(accumulator, immediate: 7)
        assembler.jump(.equal, out)
    }

    private mutating func emitInterruptsOff() {
        let top = assembler.makeLabel()
        assembler.emit(0x9c)
        assembler.emit(0xfa)
        assembler.move32(.rcx, immediate: 6)
        assembler.place(top)
        assembler.arithmetic(.add, .register(accumulator), immediate: 3)
        assembler.decrement32(.rcx)
        assembler.jumpShort(.notEqual, top)
        assembler.emit(0x9d)
    }

    private mutating func emitTimestamp() {
        if accumulator == .rax { assembler.move(.rcx, .rax) }
        assembler.emit(0x0f, 0x31)
        assembler.shift(.shl, .rdx, by: 32)
        assembler.arithmetic(.or, .rax, .rdx)
        assembler.arithmetic(.add, accumulator, accumulator == .rax ? .rcx : .rax)
    }

    private mutating func emitPerCPU(_ name: String) {
        assembler.encode(
            prefixes: [0x65], opcode: [0x8b], field: BuiltinRegister.rcx.rawValue, operand: .absolute(name))
        assembler.arithmetic(.add, accumulator, .rcx)
    }

    // MARK: Calls and branches

    private mutating func emitWhen(_ first: String, _ second: String) {
        let (other, join) = (assembler.makeLabel(), assembler.makeLabel())
        assembler.testByte(accumulator, immediate: 1)
        assembler.jumpShort(.notEqual, other)
        emitCall(first)
        assembler.jumpShort(join)
        assembler.place(other)
        emitCall(second)
        assembler.place(join)
    }

    private mutating func emitRepeated(_ count: Int, _ callee: String) {
        let top = assembler.makeLabel()
        assembler.move32(.r12, immediate: count)
        assembler.place(top)
        emitCall(callee)
        assembler.decrement32(.r12)
        assembler.jumpShort(.notEqual, top)
    }

    private mutating func emitOperation(_ table: String, _ index: Int) {
        emitArguments()
        switch next(3) {
        case 0:
            assembler.callIndirect(.symbol(table, offset: index * 8))
        case 1:
            assembler.loadAddress(.rax, .symbol(table))
            assembler.callIndirect(.memory(.rax, index * 8))
        default:
            assembler.load(.rax, .symbol(table, offset: index * 8))
            assembler.callIndirect(.register(.rax))
        }
        emitResult()
    }

    private mutating func emitDispatch(_ table: String) {
        guard let count = BuiltinProgram.operationTables.first(where: { $0.name == table })?.functions.count,
            count & (count - 1) == 0
        else { preconditionFailure("\(table) has a power of two of entries, so that a mask bounds the index") }
        emitArguments()
        assembler.move32(.rcx, accumulator)
        assembler.arithmetic(.and, .register(.rcx), immediate: count - 1, wide: false)
        assembler.load(.rax, .element(table, index: .rcx))
        assembler.callIndirect(.register(.rax))
        emitResult()
    }

    private mutating func emitStaticCall(_ key: String) {
        emitArguments()
        // Where the key is NULL the site is a NOP, and rax must not be left over from before.
        assembler.emit(0x31, 0xc0)
        emitStaticCallSite(key, isTail: false)
        emitResult()
    }

    private mutating func emitUnlikely(_ key: String, _ callee: String) {
        let block = ColdBlock(entry: assembler.makeLabel(), back: assembler.makeLabel(), callee: callee)
        frame.coldBlocks.append(block)
        emitJumpSite(key, isBranch: false, length: 5, target: block.entry)
        assembler.place(block.back)
    }

    private mutating func emitLikely(_ key: String, _ callee: String) {
        let skip = assembler.makeLabel()
        emitJumpSite(key, isBranch: true, length: 5, target: skip)
        emitCall(callee)
        assembler.place(skip)
    }

    private mutating func emitUnlikelyShort(_ key: String) {
        let (block, join) = (assembler.makeLabel(), assembler.makeLabel())
        emitJumpSite(key, isBranch: false, length: 2, target: block)
        emitMix(2)
        assembler.jumpShort(join)
        assembler.place(block)
        emitMix(2)
        assembler.place(join)
    }

    private mutating func emitLikelyShort(_ key: String) {
        let skip = assembler.makeLabel()
        emitJumpSite(key, isBranch: true, length: 2, target: skip)
        emitMix(3)
        assembler.place(skip)
    }
}
