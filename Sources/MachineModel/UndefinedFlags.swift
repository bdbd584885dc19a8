import X86

/// Which status flags the manuals leave undefined after an instruction (SDM vol. 1, appendix A; vol. 2).
enum UndefinedFlags {
    /// What an instruction does to the status flags, decided before it executes, since a shift's count decides.
    struct Effect {
        /// Flags that it gives a defined value.
        var defined: UInt64 = 0
        var undefined: UInt64 = 0
    }

    private static let zeroSignParity = FlagBit.zero | FlagBit.sign | FlagBit.parity
    private static let carryOverflow = FlagBit.carry | FlagBit.overflow

    static func effect(_ i: UnsafePointer<Instruction>, _ cpu: borrowing CPUState) -> Effect {
        let all = FlagBit.status
        switch i.pointee.operation {
        case .add, .addWithCarry, .subtract, .subtractWithBorrow, .compare, .negate, .exchangeAdd, .compareExchange,
            .compareString, .scanString, .popFlags, .interruptReturn, .populationCount, .systemReturn:
            return Effect(defined: all)
        case .increment, .decrement: return Effect(defined: all & ~FlagBit.carry)
        case .and, .or, .exclusiveOr, .test: return Effect(defined: all & ~FlagBit.adjust, undefined: FlagBit.adjust)
        case .signedMultiply, .multiplyAccumulator, .signedMultiplyAccumulator:
            return Effect(defined: carryOverflow, undefined: all & ~carryOverflow)
        case .divide, .signedDivide: return Effect(undefined: all)
        case .bitTest, .bitTestSet, .bitTestReset, .bitTestComplement:
            return Effect(defined: FlagBit.carry, undefined: all & ~FlagBit.carry & ~FlagBit.zero)
        case .bitScanForward, .bitScanReverse: return Effect(defined: FlagBit.zero, undefined: all & ~FlagBit.zero)
        case .trailingZeroCount, .leadingZeroCount:
            let defined = FlagBit.carry | FlagBit.zero
            return Effect(defined: defined, undefined: all & ~defined)
        case .andNot, .isolateLowestBit, .resetLowestBit, .maskLowestBit, .zeroHighBits:
            let undefined = FlagBit.adjust | FlagBit.parity
            return Effect(defined: all & ~undefined, undefined: undefined)
        case .bitFieldExtract:
            let undefined = FlagBit.adjust | FlagBit.parity | FlagBit.sign
            return Effect(defined: all & ~undefined, undefined: undefined)
        case .adjustAfterAddition, .adjustAfterSubtraction:
            let defined = FlagBit.carry | FlagBit.adjust
            return Effect(defined: defined, undefined: all & ~defined)
        case .adjustAfterMultiplication, .adjustBeforeDivision:
            return Effect(defined: zeroSignParity, undefined: all & ~zeroSignParity)
        case .decimalAdjustAddition, .decimalAdjustSubtraction:
            return Effect(defined: all & ~FlagBit.overflow, undefined: FlagBit.overflow)
        case .clearCarry, .setCarry, .addWithCarryFlag: return Effect(defined: FlagBit.carry)
        case .addWithOverflowFlag: return Effect(defined: FlagBit.overflow)
        case .storeFlags: return Effect(defined: all & ~FlagBit.overflow)
        default: return shiftEffect(i, cpu)
        }
    }

    private static func shiftEffect(_ i: UnsafePointer<Instruction>, _ cpu: borrowing CPUState) -> Effect {
        let size = i.pointee.size
        let isDouble = i.pointee.operation == .shiftLeftDouble || i.pointee.operation == .shiftRightDouble
        let isImmediate = isDouble ? i.pointee.hasThirdOperand : i.pointee.sourceKind == .immediate
        let raw = isImmediate ? UInt64(bitPattern: i.pointee.immediate) : cpu.context.registers[RegisterNumber.cx]
        let count = raw & (size == 8 ? 0x3f : 0x1f)
        let bits = UInt64(size) * 8
        let overflow = count == 1 ? 0 : FlagBit.overflow
        switch i.pointee.operation {
        case _ where count == 0: return Effect()
        case .shiftLeft, .shiftRight, .shiftArithmeticRight:
            // Beyond the operand's size CF is undefined for SHL and SHR.
            let isBeyond = count > bits && i.pointee.operation != .shiftArithmeticRight
            // SAR by one clears OF; AF is undefined always.
            let undefined = FlagBit.adjust | overflow | (isBeyond || count == bits && size < 4 ? FlagBit.carry : 0)
            return Effect(defined: FlagBit.status & ~undefined, undefined: undefined)
        case .rotateLeft, .rotateRight, .rotateCarryLeft, .rotateCarryRight:
            return Effect(defined: carryOverflow & ~overflow, undefined: overflow)
        case .shiftLeftDouble, .shiftRightDouble:
            if count > bits { return Effect(undefined: FlagBit.status) }
            let undefined = FlagBit.adjust | overflow
            return Effect(defined: FlagBit.status & ~undefined, undefined: undefined)
        default: return Effect()
        }
    }
}
