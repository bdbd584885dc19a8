internal import CZydis

extension InstructionDecoder {
    /// The interpreter's operation for a mnemonic; `.havoc` where it has no semantics.
    static func operation(of mnemonic: ZydisMnemonic) -> Operation {
        table[Int(mnemonic.rawValue)]
    }

    private static let table: [Operation] = {
        var table = [Operation](repeating: .havoc, count: Int(ZYDIS_MNEMONIC_MAX_VALUE.rawValue) + 1)
        for (mnemonic, operation) in movement + arithmetic + bits + control + system {
            table[Int(mnemonic.rawValue)] = operation
        }
        for mnemonic in conditionalJumps { table[Int(mnemonic.rawValue)] = .jumpCondition }
        for mnemonic in conditionalSets { table[Int(mnemonic.rawValue)] = .setCondition }
        for mnemonic in conditionalMoves { table[Int(mnemonic.rawValue)] = .moveCondition }
        for mnemonic in withoutEffect { table[Int(mnemonic.rawValue)] = .noOperation }
        return table
    }()

    private static let movement: [(ZydisMnemonic, Operation)] = [
        (ZYDIS_MNEMONIC_MOV, .move), (ZYDIS_MNEMONIC_MOVNTI, .move), (ZYDIS_MNEMONIC_MOVZX, .moveZeroExtend),
        (ZYDIS_MNEMONIC_MOVSX, .moveSignExtend), (ZYDIS_MNEMONIC_MOVSXD, .moveSignExtend),
        (ZYDIS_MNEMONIC_MOVBE, .moveByteSwapped), (ZYDIS_MNEMONIC_LEA, .loadEffectiveAddress),
        (ZYDIS_MNEMONIC_XLAT, .translate), (ZYDIS_MNEMONIC_XCHG, .exchange), (ZYDIS_MNEMONIC_XADD, .exchangeAdd),
        (ZYDIS_MNEMONIC_CMPXCHG, .compareExchange), (ZYDIS_MNEMONIC_CMPXCHG8B, .compareExchangePair),
        (ZYDIS_MNEMONIC_CMPXCHG16B, .compareExchangePair), (ZYDIS_MNEMONIC_PUSH, .push), (ZYDIS_MNEMONIC_POP, .pop),
        (ZYDIS_MNEMONIC_PUSHA, .pushAll), (ZYDIS_MNEMONIC_PUSHAD, .pushAll), (ZYDIS_MNEMONIC_POPA, .popAll),
        (ZYDIS_MNEMONIC_POPAD, .popAll), (ZYDIS_MNEMONIC_PUSHF, .pushFlags), (ZYDIS_MNEMONIC_PUSHFD, .pushFlags),
        (ZYDIS_MNEMONIC_PUSHFQ, .pushFlags), (ZYDIS_MNEMONIC_POPF, .popFlags), (ZYDIS_MNEMONIC_POPFD, .popFlags),
        (ZYDIS_MNEMONIC_POPFQ, .popFlags), (ZYDIS_MNEMONIC_ENTER, .enter), (ZYDIS_MNEMONIC_LEAVE, .leave),
        (ZYDIS_MNEMONIC_LAHF, .loadFlags), (ZYDIS_MNEMONIC_SAHF, .storeFlags),
        (ZYDIS_MNEMONIC_CBW, .signExtendAccumulator), (ZYDIS_MNEMONIC_CWDE, .signExtendAccumulator),
        (ZYDIS_MNEMONIC_CDQE, .signExtendAccumulator), (ZYDIS_MNEMONIC_CWD, .signExtendIntoData),
        (ZYDIS_MNEMONIC_CDQ, .signExtendIntoData), (ZYDIS_MNEMONIC_CQO, .signExtendIntoData),
        (ZYDIS_MNEMONIC_BSWAP, .byteSwap),
        (ZYDIS_MNEMONIC_STOSB, .storeString), (ZYDIS_MNEMONIC_STOSW, .storeString),
        (ZYDIS_MNEMONIC_STOSD, .storeString), (ZYDIS_MNEMONIC_STOSQ, .storeString),
        (ZYDIS_MNEMONIC_MOVSB, .moveString), (ZYDIS_MNEMONIC_MOVSW, .moveString), (ZYDIS_MNEMONIC_MOVSQ, .moveString),
        (ZYDIS_MNEMONIC_LODSB, .loadString), (ZYDIS_MNEMONIC_LODSW, .loadString), (ZYDIS_MNEMONIC_LODSD, .loadString),
        (ZYDIS_MNEMONIC_LODSQ, .loadString), (ZYDIS_MNEMONIC_CMPSB, .compareString),
        (ZYDIS_MNEMONIC_CMPSW, .compareString), (ZYDIS_MNEMONIC_CMPSQ, .compareString),
        (ZYDIS_MNEMONIC_SCASB, .scanString), (ZYDIS_MNEMONIC_SCASW, .scanString),
        (ZYDIS_MNEMONIC_SCASD, .scanString), (ZYDIS_MNEMONIC_SCASQ, .scanString),
    ]

