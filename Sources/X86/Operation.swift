/// What an instruction does, for the interpreter's one switch. Anything the interpreter has no semantics for is `havoc`.
@frozen
public enum Operation: UInt8, Sendable, CaseIterable {
    // Data movement.
    case move, moveZeroExtend, moveSignExtend, loadEffectiveAddress, exchange, exchangeAdd, compareExchange
    case push, pop, leave, pushFlags, popFlags
    case setCondition, moveCondition, signExtendAccumulator, signExtendIntoData, byteSwap
    // Arithmetic and logic.
    case add, addWithCarry, subtract, subtractWithBorrow, and, or, exclusiveOr, compare, test
    case increment, decrement, negate, not
    case shiftLeft, shiftRight, shiftArithmeticRight, rotateLeft, rotateRight
    case signedMultiply, multiplyAccumulator, signedMultiplyAccumulator
    case bitTest, bitTestSet, bitTestReset, bitTestComplement, bitScanForward, bitScanReverse, trailingZeroCount
    case clearCarry, setCarry, complementCarry, clearDirection, setDirection
    // String instructions, one iteration a step.
    case storeString, moveString
    // Control flow.
    case call, callIndirect, jump, jumpIndirect, jumpCondition, ret
    case breakpoint, undefined, interruptReturn
    // Processor state.
    case clearInterruptFlag, setInterruptFlag
    /// CPUID, MOV to CR and the other serializing instructions: outputs are havoc, the front end is drained.
    case serializing
    case noOperation
    /// The right length, seeded arbitrary outputs, marked as such.
    case havoc
}
