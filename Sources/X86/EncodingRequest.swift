internal import CZydis

/// Tries the readings of one instruction on Zydis' encoder until one is taken.
struct EncodingRequest {
    enum Outcome {
        case encoded(EncodedInstruction)
        /// Several operand sizes can be encoded; the suffixes that tell them apart.
        case ambiguous([String])
        case none
    }

    let mode: ProcessorMode
    let instruction: AssemblyInstruction
    /// As written: source first.
    let operands: [EncodableOperand]
    /// The expressions that operands name by number.
    let open: [AssemblyExpression]
    /// An immediate that no size takes, which explains a failure better than the list of operands.
    private(set) var rangeError: AssemblerError?

    init(
        mode: ProcessorMode, instruction: AssemblyInstruction, operands: [EncodableOperand], open: [AssemblyExpression]
    ) {
        self.open = open
        self.mode = mode
        self.instruction = instruction
        self.operands = operands
    }

    var operandsText: String {
        operands.isEmpty ? "no operands" : operands.map(\.text).joined(separator: ", ")
    }

    mutating func attempt(_ reading: InstructionName, _ encoder: InstructionEncoder) throws(AssemblerError) -> Outcome {
        if let code = OddEncodings.encode(reading, self, encoder) { return .encoded(code) }
        guard var shape = EncodingShape(reading, self) else { return .none }
        for operand in operands {
            guard case .fixed(let number)? = operand.immediate, let size = shape.immediateSize, size < 8 else {
                continue
            }
            let bits = Int64(size * 8)
            if number < -(1 << (bits - 1)) || number >= 1 << bits {
                rangeError = AssemblerError(
                    operand.place, instruction.mnemonic, .outOfRange("the immediate needs more than \(size) bytes"))
                return .none
            }
        }
        if !shape.hasMemory || !shape.memorySizes.isEmpty {
            for size in shape.memorySizes.isEmpty ? [0] : shape.memorySizes {
                if let code = shape.encode(memorySize: size, encoder) { return .encoded(code) }
            }
            if !shape.mayTryOtherSizes { return .none }
        }
        // Nothing names the size: right where exactly one can be encoded, as for `verw (%rax)`.
        var found: [(size: Int, code: EncodedInstruction)] = []
        for size in EncodingShape.memorySizesAll {
            if let code = shape.encode(memorySize: size, encoder),
                !found.contains(where: { $0.code.bytes == code.bytes })
            {
                found.append((size, code))
            }
        }
        if found.count > 1 {
            return .ambiguous(
                found.compactMap { entry in
                    InstructionNames.suffixes.first { $0.size == entry.size }.map { String($0.letter) }
                })
        }
        return found.first.map { .encoded($0.code) } ?? .none
    }
}

/// The encodings that Zydis' encoder gets wrong or never chooses.
enum OddEncodings {
    static func encode(
        _ reading: InstructionName, _ request: EncodingRequest, _ encoder: InstructionEncoder
    ) -> EncodedInstruction? {
        let operands = request.operands
        switch reading.mnemonic {
        case ZYDIS_MNEMONIC_NOP where operands.count == 1:
            return longNop(reading, request, encoder)
        case ZYDIS_MNEMONIC_XCHG where operands.count == 2 && request.instruction.prefixes.isEmpty:
            return exchangeOfAccumulator(operands, mode: request.mode)
        case ZYDIS_MNEMONIC_INT:
            guard operands.count == 1, case .fixed(3)? = operands[0].immediate else { return nil }
            return EncodedInstruction(bytes: [0xcc])
        case ZYDIS_MNEMONIC_RET, ZYDIS_MNEMONIC_NOP:
            // `rep ret` and `rep nop`: the prefix means nothing to RET, and makes NOP a PAUSE.
            guard let prefix = request.instruction.prefixes.first, request.instruction.prefixes.count == 1,
                [.rep, .repe, .repz].contains(prefix), operands.isEmpty, !reading.isFar
            else { return nil }
            return EncodedInstruction(bytes: [prefix.byte, reading.mnemonic == ZYDIS_MNEMONIC_RET ? 0xc3 : 0x90])
        case ZYDIS_MNEMONIC_MOV
        where request.mode == .x86_64 && request.instruction.mnemonic.hasPrefix("movabs")
            && request.instruction.prefixes.isEmpty:
            return absoluteMove(reading, request)
        default: return nil
        }
    }