    private static let arithmetic: [(ZydisMnemonic, Operation)] = [
        (ZYDIS_MNEMONIC_ADD, .add), (ZYDIS_MNEMONIC_ADC, .addWithCarry), (ZYDIS_MNEMONIC_SUB, .subtract),
        (ZYDIS_MNEMONIC_SBB, .subtractWithBorrow), (ZYDIS_MNEMONIC_AND, .and), (ZYDIS_MNEMONIC_OR, .or),
        (ZYDIS_MNEMONIC_XOR, .exclusiveOr), (ZYDIS_MNEMONIC_CMP, .compare), (ZYDIS_MNEMONIC_TEST, .test),
        (ZYDIS_MNEMONIC_INC, .increment), (ZYDIS_MNEMONIC_DEC, .decrement), (ZYDIS_MNEMONIC_NEG, .negate),
        (ZYDIS_MNEMONIC_NOT, .not), (ZYDIS_MNEMONIC_IMUL, .signedMultiply),
        (ZYDIS_MNEMONIC_MUL, .multiplyAccumulator), (ZYDIS_MNEMONIC_DIV, .divide), (ZYDIS_MNEMONIC_IDIV, .signedDivide),
        (ZYDIS_MNEMONIC_AAA, .adjustAfterAddition), (ZYDIS_MNEMONIC_AAS, .adjustAfterSubtraction),
        (ZYDIS_MNEMONIC_AAM, .adjustAfterMultiplication), (ZYDIS_MNEMONIC_AAD, .adjustBeforeDivision),
        (ZYDIS_MNEMONIC_DAA, .decimalAdjustAddition), (ZYDIS_MNEMONIC_DAS, .decimalAdjustSubtraction),
        (ZYDIS_MNEMONIC_SALC, .setFromCarry), (ZYDIS_MNEMONIC_BOUND, .bound),
        (ZYDIS_MNEMONIC_ADCX, .addWithCarryFlag), (ZYDIS_MNEMONIC_ADOX, .addWithOverflowFlag),
        (ZYDIS_MNEMONIC_CRC32, .cyclicRedundancyCheck), (ZYDIS_MNEMONIC_MULX, .multiplyWithoutFlags),
        (ZYDIS_MNEMONIC_CLC, .clearCarry), (ZYDIS_MNEMONIC_STC, .setCarry), (ZYDIS_MNEMONIC_CMC, .complementCarry),
        (ZYDIS_MNEMONIC_CLD, .clearDirection), (ZYDIS_MNEMONIC_STD, .setDirection),
    ]

