public import X86

extension CPUState {
    /// Runs up to `budget` instructions on private state alone.
    ///
    /// Returns `.none` when the budget is used up, `.needsShared` before an instruction that must be fetched or executed
    /// with the shared text, or the trap of the instruction that did not retire.
    public mutating func run(budget: Int, _ machine: MachineAccess) -> Trap {
        withUnsafeMutablePointer(to: &self) { cpu in
            cpu.pointee.context.memory.isExplicit
                ? Self.loop(cpu, PlainVariant.self, budget: budget, machine, nil, nil)
                : Self.loop(cpu, WalkVariant.self, budget: budget, machine, nil, nil)
        }
    }

    /// The same, with each instruction's address noted before it executes, and an end before the next instruction
    /// (`.attention`) once `attention` is raised.
    public mutating func run(
        budget: Int, _ machine: MachineAccess, record: ExecutionRecord, attention: AttentionWord
    ) -> Trap {
        withUnsafeMutablePointer(to: &self) { cpu in
            cpu.pointee.context.memory.isExplicit
                ? Self.loop(cpu, RecordingVariant.self, budget: budget, machine, record, attention)
                : Self.loop(cpu, RecordingWalkVariant.self, budget: budget, machine, record, attention)
        }
    }

    /// Executes one instruction whose bytes this CPU has fetched.
    public mutating func execute(_ instruction: Instruction, _ machine: borrowing MachineAccess) -> Trap {
        withUnsafePointer(to: instruction) { execute($0, machine) }
    }

    /// The same for a decoded instruction that stays where it is.
    public mutating func execute(_ instruction: UnsafePointer<Instruction>, _ machine: borrowing MachineAccess) -> Trap
    {
        let trap = step(instruction, machine)
        guard trap == .none || trap == .serialized, !context.memory.isExplicit else { return trap }
        return retire(trap)
    }

    /// Executes one instruction, or one iteration of a repeated one. A fault changes nothing.
    mutating func step(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) -> Trap {
        let next = (context.rip &+ UInt64(i.pointee.length)) & addressMask
        context.registers[Int(Instruction.instructionPointer)] = next
        target = next
        outcome = .none
        isRepeating = false
        let (hadShadow, hadStackShadow) = (interruptShadow, stackShadow)
        let flags = context.rflags
        if i.pointee.isPrivileged, system.privilegeLevel != 0 { return fault(.generalProtection) }
        do {
            try perform(i, m)
        } catch {
            return error
        }
        context.rip = target
        // A shadow covers the one instruction behind the one that threw it; a second STI or MOV SS does not extend it.
        if hadShadow { interruptShadow = false }
        if hadStackShadow { stackShadow = false }
        if flags & (FlagBit.trap | FlagBit.resume) != 0 { finishTraced(i, flags) }
        return outcome
    }

    /// Single step and RF: what an instruction that began with TF or RF set ends with.
    private mutating func finishTraced(_ i: UnsafePointer<Instruction>, _ flags: UInt64) {
        if flags & FlagBit.resume != 0, i.pointee.operation != .interruptReturn, !isRepeating {
            context.rflags &= ~FlagBit.resume
        }
        guard flags & FlagBit.trap != 0, !stackShadow, outcome == .none || outcome == .serialized else { return }
        system.debug[6] |= Self.singleStep
        outcome = .debug
    }

    /// DR6.BS.
    private static let singleStep: UInt64 = 1 << 14