    /// `xchg %ax, %ax` is a NOP of two bytes. In 64-bit mode `xchg %eax, %eax` must not be the NOP 90, which doesn't
    /// clear RAX's upper half.
    private static func exchangeOfAccumulator(
        _ operands: [EncodableOperand], mode: ProcessorMode
    ) -> EncodedInstruction? {
        guard let register = operands[0].register, operands[1].register == register else { return nil }
        switch register {
        case ZYDIS_REGISTER_AX: return EncodedInstruction(bytes: [0x66, 0x90])
        case ZYDIS_REGISTER_EAX: return EncodedInstruction(bytes: mode == .x86_64 ? [0x87, 0xc0] : [0x90])
        case ZYDIS_REGISTER_RAX: return EncodedInstruction(bytes: [0x90])
        default: return nil
        }
    }

    /// 0F 1F /0, which Zydis encodes as 0F 19 and with a second register: CMOVO's encoding with another opcode.
    private static func longNop(
        _ reading: InstructionName, _ request: EncodingRequest, _ encoder: InstructionEncoder
    ) -> EncodedInstruction? {
        let size = reading.size ?? request.operands[0].register.map(InstructionNames.size) ?? 4
        guard size > 1, request.mode == .x86_64 || size < 8 else { return nil }
        let accumulator = InstructionNames.resized(ZYDIS_REGISTER_EAX, to: size)
        let twin = EncodingRequest(
            mode: request.mode, instruction: request.instruction,
            operands: request.operands + [EncodableOperand(register: accumulator, like: request.operands[0])],
            open: request.open)
        guard var shape = EncodingShape(InstructionName(mnemonic: ZYDIS_MNEMONIC_CMOVO), twin),
            var code = shape.encode(memorySize: size, encoder), let raw = encoder.decoded(code.bytes)
        else { return nil }
        code.bytes[Int(raw.raw.modrm.offset) - 1] = 0x1f
        return code
    }

    /// `movabs`: always with eight bytes of immediate or address.
    private static func absoluteMove(_ reading: InstructionName, _ request: EncodingRequest) -> EncodedInstruction? {
        let operands = request.operands
        guard operands.count == 2 else { return nil }
        let register = operands[1].register ?? operands[0].register
        guard let register, InstructionNames.isGeneral(register) else { return nil }
        let size = InstructionNames.size(register)
        guard reading.size == nil || reading.size == size else { return nil }
        let number = UInt8(max(0, ZydisRegisterGetId(register)))
        var bytes: [UInt8]
        let value: EncodableOperand.Number
        if let immediate = operands[0].immediate, size == 8 {
            bytes = [number < 8 ? 0x48 : 0x49, 0xb8 + (number & 7)]
            value = immediate
        } else {
            let memory = operands[0].memory ?? operands[1].memory
            guard let memory, memory.isAbsolute, memory.segment == nil,
                [ZYDIS_REGISTER_AL, ZYDIS_REGISTER_AX, ZYDIS_REGISTER_EAX, ZYDIS_REGISTER_RAX].contains(register)
            else { return nil }
            let opcode: UInt8 = (operands[0].memory != nil ? 0xa0 : 0xa2) + (size > 1 ? 1 : 0)
            bytes = size == 2 ? [0x66, opcode] : size == 8 ? [0x48, opcode] : [opcode]
            value = memory.displacement
        }
        let expression: AssemblyExpression =
            switch value {
            case .fixed(let number): .number(number)
            case .open(let number): request.open[number]
            }
        let field = EncodedInstruction.Field(
            offset: bytes.count, size: 8, origin: .absolute, isSigned: nil, expression: expression,
            place: operands[0].place)
        bytes += [UInt8](repeating: 0, count: 8)
        return EncodedInstruction(bytes: bytes, fields: [field])
    }
}