    private static let bits: [(ZydisMnemonic, Operation)] = [
        (ZYDIS_MNEMONIC_SHL, .shiftLeft), (ZYDIS_MNEMONIC_SHR, .shiftRight),
        (ZYDIS_MNEMONIC_SAR, .shiftArithmeticRight),
        (ZYDIS_MNEMONIC_ROL, .rotateLeft), (ZYDIS_MNEMONIC_ROR, .rotateRight), (ZYDIS_MNEMONIC_RCL, .rotateCarryLeft),
        (ZYDIS_MNEMONIC_RCR, .rotateCarryRight), (ZYDIS_MNEMONIC_SHLD, .shiftLeftDouble),
        (ZYDIS_MNEMONIC_SHRD, .shiftRightDouble),
        (ZYDIS_MNEMONIC_BT, .bitTest), (ZYDIS_MNEMONIC_BTS, .bitTestSet), (ZYDIS_MNEMONIC_BTR, .bitTestReset),
        (ZYDIS_MNEMONIC_BTC, .bitTestComplement), (ZYDIS_MNEMONIC_BSF, .bitScanForward),
        (ZYDIS_MNEMONIC_BSR, .bitScanReverse), (ZYDIS_MNEMONIC_TZCNT, .trailingZeroCount),
        (ZYDIS_MNEMONIC_LZCNT, .leadingZeroCount), (ZYDIS_MNEMONIC_POPCNT, .populationCount),
        (ZYDIS_MNEMONIC_ANDN, .andNot), (ZYDIS_MNEMONIC_BEXTR, .bitFieldExtract), (ZYDIS_MNEMONIC_BZHI, .zeroHighBits),
        (ZYDIS_MNEMONIC_BLSI, .isolateLowestBit), (ZYDIS_MNEMONIC_BLSR, .resetLowestBit),
        (ZYDIS_MNEMONIC_BLSMSK, .maskLowestBit), (ZYDIS_MNEMONIC_SHLX, .shiftLeftWithoutFlags),
        (ZYDIS_MNEMONIC_SHRX, .shiftRightWithoutFlags), (ZYDIS_MNEMONIC_SARX, .shiftArithmeticRightWithoutFlags),
        (ZYDIS_MNEMONIC_RORX, .rotateRightWithoutFlags), (ZYDIS_MNEMONIC_PDEP, .depositBits),
        (ZYDIS_MNEMONIC_PEXT, .extractBits),
    ]

    private static let control: [(ZydisMnemonic, Operation)] = [
        (ZYDIS_MNEMONIC_CALL, .call), (ZYDIS_MNEMONIC_JMP, .jump), (ZYDIS_MNEMONIC_RET, .ret),
        (ZYDIS_MNEMONIC_LOOP, .loop), (ZYDIS_MNEMONIC_LOOPE, .loopIfEqual), (ZYDIS_MNEMONIC_LOOPNE, .loopIfNotEqual),
        (ZYDIS_MNEMONIC_JCXZ, .jumpIfCounterZero), (ZYDIS_MNEMONIC_JECXZ, .jumpIfCounterZero),
        (ZYDIS_MNEMONIC_JRCXZ, .jumpIfCounterZero), (ZYDIS_MNEMONIC_INT3, .breakpoint),
        (ZYDIS_MNEMONIC_INT1, .debugTrap), (ZYDIS_MNEMONIC_INT, .interrupt),
        (ZYDIS_MNEMONIC_INTO, .interruptOnOverflow),
        (ZYDIS_MNEMONIC_UD0, .undefined), (ZYDIS_MNEMONIC_UD1, .undefined), (ZYDIS_MNEMONIC_UD2, .undefined),
        (ZYDIS_MNEMONIC_IRET, .interruptReturn), (ZYDIS_MNEMONIC_IRETD, .interruptReturn),
        (ZYDIS_MNEMONIC_IRETQ, .interruptReturn), (ZYDIS_MNEMONIC_SYSCALL, .systemCall),
        (ZYDIS_MNEMONIC_SYSRET, .systemReturn), (ZYDIS_MNEMONIC_SYSENTER, .systemEnter),
        (ZYDIS_MNEMONIC_SYSEXIT, .systemExit),
    ]

