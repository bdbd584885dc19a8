/// The two-operand ALU instructions, by the number that both their opcodes are made from.
enum BuiltinArithmetic: UInt8 {
    case add, or, adc, sbb, and, sub, xor, cmp
}

/// The shifts of group 2, by their ModRM field.
enum BuiltinShift: UInt8 {
    case rol = 0
    case ror = 1
    case shl = 4
    case shr = 5
    case sar = 7
}

/// Condition codes, as in Jcc, SETcc and CMOVcc.
enum BuiltinCondition: UInt8 {
    case overflow, notOverflow, below, notBelow, equal, notEqual, notAbove, above
    case sign, notSign, parity, notParity, less, notLess, notGreater, greater
}

// The instructions that the built-in kernel is written with, one method each. Operands are in Intel's order.
extension BuiltinAssembler {
    // MARK: Moves

    mutating func move(_ target: BuiltinRegister, _ source: BuiltinRegister) {
        encode(opcode: [0x89], field: source.rawValue, operand: .register(target))
    }

    /// A 32-bit move, which clears the upper half.
    mutating func move32(_ target: BuiltinRegister, _ source: BuiltinRegister) {
        encode(wide: false, opcode: [0x89], field: source.rawValue, operand: .register(target))
    }

    mutating func move32(_ target: BuiltinRegister, immediate: Int) {
        if target.rawValue >= 8 { emit(0x41) }
        emit(0xb8 | target.rawValue & 7)
        emit32(immediate)
    }

    mutating func load(_ target: BuiltinRegister, _ source: BuiltinOperand) {
        encode(opcode: [0x8b], field: target.rawValue, operand: source)
    }

    mutating func load32(_ target: BuiltinRegister, _ source: BuiltinOperand) {
        encode(wide: false, opcode: [0x8b], field: target.rawValue, operand: source)
    }

    /// movzbl
    mutating func loadByte(_ target: BuiltinRegister, _ source: BuiltinOperand) {
        encode(wide: false, opcode: [0x0f, 0xb6], field: target.rawValue, operand: source, byteRegisters: true)
    }

    mutating func store(_ target: BuiltinOperand, _ source: BuiltinRegister) {
        encode(opcode: [0x89], field: source.rawValue, operand: target)
    }

    mutating func store32(_ target: BuiltinOperand, _ source: BuiltinRegister) {
        encode(wide: false, opcode: [0x89], field: source.rawValue, operand: target)
    }

    /// movq $imm32, sign-extended.
    mutating func store(_ target: BuiltinOperand, immediate: Int) {
        encode(opcode: [0xc7], field: 0, operand: target, immediateLength: 4)
        emit32(immediate)
    }

    mutating func loadAddress(_ target: BuiltinRegister, _ source: BuiltinOperand) {
        encode(opcode: [0x8d], field: target.rawValue, operand: source)
    }

    mutating func push(_ register: BuiltinRegister) {
        if register.rawValue >= 8 { emit(0x41) }
        emit(0x50 | register.rawValue & 7)
    }

    mutating func pop(_ register: BuiltinRegister) {
        if register.rawValue >= 8 { emit(0x41) }
        emit(0x58 | register.rawValue & 7)
    }

    // MARK: Arithmetic

    mutating func arithmetic(_ kind: BuiltinArithmetic, _ target: BuiltinRegister, _ source: BuiltinRegister) {
        encode(opcode: [kind.rawValue << 3 | 1], field: source.rawValue, operand: .register(target))
    }

    mutating func arithmetic(_ kind: BuiltinArithmetic, _ target: BuiltinRegister, from source: BuiltinOperand) {
        encode(opcode: [kind.rawValue << 3 | 3], field: target.rawValue, operand: source)
    }

    mutating func arithmetic(_ kind: BuiltinArithmetic, _ target: BuiltinOperand, immediate: Int, wide: Bool = true) {
        if let short = Int8(exactly: immediate) {
            encode(wide: wide, opcode: [0x83], field: kind.rawValue, operand: target, immediateLength: 1)
            emit(UInt8(bitPattern: short))
        } else {
            encode(wide: wide, opcode: [0x81], field: kind.rawValue, operand: target, immediateLength: 4)
            emit32(immediate)
        }
    }

    /// `sub $0xa8, %rsp` with the 32-bit immediate that fits.
    mutating func adjustStack(by bytes: Int) {
        arithmetic(bytes < 0 ? .sub : .add, .register(.rsp), immediate: abs(bytes))
    }

    mutating func test(_ left: BuiltinRegister, _ right: BuiltinRegister) {
        encode(opcode: [0x85], field: right.rawValue, operand: .register(left))
    }

    /// test $imm8, %r8
    mutating func testByte(_ register: BuiltinRegister, immediate: UInt8) {
        encode(wide: false, opcode: [0xf6], field: 0, operand: .register(register), byteRegisters: true)
        emit(immediate)
    }

    mutating func shift(_ kind: BuiltinShift, _ target: BuiltinRegister, by count: UInt8) {
        encode(opcode: [0xc1], field: kind.rawValue, operand: .register(target))
        emit(count)
    }

    mutating func multiply(_ target: BuiltinRegister, _ source: BuiltinRegister, by immediate: Int) {
        encode(opcode: [0x69], field: target.rawValue, operand: .register(source))
        emit32(immediate)
    }

    mutating func negate(_ target: BuiltinRegister) {
        encode(opcode: [0xf7], field: 3, operand: .register(target))
    }

    mutating func complement(_ target: BuiltinRegister) {
        encode(opcode: [0xf7], field: 2, operand: .register(target))
    }

    mutating func increment(_ target: BuiltinOperand) {
        encode(opcode: [0xff], field: 0, operand: target)
    }

    mutating func decrement32(_ target: BuiltinRegister) {
        encode(wide: false, opcode: [0xff], field: 1, operand: .register(target))
    }

    mutating func set(_ condition: BuiltinCondition, _ target: BuiltinRegister) {
        encode(
            wide: false, opcode: [0x0f, 0x90 | condition.rawValue], field: 0, operand: .register(target),
            byteRegisters: true)
    }

    mutating func moveIf(_ condition: BuiltinCondition, _ target: BuiltinRegister, _ source: BuiltinOperand) {
        encode(opcode: [0x0f, 0x40 | condition.rawValue], field: target.rawValue, operand: source)
    }

    /// xchgl, which locks the bus by itself when an operand is memory.
    mutating func exchange32(_ target: BuiltinOperand, _ source: BuiltinRegister) {
        encode(wide: false, opcode: [0x87], field: source.rawValue, operand: target)
    }

    // MARK: Control flow

    mutating func call(_ name: String) {
        emit(0xe8)
        emitRelative32(label(named: name))
    }

    mutating func jump(_ name: String) {
        emit(0xe9)
        emitRelative32(label(named: name))
    }

    mutating func jump(_ label: BuiltinLabel) {
        emit(0xe9)
        emitRelative32(label)
    }

    mutating func jumpShort(_ label: BuiltinLabel) {
        emit(0xeb)
        emitRelative8(label)
    }

    mutating func jumpShort(_ condition: BuiltinCondition, _ label: BuiltinLabel) {
        emit(0x70 | condition.rawValue)
        emitRelative8(label)
    }

    mutating func jump(_ condition: BuiltinCondition, _ label: BuiltinLabel) {
        emit(0x0f, 0x80 | condition.rawValue)
        emitRelative32(label)
    }

    mutating func callIndirect(_ operand: BuiltinOperand) {
        encode(wide: false, opcode: [0xff], field: 2, operand: operand)
    }

    mutating func `return`() {
        emit(0xc3)
    }
}
