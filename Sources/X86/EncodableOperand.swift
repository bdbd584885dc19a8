internal import CZydis

/// A parsed operand with its registers and fixed values found.
struct EncodableOperand {
    enum Value {
        case register(ZydisRegister)
        case immediate(Number)
        case memory(Memory)
    }

    /// A number that is known now, or an expression whose value comes with the layout, by its place among the
    /// instruction's expressions: so an operand is plain data, which is copied for every try.
    enum Number {
        case fixed(Int64)
        case open(Int)
    }

    struct Memory {
        var segment: ZydisRegister?
        var base: ZydisRegister?
        var index: ZydisRegister?
        var scale: UInt8
        var displacement: Number

        var isAbsolute: Bool { base == nil && index == nil }
    }

    var value: Value
    var isIndirect: Bool
    var place: AssemblyPlace
    /// The expression of an operand that is nothing else, for branches.
    private var isBare = false

    /// Expressions without a value yet are appended to `open`.
    init(
        _ operand: AssemblyOperand, mode: ProcessorMode, _ symbols: AssemblySymbols, open: inout [AssemblyExpression]
    ) throws(AssemblerError) {
        isIndirect = operand.isIndirect
        place = operand.place
        switch operand.kind {
        case .register(let name):
            value = .register(try Self.register(name, operand.place, mode))
        case .immediate(let expression):
            value = .immediate(try Self.number(expression, symbols, &open))
        case .memory(let memory):
            isBare = memory.bareExpression != nil
            var resolved = Memory(scale: memory.scale, displacement: .fixed(0))
            if let name = memory.segment {
                let segment = try Self.register(name, operand.place, mode)
                guard InstructionNames.isSegment(segment) else {
                    throw AssemblerError(operand.place, "%" + name, .expected("a segment register"))
                }
                resolved.segment = segment
            }
            if let name = memory.base { resolved.base = try Self.register(name, operand.place, mode) }
            if let name = memory.index { resolved.index = try Self.register(name, operand.place, mode) }
            if let displacement = memory.displacement {
                resolved.displacement = try Self.number(displacement, symbols, &open)
            }
            value = .memory(resolved)
        }
    }

    init(register: ZydisRegister, like other: EncodableOperand) {
        value = .register(register)
        isIndirect = false
        place = other.place
    }

    init(immediate: Int64, place: AssemblyPlace) {
        value = .immediate(.fixed(immediate))
        isIndirect = false
        self.place = place
    }

    /// Nothing but an expression, as a direct branch's operand is.
    var isBranchTarget: Bool {
        isBare && !isIndirect
    }

    var register: ZydisRegister? {
        if case .register(let register) = value { register } else { nil }
    }

    var memory: Memory? {
        if case .memory(let memory) = value { memory } else { nil }
    }

    var immediate: Number? {
        if case .immediate(let number) = value { number } else { nil }
    }

    private var registerClass: ZydisRegisterClass {
        register.map(ZydisRegisterGetClass) ?? ZYDIS_REGCLASS_INVALID
    }

    var isSegment: Bool { registerClass == ZYDIS_REGCLASS_SEGMENT }

    /// A control or debug register.
    var isSystem: Bool {
        registerClass == ZYDIS_REGCLASS_CONTROL || registerClass == ZYDIS_REGCLASS_DEBUG
    }

    /// A register that is neither general nor a segment register.
    var isVector: Bool {
        register.map { !InstructionNames.isGeneral($0) } == true && !isSegment
    }

    /// For an error: `%eax`, `an immediate`, `memory`.
    var text: String {
        switch value {
        case .register(let register): "%" + (ZydisRegisterGetString(register).map { String(cString: $0) } ?? "?")
        case .immediate: "an immediate"
        case .memory: "memory"
        }
    }

    private static func register(
        _ name: String, _ place: AssemblyPlace, _ mode: ProcessorMode
    ) throws(AssemblerError) -> ZydisRegister {
        if let register = InstructionNames.register(name, mode: mode) { return register }
        throw AssemblerError(
            place, "%" + name, .noSuchRegister, nearest: InstructionNames.nearestRegister(to: name, mode: mode))
    }

    private static func number(
        _ expression: AssemblyExpression, _ symbols: AssemblySymbols, _ open: inout [AssemblyExpression]
    ) throws(AssemblerError) -> Number {
        if try symbols.isFixed(expression) { return .fixed(try symbols.value(expression, []).number) }
        open.append(expression)
        return .open(open.count - 1)
    }
}