    private static let system: [(ZydisMnemonic, Operation)] = [
        (ZYDIS_MNEMONIC_CLI, .clearInterruptFlag), (ZYDIS_MNEMONIC_STI, .setInterruptFlag),
        (ZYDIS_MNEMONIC_CLAC, .clearAlignmentCheck), (ZYDIS_MNEMONIC_STAC, .setAlignmentCheck),
        (ZYDIS_MNEMONIC_LDS, .loadFarPointer), (ZYDIS_MNEMONIC_LES, .loadFarPointer),
        (ZYDIS_MNEMONIC_LSS, .loadFarPointer), (ZYDIS_MNEMONIC_LFS, .loadFarPointer),
        (ZYDIS_MNEMONIC_LGS, .loadFarPointer), (ZYDIS_MNEMONIC_LMSW, .loadMachineStatus),
        (ZYDIS_MNEMONIC_SMSW, .storeMachineStatus), (ZYDIS_MNEMONIC_CLTS, .clearTaskSwitched),
        (ZYDIS_MNEMONIC_SWAPGS, .swapGS), (ZYDIS_MNEMONIC_RDFSBASE, .readSegmentBase),
        (ZYDIS_MNEMONIC_RDGSBASE, .readSegmentBase), (ZYDIS_MNEMONIC_WRFSBASE, .writeSegmentBase),
        (ZYDIS_MNEMONIC_WRGSBASE, .writeSegmentBase), (ZYDIS_MNEMONIC_RDMSR, .readModelSpecific),
        (ZYDIS_MNEMONIC_WRMSR, .writeModelSpecific), (ZYDIS_MNEMONIC_LGDT, .loadDescriptorTable),
        (ZYDIS_MNEMONIC_LIDT, .loadDescriptorTable), (ZYDIS_MNEMONIC_SGDT, .storeDescriptorTable),
        (ZYDIS_MNEMONIC_SIDT, .storeDescriptorTable), (ZYDIS_MNEMONIC_LTR, .loadTask),
        (ZYDIS_MNEMONIC_LLDT, .loadLocalTable), (ZYDIS_MNEMONIC_STR, .storeSelector),
        (ZYDIS_MNEMONIC_SLDT, .storeSelector), (ZYDIS_MNEMONIC_LAR, .loadAccessRights),
        (ZYDIS_MNEMONIC_LSL, .loadSegmentLimit), (ZYDIS_MNEMONIC_VERR, .verifySegment),
        (ZYDIS_MNEMONIC_VERW, .verifySegment), (ZYDIS_MNEMONIC_ARPL, .adjustPrivilege), (ZYDIS_MNEMONIC_HLT, .halt),
        (ZYDIS_MNEMONIC_IN, .input), (ZYDIS_MNEMONIC_OUT, .output), (ZYDIS_MNEMONIC_INSB, .inputString),
        (ZYDIS_MNEMONIC_INSW, .inputString), (ZYDIS_MNEMONIC_INSD, .inputString),
        (ZYDIS_MNEMONIC_OUTSB, .outputString), (ZYDIS_MNEMONIC_OUTSW, .outputString),
        (ZYDIS_MNEMONIC_OUTSD, .outputString),
        // SDM vol. 3, 9.3: instructions that drain the front end. MOV to CR and DR do it, too.
        (ZYDIS_MNEMONIC_CPUID, .serializing), (ZYDIS_MNEMONIC_RSM, .serializing),
        (ZYDIS_MNEMONIC_SERIALIZE, .serializingWithoutOutput), (ZYDIS_MNEMONIC_INVLPG, .serializingWithoutOutput),
        (ZYDIS_MNEMONIC_WBINVD, .serializingWithoutOutput), (ZYDIS_MNEMONIC_INVD, .serializingWithoutOutput),
    ]

