internal import CZydis

extension InstructionDecoder {
    /// The interpreter's operation for a mnemonic; `.havoc` where it has no semantics.
    static func operation(of mnemonic: ZydisMnemonic) -> Operation {
        table[Int(mnemonic.rawValue)]
    }

    private static let table: [Operation] = {
        var table = [Operation](repeating: .havoc, count: Int(ZYDIS_MNEMONIC_MAX_VALUE.rawValue) + 1)
        for (mnemonic, operation) in exact { table[Int(mnemonic.rawValue)] = operation }
        for mnemonic in conditionalJumps { table[Int(mnemonic.rawValue)] = .jumpCondition }
        for mnemonic in conditionalSets { table[Int(mnemonic.rawValue)] = .setCondition }
        for mnemonic in conditionalMoves { table[Int(mnemonic.rawValue)] = .moveCondition }
        for mnemonic in withoutEffect { table[Int(mnemonic.rawValue)] = .noOperation }
        for mnemonic in serializing { table[Int(mnemonic.rawValue)] = .serializing }
        return table
    }()

    private static let exact: [(ZydisMnemonic, Operation)] = [
        (ZYDIS_MNEMONIC_MOV, .move), (ZYDIS_MNEMONIC_MOVZX, .moveZeroExtend), (ZYDIS_MNEMONIC_MOVSX, .moveSignExtend),
        (ZYDIS_MNEMONIC_MOVSXD, .moveSignExtend), (ZYDIS_MNEMONIC_LEA, .loadEffectiveAddress),
        (ZYDIS_MNEMONIC_XCHG, .exchange), (ZYDIS_MNEMONIC_XADD, .exchangeAdd),
        (ZYDIS_MNEMONIC_CMPXCHG, .compareExchange), (ZYDIS_MNEMONIC_PUSH, .push), (ZYDIS_MNEMONIC_POP, .pop),
        (ZYDIS_MNEMONIC_LEAVE, .leave), (ZYDIS_MNEMONIC_PUSHFQ, .pushFlags), (ZYDIS_MNEMONIC_POPFQ, .popFlags),
        (ZYDIS_MNEMONIC_CBW, .signExtendAccumulator), (ZYDIS_MNEMONIC_CWDE, .signExtendAccumulator),
        (ZYDIS_MNEMONIC_CDQE, .signExtendAccumulator), (ZYDIS_MNEMONIC_CWD, .signExtendIntoData),
        (ZYDIS_MNEMONIC_CDQ, .signExtendIntoData), (ZYDIS_MNEMONIC_CQO, .signExtendIntoData),
        (ZYDIS_MNEMONIC_BSWAP, .byteSwap), (ZYDIS_MNEMONIC_ADD, .add), (ZYDIS_MNEMONIC_ADC, .addWithCarry),
        (ZYDIS_MNEMONIC_SUB, .subtract), (ZYDIS_MNEMONIC_SBB, .subtractWithBorrow), (ZYDIS_MNEMONIC_AND, .and),
        (ZYDIS_MNEMONIC_OR, .or), (ZYDIS_MNEMONIC_XOR, .exclusiveOr), (ZYDIS_MNEMONIC_CMP, .compare),
        (ZYDIS_MNEMONIC_TEST, .test), (ZYDIS_MNEMONIC_INC, .increment), (ZYDIS_MNEMONIC_DEC, .decrement),
        (ZYDIS_MNEMONIC_NEG, .negate), (ZYDIS_MNEMONIC_NOT, .not), (ZYDIS_MNEMONIC_SHL, .shiftLeft),
        (ZYDIS_MNEMONIC_SHR, .shiftRight), (ZYDIS_MNEMONIC_SAR, .shiftArithmeticRight),
        (ZYDIS_MNEMONIC_ROL, .rotateLeft), (ZYDIS_MNEMONIC_ROR, .rotateRight),
        (ZYDIS_MNEMONIC_IMUL, .signedMultiply), (ZYDIS_MNEMONIC_MUL, .multiplyAccumulator),
        (ZYDIS_MNEMONIC_BT, .bitTest), (ZYDIS_MNEMONIC_BTS, .bitTestSet), (ZYDIS_MNEMONIC_BTR, .bitTestReset),
        (ZYDIS_MNEMONIC_BTC, .bitTestComplement), (ZYDIS_MNEMONIC_BSF, .bitScanForward),
        (ZYDIS_MNEMONIC_BSR, .bitScanReverse), (ZYDIS_MNEMONIC_TZCNT, .trailingZeroCount),
        (ZYDIS_MNEMONIC_CLC, .clearCarry), (ZYDIS_MNEMONIC_STC, .setCarry), (ZYDIS_MNEMONIC_CMC, .complementCarry),
        (ZYDIS_MNEMONIC_CLD, .clearDirection), (ZYDIS_MNEMONIC_STD, .setDirection),
        (ZYDIS_MNEMONIC_STOSB, .storeString), (ZYDIS_MNEMONIC_STOSD, .storeString),
        (ZYDIS_MNEMONIC_STOSQ, .storeString), (ZYDIS_MNEMONIC_MOVSB, .moveString), (ZYDIS_MNEMONIC_MOVSQ, .moveString),
        (ZYDIS_MNEMONIC_CALL, .call), (ZYDIS_MNEMONIC_JMP, .jump), (ZYDIS_MNEMONIC_RET, .ret),
        (ZYDIS_MNEMONIC_INT3, .breakpoint), (ZYDIS_MNEMONIC_UD0, .undefined), (ZYDIS_MNEMONIC_UD1, .undefined),
        (ZYDIS_MNEMONIC_UD2, .undefined), (ZYDIS_MNEMONIC_IRETQ, .interruptReturn),
        (ZYDIS_MNEMONIC_CLI, .clearInterruptFlag), (ZYDIS_MNEMONIC_STI, .setInterruptFlag),
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
        ZYDIS_MNEMONIC_CLFLUSH, ZYDIS_MNEMONIC_VERW, ZYDIS_MNEMONIC_STAC, ZYDIS_MNEMONIC_CLAC,
    ]

