import Synchronization
import X86

extension CPUState {
    /// Executes instructions that have shortcuts, up to `limit` of them or the first that has none.
    // exempt: one switch, a call a case, all of them inlined
    static func shortcuts<Variant: LoopVariant>(
        _ cpu: UnsafeMutablePointer<CPUState>, _ variant: Variant.Type, _ stop: inout LoopStop, limit: Int,
        _ m: borrowing MachineAccess, _ record: ExecutionRecord?, _ attention: AttentionWord?
    ) {
        var h = HotState<Variant>(cpu)
        var rip = cpu.pointee.context.rip
        guard var pc = m.environment.predecode.instruction(at: rip, m.environment) else { return }
        h.openWindows()
        h.takeFlags()
        var used = 0
        var trap = Trap.none
        loop: do {
            while used < limit {
                if Variant.records {
                    if attention.unsafelyUnwrapped.word.load(ordering: .relaxed) != 0 {
                        trap = .attention
                        break loop
                    }
                    record.unsafelyUnwrapped.note(rip)
                }
                let next = rip &+ UInt64(pc.pointee.length)
                switch Shortcut.tag(pc) {
                case .none:
                    stop.next = pc
                    break loop
                case .link:
                    guard h.find(&pc, rip, m) else { break loop }
                    continue
                case .nop: break
                case .moveRR8: try h.move(pc, h.word(pc.pointee.source, 8), 8)
                case .moveRI8: try h.set(pc.pointee.destination, h.immediate(pc, 8), 8)
                case .moveRM8: try h.move(pc, try h.load(h.address(pc, next), 8, pc, m), 8)
                case .moveRR4: try h.move(pc, h.word(pc.pointee.source, 4), 4)
                case .moveRI4: try h.set(pc.pointee.destination, h.immediate(pc, 4), 4)
                case .moveRM4: try h.move(pc, try h.load(h.address(pc, next), 4, pc, m), 4)
                case .moveMR8: try h.storeMove(pc, h.word(pc.pointee.source, 8), 8, next, m)
                case .moveMR4: try h.storeMove(pc, h.word(pc.pointee.source, 4), 4, next, m)
                case .moveMR2: try h.storeMove(pc, h.word(pc.pointee.source, 2), 2, next, m)
                case .moveMR1: try h.storeMove(pc, h.word(pc.pointee.source, 1), 1, next, m)
                case .moveMI8: try h.storeMove(pc, h.immediate(pc, 8), 8, next, m)
                case .moveMI4: try h.storeMove(pc, h.immediate(pc, 4), 4, next, m)
                case .moveMI1: try h.storeMove(pc, h.immediate(pc, 1), 1, next, m)
                case .zeroExtendR1: try h.move(pc, h.word(pc.pointee.source, 1), 8)
                case .zeroExtendM1: try h.move(pc, try h.load(h.address(pc, next), 1, pc, m), 8)
                case .zeroExtendR2: try h.move(pc, h.word(pc.pointee.source, 2), 8)
                case .zeroExtendM2: try h.move(pc, try h.load(h.address(pc, next), 2, pc, m), 8)
                case .signExtendR4: try h.move(pc, h.extended(h.word(pc.pointee.source, 4), 4), 8)
                case .signExtendM4: try h.move(pc, h.extended(try h.load(h.address(pc, next), 4, pc, m), 4), 8)
                case .signExtendR1: try h.move(pc, h.extended(h.word(pc.pointee.source, 1), 1), 8)
                case .signExtendM1: try h.move(pc, h.extended(try h.load(h.address(pc, next), 1, pc, m), 1), 8)
                case .lea8: try h.loadAddress(pc, 8, next)
                case .lea4: try h.loadAddress(pc, 4, next)
                case .addRR8: try h.addRegister(pc, h.word(pc.pointee.source, 8), 8)
                case .addRR4: try h.addRegister(pc, h.word(pc.pointee.source, 4), 4)
                case .addRI8: try h.addRegister(pc, h.immediate(pc, 8), 8)
                case .addRI4: try h.addRegister(pc, h.immediate(pc, 4), 4)
                case .addRM8: try h.addRegister(pc, h.load(h.address(pc, next), 8, pc, m), 8)
                case .addRM4: try h.addRegister(pc, h.load(h.address(pc, next), 4, pc, m), 4)
                case .addMR8: try h.addMemory(pc, h.word(pc.pointee.source, 8), 8, next, m)
                case .addMI8: try h.addMemory(pc, h.immediate(pc, 8), 8, next, m)
                case .addMI4: try h.addMemory(pc, h.immediate(pc, 4), 4, next, m)
                case .subRR8: try h.subtractRegister(pc, h.word(pc.pointee.source, 8), 8, isRegister: true)
                case .subRR4: try h.subtractRegister(pc, h.word(pc.pointee.source, 4), 4, isRegister: true)
                case .subRI8: try h.subtractRegister(pc, h.immediate(pc, 8), 8)
                case .subRI4: try h.subtractRegister(pc, h.immediate(pc, 4), 4)
                case .subRM8: try h.subtractRegister(pc, h.load(h.address(pc, next), 8, pc, m), 8)
                case .subRM4: try h.subtractRegister(pc, h.load(h.address(pc, next), 4, pc, m), 4)
                case .cmpRR8: h.compareRegister(pc, h.word(pc.pointee.source, 8), 8, isRegister: true)
                case .cmpRR4: h.compareRegister(pc, h.word(pc.pointee.source, 4), 4, isRegister: true)
                case .cmpRI8: h.compareRegister(pc, h.immediate(pc, 8), 8)
                case .cmpRI4: h.compareRegister(pc, h.immediate(pc, 4), 4)
                case .cmpRM8: try h.compareRegister(pc, h.load(h.address(pc, next), 8, pc, m), 8)
                case .cmpRM4: try h.compareRegister(pc, h.load(h.address(pc, next), 4, pc, m), 4)
                case .cmpMR8: h.subtract(try h.load(h.address(pc, next), 8, pc, m), h.word(pc.pointee.source, 8), 8)
                case .cmpMR4: h.subtract(try h.load(h.address(pc, next), 4, pc, m), h.word(pc.pointee.source, 4), 4)
                case .cmpMI8: h.subtract(try h.load(h.address(pc, next), 8, pc, m), h.immediate(pc, 8), 8)
                case .cmpMI4: h.subtract(try h.load(h.address(pc, next), 4, pc, m), h.immediate(pc, 4), 4)
                case .cmpMI1: h.subtract(try h.load(h.address(pc, next), 1, pc, m), h.immediate(pc, 1), 1)
                case .cmpRI1: h.compareRegister(pc, h.immediate(pc, 1), 1)
                case .cmpRR1: h.compareRegister(pc, h.word(pc.pointee.source, 1), 1, isRegister: true)
                case .testRR8: h.testRegister(pc, h.word(pc.pointee.source, 8), 8)
                case .testRR4: h.testRegister(pc, h.word(pc.pointee.source, 4), 4)
                case .testRI8: h.testRegister(pc, h.immediate(pc, 8), 8)
                case .testRI4: h.testRegister(pc, h.immediate(pc, 4), 4)
                case .testRR1: h.testRegister(pc, h.word(pc.pointee.source, 1), 1)
                case .testRI1: h.testRegister(pc, h.immediate(pc, 1), 1)
                case .testMI1: h.test(try h.load(h.address(pc, next), 1, pc, m), h.immediate(pc, 1), 1)
                case .testMI4: h.test(try h.load(h.address(pc, next), 4, pc, m), h.immediate(pc, 4), 4)
                case .andRR8: try h.andRegister(pc, h.word(pc.pointee.source, 8), 8)
                case .andRR4: try h.andRegister(pc, h.word(pc.pointee.source, 4), 4)
                case .andRI8: try h.andRegister(pc, h.immediate(pc, 8), 8)
                case .andRI4: try h.andRegister(pc, h.immediate(pc, 4), 4)
                case .andRM8: try h.andRegister(pc, h.load(h.address(pc, next), 8, pc, m), 8)
                case .orRR8: try h.orRegister(pc, h.word(pc.pointee.source, 8), 8)
                case .orRR4: try h.orRegister(pc, h.word(pc.pointee.source, 4), 4)
                case .orRI8: try h.orRegister(pc, h.immediate(pc, 8), 8)
                case .orRI4: try h.orRegister(pc, h.immediate(pc, 4), 4)
                case .orRM8: try h.orRegister(pc, h.load(h.address(pc, next), 8, pc, m), 8)
                case .xorRR8: try h.xorRegister(pc, h.word(pc.pointee.source, 8), 8, isRegister: true)
                case .xorRR4: try h.xorRegister(pc, h.word(pc.pointee.source, 4), 4, isRegister: true)
                case .xorRI8: try h.xorRegister(pc, h.immediate(pc, 8), 8)
                case .xorRI4: try h.xorRegister(pc, h.immediate(pc, 4), 4)
                case .xorRM8: try h.xorRegister(pc, h.load(h.address(pc, next), 8, pc, m), 8)
                case .xorRM4: try h.xorRegister(pc, h.load(h.address(pc, next), 4, pc, m), 4)
                case .incR8: try h.step(pc, 8, isIncrement: true)
                case .decR8: try h.step(pc, 8, isIncrement: false)
                case .negR8: try h.negate(pc, 8)
                case .notR8: try h.not(pc, 8)
                case .incR4: try h.step(pc, 4, isIncrement: true)
                case .decR4: try h.step(pc, 4, isIncrement: false)
                case .negR4: try h.negate(pc, 4)
                case .notR4: try h.not(pc, 4)
                case .shlRI8: try h.shiftLeft(pc, 8, by: UInt64(bitPattern: pc.pointee.immediate) & 0x3f)
                case .shrRI8: try h.shiftRight(pc, 8, by: UInt64(bitPattern: pc.pointee.immediate) & 0x3f)
                case .sarRI8: try h.shiftArithmeticRight(pc, 8, by: UInt64(bitPattern: pc.pointee.immediate) & 0x3f)
                case .rolRI8: try h.rotateLeft(pc, 8, by: UInt64(bitPattern: pc.pointee.immediate) & 0x3f)
                case .imulRR8: try h.multiply(pc, h.word(pc.pointee.destination, 8), 8)
                case .imulRI8: try h.multiply(pc, h.immediate(pc, 8), 8)
                case .moveIfRR8: try h.moveIf(pc, 8)
                case .shlRI4: try h.shiftLeft(pc, 4, by: UInt64(bitPattern: pc.pointee.immediate) & 0x1f)
                case .shrRI4: try h.shiftRight(pc, 4, by: UInt64(bitPattern: pc.pointee.immediate) & 0x1f)
                case .sarRI4: try h.shiftArithmeticRight(pc, 4, by: UInt64(bitPattern: pc.pointee.immediate) & 0x1f)
                case .rolRI4: try h.rotateLeft(pc, 4, by: UInt64(bitPattern: pc.pointee.immediate) & 0x1f)
                case .imulRR4: try h.multiply(pc, h.word(pc.pointee.destination, 4), 4)
                case .imulRI4: try h.multiply(pc, h.immediate(pc, 4), 4)
                case .moveIfRR4: try h.moveIf(pc, 4)
                case .shlRC8:
                    let count = h.register(UInt8(RegisterNumber.cx), 8) & 0x3f
                    guard count != 0 else {
                        stop.next = pc
                        break loop
                    }
                    try h.shiftLeft(pc, 8, by: count, countIsHavoc: h.isHavoc(UInt8(RegisterNumber.cx)))
                case .shrRC8:
                    let count = h.register(UInt8(RegisterNumber.cx), 8) & 0x3f
                    guard count != 0 else {
                        stop.next = pc
                        break loop
                    }
                    try h.shiftRight(pc, 8, by: count, countIsHavoc: h.isHavoc(UInt8(RegisterNumber.cx)))
                case .setR: try h.setIf(pc)
                case .extendAccumulator8: try h.extendAccumulator()
                case .pushR: try h.pushNoted(h.word(pc.pointee.destination, 8), m)
                case .pushI: try h.push(h.immediate(pc, 8), m)
                case .popR: try h.pop(pc, m)
                case .leave: try h.leave(m)
                case .call:
                    try h.push(Word(next), m)
                    used += 1
                    guard h.branch(&pc, &rip, next, m) else { break loop }
                    continue
                case .jump:
                    used += 1
                    guard h.branch(&pc, &rip, next, m) else { break loop }
                    continue
                case .ret:
                    rip = try h.returnAddress(m)
                    used += 1
                    guard h.find(&pc, rip, m) else { break loop }
                    continue
                case .jumpO:
                    guard h.overflows else { break }
                    used += 1
                    guard h.branch(&pc, &rip, next, m) else { break loop }
                    continue
                case .jumpNO:
                    guard !h.overflows else { break }
                    used += 1
                    guard h.branch(&pc, &rip, next, m) else { break loop }
                    continue
                case .jumpB:
                    guard h.isCarry else { break }
                    used += 1
                    guard h.branch(&pc, &rip, next, m) else { break loop }
                    continue
                case .jumpAE:
                    guard !h.isCarry else { break }
                    used += 1
                    guard h.branch(&pc, &rip, next, m) else { break loop }
                    continue
                case .jumpE:
                    guard h.zero == 0 else { break }
                    used += 1
                    guard h.branch(&pc, &rip, next, m) else { break loop }
                    continue
                case .jumpNE:
                    guard h.zero != 0 else { break }
                    used += 1
                    guard h.branch(&pc, &rip, next, m) else { break loop }
                    continue
                case .jumpBE:
                    guard h.isCarry || h.zero == 0 else { break }
                    used += 1
                    guard h.branch(&pc, &rip, next, m) else { break loop }
                    continue
                case .jumpA:
                    guard !h.isCarry && h.zero != 0 else { break }
                    used += 1
                    guard h.branch(&pc, &rip, next, m) else { break loop }
                    continue
                case .jumpS:
                    guard h.isSign else { break }
                    used += 1
                    guard h.branch(&pc, &rip, next, m) else { break loop }
                    continue
                case .jumpNS:
                    guard !h.isSign else { break }
                    used += 1
                    guard h.branch(&pc, &rip, next, m) else { break loop }
                    continue
                case .jumpP:
                    guard h.isParityEven else { break }
                    used += 1
                    guard h.branch(&pc, &rip, next, m) else { break loop }
                    continue
                case .jumpNP:
                    guard !h.isParityEven else { break }
                    used += 1
                    guard h.branch(&pc, &rip, next, m) else { break loop }
                    continue
                case .jumpL:
                    guard h.isLess else { break }
                    used += 1
                    guard h.branch(&pc, &rip, next, m) else { break loop }
                    continue
                case .jumpGE:
                    guard !h.isLess else { break }
                    used += 1
                    guard h.branch(&pc, &rip, next, m) else { break loop }
                    continue
                case .jumpLE:
                    guard h.isLess || h.zero == 0 else { break }
                    used += 1
                    guard h.branch(&pc, &rip, next, m) else { break loop }
                    continue
                case .jumpG:
                    guard !h.isLess && h.zero != 0 else { break }
                    used += 1
                    guard h.branch(&pc, &rip, next, m) else { break loop }
                    continue
                }
                rip = next
                pc += 1
                used += 1
            }
            stop.next = nil
        } catch {
            trap = error
        }
        cpu.pointee.context.rip = rip
        h.giveFlags()
        stop.executed = used
        stop.trap = trap
        if used == limit, trap == .none { stop.next = nil }
    }
}