    private static let conditionalJumps: [ZydisMnemonic] = [
        ZYDIS_MNEMONIC_JO, ZYDIS_MNEMONIC_JNO, ZYDIS_MNEMONIC_JB, ZYDIS_MNEMONIC_JNB, ZYDIS_MNEMONIC_JZ,
        ZYDIS_MNEMONIC_JNZ, ZYDIS_MNEMONIC_JBE, ZYDIS_MNEMONIC_JNBE, ZYDIS_MNEMONIC_JS, ZYDIS_MNEMONIC_JNS,
        ZYDIS_MNEMONIC_JP, ZYDIS_MNEMONIC_JNP, ZYDIS_MNEMONIC_JL, ZYDIS_MNEMONIC_JNL, ZYDIS_MNEMONIC_JLE,
        ZYDIS_MNEMONIC_JNLE,
    ]

    private static let conditionalSets: [ZydisMnemonic] = [
        ZYDIS_MNEMONIC_SETO, ZYDIS_MNEMONIC_SETNO, ZYDIS_MNEMONIC_SETB, ZYDIS_MNEMONIC_SETNB, ZYDIS_MNEMONIC_SETZ,
        ZYDIS_MNEMONIC_SETNZ, ZYDIS_MNEMONIC_SETBE, ZYDIS_MNEMONIC_SETNBE, ZYDIS_MNEMONIC_SETS, ZYDIS_MNEMONIC_SETNS,
        ZYDIS_MNEMONIC_SETP, ZYDIS_MNEMONIC_SETNP, ZYDIS_MNEMONIC_SETL, ZYDIS_MNEMONIC_SETNL, ZYDIS_MNEMONIC_SETLE,
        ZYDIS_MNEMONIC_SETNLE,
    ]

    private static let conditionalMoves: [ZydisMnemonic] = [
        ZYDIS_MNEMONIC_CMOVO, ZYDIS_MNEMONIC_CMOVNO, ZYDIS_MNEMONIC_CMOVB, ZYDIS_MNEMONIC_CMOVNB,
        ZYDIS_MNEMONIC_CMOVZ, ZYDIS_MNEMONIC_CMOVNZ, ZYDIS_MNEMONIC_CMOVBE, ZYDIS_MNEMONIC_CMOVNBE,
        ZYDIS_MNEMONIC_CMOVS, ZYDIS_MNEMONIC_CMOVNS, ZYDIS_MNEMONIC_CMOVP, ZYDIS_MNEMONIC_CMOVNP,
        ZYDIS_MNEMONIC_CMOVL, ZYDIS_MNEMONIC_CMOVNL, ZYDIS_MNEMONIC_CMOVLE, ZYDIS_MNEMONIC_CMOVNLE,
    ]

    /// No architectural effect on what is modelled: NOPs, hints, fences (data memory is sequentially consistent).
    private static let withoutEffect: [ZydisMnemonic] = [
        ZYDIS_MNEMONIC_NOP, ZYDIS_MNEMONIC_ENDBR64, ZYDIS_MNEMONIC_ENDBR32, ZYDIS_MNEMONIC_PAUSE,
        ZYDIS_MNEMONIC_LFENCE, ZYDIS_MNEMONIC_MFENCE, ZYDIS_MNEMONIC_SFENCE, ZYDIS_MNEMONIC_PREFETCHT0,
        ZYDIS_MNEMONIC_PREFETCHT1, ZYDIS_MNEMONIC_PREFETCHT2, ZYDIS_MNEMONIC_PREFETCHNTA, ZYDIS_MNEMONIC_PREFETCHW,
        ZYDIS_MNEMONIC_PREFETCH, ZYDIS_MNEMONIC_PREFETCHWT1, ZYDIS_MNEMONIC_CLFLUSH, ZYDIS_MNEMONIC_CLFLUSHOPT,
        ZYDIS_MNEMONIC_CLWB, ZYDIS_MNEMONIC_CLDEMOTE,
    ]