    @inline(__always)
    mutating func retire(_ trap: Trap) -> Trap {
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
    private mutating func perform(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        switch i.pointee.operation {
        case .move: try move(i, m)
        case .moveZeroExtend: try extend(i, signed: false, m)
        case .moveSignExtend: try extend(i, signed: true, m)
        case .moveByteSwapped: try moveByteSwapped(i, m)
        case .loadEffectiveAddress: try loadEffectiveAddress(i)
        case .translate: try translate(i, m)
        case .exchange: try exchange(i, m)
        case .exchangeAdd: try exchangeAdd(i, m)
        case .compareExchange: try compareExchange(i, m)
        case .compareExchangePair: try compareExchangePair(i, m)
        case .push: try push(i, m)
        case .pop: try pop(i, m)
        case .pushAll: try pushAll(i, m)
        case .popAll: try popAll(i, m)
        case .pushFlags: try pushFlags(i, m)
        case .popFlags: try popFlags(i, m)
        case .enter: try enter(i, m)
        case .leave: try leave(i, m)
        case .loadFlags: try loadFlags()
        case .storeFlags: storeFlags()
        case .setCondition: try setCondition(i, m)
        case .moveCondition: try moveCondition(i, m)
        case .signExtendAccumulator: try signExtendAccumulator(i)
        case .signExtendIntoData: try signExtendIntoData(i)
        case .byteSwap: try byteSwap(i)
        case .add, .addWithCarry: try add(i, m)
        case .subtract, .subtractWithBorrow, .compare: try subtract(i, m)
        case .and, .or, .exclusiveOr, .test: try logic(i, m)
        case .increment, .decrement: try increment(i, m)
        case .negate: try negate(i, m)
        case .not: try not(i, m)
        case .shiftLeft, .shiftRight, .shiftArithmeticRight, .rotateLeft, .rotateRight: try shift(i, m)
        case .rotateCarryLeft, .rotateCarryRight: try rotateCarry(i, m)
        case .shiftLeftDouble, .shiftRightDouble: try shiftDouble(i, m)
        case .signedMultiply: try signedMultiply(i, m)
        case .multiplyAccumulator, .signedMultiplyAccumulator: try multiplyAccumulator(i, m)
        case .divide, .signedDivide: try divide(i, m)
        case .bitTest, .bitTestSet, .bitTestReset, .bitTestComplement: try bitTest(i, m)
        case .bitScanForward, .bitScanReverse: try bitScan(i, m)
        case .trailingZeroCount, .leadingZeroCount, .populationCount: try count(i, m)
        case .clearCarry: setCarry(0, isHavoc: false)
        case .setCarry: setCarry(FlagBit.carry, isHavoc: false)
        case .complementCarry: context.rflags ^= FlagBit.carry
        case .clearDirection: context.rflags &= ~FlagBit.direction
        case .setDirection: context.rflags |= FlagBit.direction
        case .andNot, .bitFieldExtract, .zeroHighBits: try extractField(i, m)
        case .isolateLowestBit, .resetLowestBit, .maskLowestBit: try lowestBit(i, m)
        case .shiftLeftWithoutFlags, .shiftRightWithoutFlags, .shiftArithmeticRightWithoutFlags,
            .rotateRightWithoutFlags:
            try shiftWithoutFlags(i, m)
        case .multiplyWithoutFlags: try multiplyWithoutFlags(i, m)
        case .addWithCarryFlag, .addWithOverflowFlag: try addWithOneFlag(i, m)
        case .cyclicRedundancyCheck: try cyclicRedundancyCheck(i, m)
        case .depositBits, .extractBits: try scatterBits(i, m)
        case .adjustAfterAddition, .adjustAfterSubtraction: try adjustASCII(i)
        case .adjustAfterMultiplication: try adjustAfterMultiplication(i)
        case .adjustBeforeDivision: try adjustBeforeDivision(i)
        case .decimalAdjustAddition, .decimalAdjustSubtraction: try adjustDecimal(i)
        case .setFromCarry: try setFromCarry()
        case .bound: try checkBound(i, m)
        case .storeString, .moveString, .loadString, .compareString, .scanString, .inputString, .outputString:
            try string(i, m)
        case .call: try call(i, m)
        case .callIndirect: try branchIndirect(i, isCall: true, m)
        case .jump: jump(i)
        case .jumpIndirect: try branchIndirect(i, isCall: false, m)
        case .jumpCondition: jumpCondition(i)
        case .callFar, .callFarIndirect, .jumpFar, .jumpFarIndirect: try branchFar(i, m)
        case .ret: try ret(i, m)
        case .retFar: try retFar(i, m)
        case .loop, .loopIfEqual, .loopIfNotEqual, .jumpIfCounterZero: try loop(i)
        default: try performSystem(i, m)
        }
    }

    // exempt: one switch, a call a case
    private mutating func performSystem(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) throws(Trap) {
        switch i.pointee.operation {
        case .breakpoint: throw .breakpoint
        case .debugTrap: outcome = .debug
        case .interrupt: try interrupt(i)
        case .interruptOnOverflow: if context.rflags & FlagBit.overflow != 0 { throw .overflow }
        case .undefined: throw .undefinedOpcode
        case .interruptReturn: try interruptReturn(i, m)
        case .systemCall: try systemCall()
        case .systemReturn: try systemReturn(i)
        case .systemEnter: try systemEnter()
        case .systemExit: try systemExit(i)
        case .clearInterruptFlag: try changeInterruptFlag(false)
        case .setInterruptFlag: try changeInterruptFlag(true)
        case .clearAlignmentCheck: context.rflags &= ~FlagBit.alignmentCheck
        case .setAlignmentCheck: context.rflags |= FlagBit.alignmentCheck
        case .moveToSegment: try moveToSegment(i, m)
        case .moveFromSegment: try moveFromSegment(i, m)
        case .pushSegment: try pushSegment(i, m)
        case .popSegment: try popSegment(i, m)
        case .loadFarPointer: try loadFarPointer(i, m)
        case .moveToControl: try moveToControl(i, m)
        case .moveFromControl: try moveFromControl(i)
        case .moveToDebug: try moveToDebug(i, m)
        case .moveFromDebug: try moveFromDebug(i)
        case .loadMachineStatus: try loadMachineStatus(i, m)
        case .storeMachineStatus: try storeMachineStatus(i, m)
        case .clearTaskSwitched: system.cr0 &= ~ControlBit.taskSwitched
        case .swapGS: try swapGS(i)
        case .readSegmentBase, .writeSegmentBase: try accessSegmentBase(i)
        case .readModelSpecific: try readModelSpecific(i)
        case .writeModelSpecific: try writeModelSpecific(i, m)
        case .loadDescriptorTable: try loadDescriptorTable(i, m)
        case .storeDescriptorTable: try storeDescriptorTable(i, m)
        case .storeSelector: try storeSelector(i, m)
        case .loadTask, .loadLocalTable: try loadTask(i, m)
        case .loadAccessRights, .loadSegmentLimit: try loadAccessRights(i, m)
        case .verifySegment: try verifySegment(i, m)
        case .adjustPrivilege: try adjustPrivilege(i, m)
        case .halt: halt(i)
        case .input, .output: try inputOutput(i, m)
        case .serializing:
            try requireShared(m)
            try havoc(i, m)
            outcome = .serialized
        case .serializingWithoutOutput:
            try requireShared(m)
            outcome = .serialized
        case .noOperation: break
        default: try havoc(i, m)
        }
    }

    /// A serializing instruction changes what the CPU may fetch, which is shared where there is shared text.
    @inline(__always)
    func requireShared(_ m: borrowing MachineAccess) throws(Trap) {
        if m.text == nil, !context.memory.isExplicit { throw .needsShared }
    }
}
