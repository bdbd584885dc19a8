public import X86

extension CPUState {
    /// Runs up to `budget` instructions on private state alone.
    ///
    /// Returns `.none` when the budget is used up, `.needsShared` before an instruction that must be fetched or executed
    /// with the shared text, or the trap of the instruction that did not retire.
    public mutating func run(budget: Int, _ machine: borrowing MachineAccess) -> Trap {
        var left = budget
        while left > 0 {
            guard let instruction = machine.cache.instruction(at: context.rip) else { return .needsShared }
            let trap = execute(instruction, machine)
            if trap != .none { return trap }
            left -= 1
        }
        return .none
    }

    /// Executes one instruction whose bytes this CPU has fetched.
    public mutating func execute(_ instruction: Instruction, _ machine: borrowing MachineAccess) -> Trap {
        withUnsafePointer(to: instruction) { execute($0, machine) }
    }

    /// The same for a decoded instruction that stays where it is.
    @inline(__always)
    public mutating func execute(_ instruction: UnsafePointer<Instruction>, _ machine: borrowing MachineAccess) -> Trap
    {
        let hadShadow = interruptShadow
        let next = context.rip &+ UInt64(instruction.pointee.length)
        var trap = Trap.none
        var target = next
        perform(instruction, next, &target, machine, &trap)
        guard trap == .none || trap == .serialized else { return trap }
        context.rip = target
        if hadShadow { interruptShadow = false }
        return retire(trap)
    }

    @inline(__always)
    private mutating func retire(_ trap: Trap) -> Trap {
        counts.instructions &+= 1
        context.walkBudget -= 1
        if context.interruptsEnabled {
            interruptsOffCount = 0
        } else {
            interruptsOffCount += 1
            if interruptsOffCount > Self.interruptsOffBudget { return .budget }
        }
        return context.walkBudget < 0 ? .budget : trap
    }

    /// Forgets how long interrupts have been off: a new section begins.
    public mutating func restartInterruptsOffBudget() {
        interruptsOffCount = 0
    }

    // exempt: one switch, a call a case
    private mutating func perform(
        _ i: UnsafePointer<Instruction>, _ next: UInt64, _ target: inout UInt64, _ machine: borrowing MachineAccess,
        _ trap: inout Trap
    ) {
        switch i.pointee.operation {
        case .move: move(i, next, machine, &trap)
        case .moveZeroExtend: extend(i, next, signed: false, machine, &trap)
        case .moveSignExtend: extend(i, next, signed: true, machine, &trap)
        case .loadEffectiveAddress: loadEffectiveAddress(i, next, &trap)
        case .exchange: exchange(i, next, machine, &trap)
        case .exchangeAdd: exchangeAdd(i, next, machine, &trap)
        case .compareExchange: compareExchange(i, next, machine, &trap)
        case .push: push(i, next, machine, &trap)
        case .pop: pop(i, next, machine, &trap)
        case .leave: leave(machine, &trap)
        case .pushFlags: pushFlags(machine, &trap)
        case .popFlags: popFlags(machine, &trap)
        case .setCondition: setCondition(i, next, machine, &trap)
        case .moveCondition: moveCondition(i, next, machine, &trap)
        case .signExtendAccumulator: signExtendAccumulator(i)
        case .signExtendIntoData: signExtendIntoData(i)
        case .byteSwap: byteSwap(i)
        case .add, .addWithCarry: add(i, next, machine, &trap)
        case .subtract, .subtractWithBorrow, .compare: subtract(i, next, machine, &trap)
        case .and, .or, .exclusiveOr, .test: logic(i, next, machine, &trap)
        case .increment, .decrement: step(i, next, machine, &trap)
        case .negate: negate(i, next, machine, &trap)
        case .not: not(i, next, machine, &trap)
        case .shiftLeft, .shiftRight, .shiftArithmeticRight, .rotateLeft, .rotateRight: shift(i, next, machine, &trap)
        case .signedMultiply: signedMultiply(i, next, machine, &trap)
        case .multiplyAccumulator, .signedMultiplyAccumulator: multiplyAccumulator(i, next, machine, &trap)
        case .bitTest, .bitTestSet, .bitTestReset, .bitTestComplement: bitTest(i, next, machine, &trap)
        case .bitScanForward, .bitScanReverse, .trailingZeroCount: bitScan(i, next, machine, &trap)
        case .clearCarry: context.rflags &= ~FlagBit.carry
        case .setCarry: context.rflags |= FlagBit.carry
        case .complementCarry: context.rflags ^= FlagBit.carry
        case .clearDirection: context.rflags &= ~FlagBit.direction
        case .setDirection: context.rflags |= FlagBit.direction
        case .storeString: storeString(i, &target, machine, &trap)
        case .moveString: moveString(i, &target, machine, &trap)
        case .call:
            pushWord(next, isHavoc: false, machine, &trap)
            target = next &+ UInt64(bitPattern: i.pointee.immediate)
        case .callIndirect: branchIndirect(i, next, isCall: true, &target, machine, &trap)
        case .jump: target = next &+ UInt64(bitPattern: i.pointee.immediate)
        case .jumpIndirect: branchIndirect(i, next, isCall: false, &target, machine, &trap)
        case .jumpCondition:
            if Flags.holds(i.pointee.condition, context.rflags) {
                target = next &+ UInt64(bitPattern: i.pointee.immediate)
            }
            if context.flagsAreHavoc { counts.havocInputs &+= 1 }
        case .ret: ret(i, &target, machine, &trap)
        case .breakpoint: trap = .breakpoint
        // IRET outside of entry code is a walk that lost its way: rule 6.
        case .undefined, .interruptReturn: trap = .undefinedOpcode
        case .clearInterruptFlag: context.rflags &= ~FlagBit.interrupt
        case .setInterruptFlag:
            if !context.interruptsEnabled { interruptShadow = true }
            context.rflags |= FlagBit.interrupt
        case .serializing:
            guard machine.text != nil else {
                trap = .needsShared
                return
            }
            havoc(i, next, machine, &trap)
            if trap == .none { trap = .serialized }
        case .noOperation: break
        case .havoc: havoc(i, next, machine, &trap)
        }
    }
}