    /// Where one mnemonic has several operations or sizes, the operands decide.
    static func refine(
        _ raw: ZydisDecodedInstruction, _ operands: UnsafeBufferPointer<ZydisDecodedOperand>, _ mode: ProcessorMode,
        _ instruction: inout Instruction
    ) {
        let width = raw.operand_width / 8
        switch instruction.operation {
        case .call, .jump: refineBranch(raw, &instruction)
        case .jumpCondition, .loop, .loopIfEqual, .loopIfNotEqual, .jumpIfCounterZero, .popFlags, .pushFlags, .pushAll,
            .popAll, .enter, .leave, .interruptReturn, .loadFarPointer, .loadDescriptorTable, .storeDescriptorTable:
            instruction.size = width
            if instruction.operation == .loadFarPointer { instruction.auxiliary = farPointerSegment(raw.mnemonic) }
            refineWidth(raw, mode, &instruction)
        case .ret:
            instruction.size = width
            if raw.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR { instruction.operation = .retFar }
        case .signedMultiply where raw.operand_count_visible == 1: instruction.operation = .signedMultiplyAccumulator
        case .move: refineMove(operands, &instruction)
        case .push, .pop: refineStack(operands, width, &instruction)
        case .readSegmentBase, .writeSegmentBase:
            let isFS = raw.mnemonic == ZYDIS_MNEMONIC_RDFSBASE || raw.mnemonic == ZYDIS_MNEMONIC_WRFSBASE
            instruction.segment = isFS ? .fs : .gs
        case .translate, .loadString, .compareString, .scanString, .storeString, .moveString, .inputString,
            .outputString:
            refineString(raw, operands, &instruction)
        case .havoc where raw.meta.category == ZYDIS_CATEGORY_STRINGOP:
            // MOVSD and CMPSD share their names with SSE2's.
            if raw.mnemonic == ZYDIS_MNEMONIC_MOVSD { instruction.operation = .moveString }
            if raw.mnemonic == ZYDIS_MNEMONIC_CMPSD { instruction.operation = .compareString }
            refineString(raw, operands, &instruction)
        case .storeSelector: instruction.auxiliary = raw.mnemonic == ZYDIS_MNEMONIC_STR ? 1 : 0
        case .verifySegment: instruction.auxiliary = raw.mnemonic == ZYDIS_MNEMONIC_VERW ? 1 : 0
        default: break
        }
        switch raw.mnemonic {
        case ZYDIS_MNEMONIC_LIDT, ZYDIS_MNEMONIC_SIDT: instruction.auxiliary = 1
        case ZYDIS_MNEMONIC_LGDT, ZYDIS_MNEMONIC_SGDT: instruction.auxiliary = 0
        default: break
        }
    }

    private static func refineWidth(
        _ raw: ZydisDecodedInstruction, _ mode: ProcessorMode, _ instruction: inout Instruction
    ) {
        switch raw.mnemonic {
        case ZYDIS_MNEMONIC_IRET, ZYDIS_MNEMONIC_PUSHA, ZYDIS_MNEMONIC_POPA, ZYDIS_MNEMONIC_PUSHF, ZYDIS_MNEMONIC_POPF:
            instruction.size = 2
        case ZYDIS_MNEMONIC_IRETD, ZYDIS_MNEMONIC_PUSHAD, ZYDIS_MNEMONIC_POPAD, ZYDIS_MNEMONIC_PUSHFD,
            ZYDIS_MNEMONIC_POPFD:
            instruction.size = 4
        case ZYDIS_MNEMONIC_IRETQ, ZYDIS_MNEMONIC_PUSHFQ, ZYDIS_MNEMONIC_POPFQ: instruction.size = 8
        case ZYDIS_MNEMONIC_ENTER, ZYDIS_MNEMONIC_LEAVE:
            if mode == .x86_64, instruction.size == 4 { instruction.size = 8 }
        case ZYDIS_MNEMONIC_LGDT, ZYDIS_MNEMONIC_LIDT, ZYDIS_MNEMONIC_SGDT, ZYDIS_MNEMONIC_SIDT:
            if mode == .x86_64 { instruction.size = 8 }
        default: break
        }
    }

