/// What an instruction does, for the interpreter's one switch. Anything the interpreter has no semantics for is `havoc`.
@frozen
public enum Operation: UInt8, Sendable, CaseIterable {
    // Data movement.
    case move, moveZeroExtend, moveSignExtend, moveByteSwapped, loadEffectiveAddress, translate
    case exchange, exchangeAdd, compareExchange, compareExchangePair
    case push, pop, pushAll, popAll, pushFlags, popFlags, enter, leave, loadFlags, storeFlags
    case setCondition, moveCondition, signExtendAccumulator, signExtendIntoData, byteSwap
    // Arithmetic and logic.
    case add, addWithCarry, subtract, subtractWithBorrow, and, or, exclusiveOr, compare, test
    case increment, decrement, negate, not
    case shiftLeft, shiftRight, shiftArithmeticRight, rotateLeft, rotateRight, rotateCarryLeft, rotateCarryRight
    case shiftLeftDouble, shiftRightDouble
    case signedMultiply, multiplyAccumulator, signedMultiplyAccumulator, divide, signedDivide
    case bitTest, bitTestSet, bitTestReset, bitTestComplement, bitScanForward, bitScanReverse
    case trailingZeroCount, leadingZeroCount, populationCount
    case clearCarry, setCarry, complementCarry, clearDirection, setDirection
    // BMI1, BMI2, ADX and SSE4.2's CRC32.
    case andNot, bitFieldExtract, zeroHighBits, isolateLowestBit, resetLowestBit, maskLowestBit
    case shiftLeftWithoutFlags, shiftRightWithoutFlags, shiftArithmeticRightWithoutFlags, rotateRightWithoutFlags
    case multiplyWithoutFlags, addWithCarryFlag, addWithOverflowFlag, cyclicRedundancyCheck
    case depositBits, extractBits
    // Decimal adjustment and BOUND, of 32-bit mode.
    case adjustAfterAddition, adjustAfterSubtraction, adjustAfterMultiplication, adjustBeforeDivision
    case decimalAdjustAddition, decimalAdjustSubtraction, setFromCarry, bound
    // String instructions, one iteration a step.
    case storeString, moveString, loadString, compareString, scanString
    // Control flow.
    case call, callIndirect, callFar, callFarIndirect, jump, jumpIndirect, jumpFar, jumpFarIndirect, jumpCondition
    case ret, retFar, loop, loopIfEqual, loopIfNotEqual, jumpIfCounterZero
    case breakpoint, debugTrap, interrupt, interruptOnOverflow, undefined, interruptReturn
    case systemCall, systemReturn, systemEnter, systemExit
    // Processor state.
    case clearInterruptFlag, setInterruptFlag, clearAlignmentCheck, setAlignmentCheck
    case moveToSegment, moveFromSegment, pushSegment, popSegment, loadFarPointer
    case moveToControl, moveFromControl, moveToDebug, moveFromDebug
    case loadMachineStatus, storeMachineStatus, clearTaskSwitched
    case swapGS, readSegmentBase, writeSegmentBase, readModelSpecific, writeModelSpecific
    case loadDescriptorTable, storeDescriptorTable, storeSelector, loadTask, loadLocalTable
    case loadAccessRights, loadSegmentLimit, verifySegment, adjustPrivilege
    case halt, input, output, inputString, outputString
    /// CPUID and others: outputs are havoc, the front end is drained.
    case serializing
    /// INVLPG and others: no outputs, the front end is drained.
    case serializingWithoutOutput
    case noOperation
    /// The right length, seeded arbitrary outputs, marked as such.
    case havoc
}