    /// SDM vol. 3, 9.3: instructions that drain the front end (MOV to CR and DR are sorted out by `refine`).
    private static let serializing: [ZydisMnemonic] = [
        ZYDIS_MNEMONIC_CPUID, ZYDIS_MNEMONIC_SERIALIZE, ZYDIS_MNEMONIC_WRMSR, ZYDIS_MNEMONIC_INVLPG,
        ZYDIS_MNEMONIC_LGDT, ZYDIS_MNEMONIC_LIDT, ZYDIS_MNEMONIC_LLDT, ZYDIS_MNEMONIC_LTR, ZYDIS_MNEMONIC_WBINVD,
        ZYDIS_MNEMONIC_INVD, ZYDIS_MNEMONIC_RSM,
    ]

    /// Where one mnemonic has several operations, the operands decide.
    static func refine(
        _ raw: ZydisDecodedInstruction, _ operands: UnsafeBufferPointer<ZydisDecodedOperand>,
        _ instruction: inout Instruction
    ) {
        switch raw.mnemonic {
        case ZYDIS_MNEMONIC_CALL, ZYDIS_MNEMONIC_JMP:
            guard instruction.destinationKind != .immediate else { return }
            let isFar = raw.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR
            let indirect: Operation = raw.mnemonic == ZYDIS_MNEMONIC_CALL ? .callIndirect : .jumpIndirect
            instruction.operation = isFar ? .havoc : indirect
        case ZYDIS_MNEMONIC_IMUL where raw.operand_count_visible == 1:
            instruction.operation = .signedMultiplyAccumulator
        case ZYDIS_MNEMONIC_MOV where operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER:
            let destination = operands[0].reg.value.rawValue
            let isControl =
                (ZYDIS_REGISTER_CR0.rawValue...ZYDIS_REGISTER_CR15.rawValue).contains(destination)
                && destination != ZYDIS_REGISTER_CR8.rawValue
            let isDebug = (ZYDIS_REGISTER_DR0.rawValue...ZYDIS_REGISTER_DR15.rawValue).contains(destination)
            if isControl || isDebug { instruction.operation = .serializing }
        case ZYDIS_MNEMONIC_MOVSD where raw.meta.category == ZYDIS_CATEGORY_STRINGOP:
            (instruction.operation, instruction.size) = (.moveString, 4)
        case ZYDIS_MNEMONIC_STOSB, ZYDIS_MNEMONIC_STOSD, ZYDIS_MNEMONIC_STOSQ, ZYDIS_MNEMONIC_MOVSB,
            ZYDIS_MNEMONIC_MOVSQ:
            instruction.size = UInt8(operands[0].size / 8)
        default: break
        }
    }
}