    private static func refineBranch(_ raw: ZydisDecodedInstruction, _ instruction: inout Instruction) {
        let isFar = raw.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR
        let isCall = instruction.operation == .call
        instruction.size = raw.operand_width / 8
        if instruction.destinationKind == .immediate {
            if isFar { instruction.operation = isCall ? .callFar : .jumpFar }
        } else if isFar {
            instruction.operation = isCall ? .callFarIndirect : .jumpFarIndirect
        } else {
            instruction.operation = isCall ? .callIndirect : .jumpIndirect
        }
    }

    private static func refineMove(
        _ operands: UnsafeBufferPointer<ZydisDecodedOperand>, _ instruction: inout Instruction
    ) {
        func kind(_ operand: ZydisDecodedOperand) -> (isSegment: Bool, isControl: Bool, isDebug: Bool) {
            guard operand.type == ZYDIS_OPERAND_TYPE_REGISTER else { return (false, false, false) }
            let value = operand.reg.value.rawValue
            return (
                segmentRegister(operand.reg.value) != nil,
                value >= ZYDIS_REGISTER_CR0.rawValue && value <= ZYDIS_REGISTER_CR15.rawValue,
                value >= ZYDIS_REGISTER_DR0.rawValue && value <= ZYDIS_REGISTER_DR15.rawValue
            )
        }
        let destination = kind(operands[0])
        let source = kind(operands[1])
        if destination.isSegment { instruction.operation = .moveToSegment }
        if destination.isControl { instruction.operation = .moveToControl }
        if destination.isDebug { instruction.operation = .moveToDebug }
        if source.isSegment { instruction.operation = .moveFromSegment }
        if source.isControl { instruction.operation = .moveFromControl }
        if source.isDebug { instruction.operation = .moveFromDebug }
    }

    private static func refineStack(
        _ operands: UnsafeBufferPointer<ZydisDecodedOperand>, _ width: UInt8, _ instruction: inout Instruction
    ) {
        instruction.size = width
        guard operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER, segmentRegister(operands[0].reg.value) != nil else {
            return
        }
        instruction.operation = instruction.operation == .push ? .pushSegment : .popSegment
    }

    /// Operand size from the memory operand; segment of the source.
    private static func refineString(
        _ raw: ZydisDecodedInstruction, _ operands: UnsafeBufferPointer<ZydisDecodedOperand>,
        _ instruction: inout Instruction
    ) {
        for index in 0..<Int(raw.operand_count) where operands[index].type == ZYDIS_OPERAND_TYPE_MEMORY {
            instruction.size = UInt8(max(operands[index].size, 8) / 8)
        }
        instruction.segment = .ds
        // ZYDIS_ATTRIB_HAS_SEGMENT_CS ... _GS, bits 37...42.
        for (bit, segment) in [(37, SegmentRegister.cs), (38, .ss), (39, .ds), (40, .es), (41, .fs), (42, .gs)]
        where raw.attributes >> UInt64(bit) & 1 != 0 {
            instruction.segment = segment
        }
    }

    private static func farPointerSegment(_ mnemonic: ZydisMnemonic) -> UInt8 {
        let segment: SegmentRegister =
            switch mnemonic {
            case ZYDIS_MNEMONIC_LES: .es
            case ZYDIS_MNEMONIC_LSS: .ss
            case ZYDIS_MNEMONIC_LFS: .fs
            case ZYDIS_MNEMONIC_LGS: .gs
            default: .ds
            }
        return segment.rawValue
    }
}
