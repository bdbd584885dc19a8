internal import CZydis

/// Decodes one instruction at a time with Zydis into the compact record that the interpreter runs.
public struct InstructionDecoder: Sendable {
    public let mode: ProcessorMode
    private let decoder: ZydisDecoder

    public init(mode: ProcessorMode) {
        self.mode = mode
        var decoder = ZydisDecoder()
        let status =
            mode == .x86_64
            ? ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)
            : ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32)
        precondition(status & 0x8000_0000 == 0, "Zydis knows both kernel widths")
        self.decoder = decoder
    }

    /// The instruction at the start of `bytes`, or nil where no valid instruction starts or it is cut off.
    public func decode(_ bytes: UnsafeRawBufferPointer) -> Instruction? {
        var raw = ZydisDecodedInstruction()
        return withUnsafeTemporaryAllocation(of: ZydisDecodedOperand.self, capacity: Int(ZYDIS_MAX_OPERAND_COUNT)) {
            operands -> Instruction? in
            let status = withUnsafePointer(to: decoder) {
                ZydisDecoderDecodeFull($0, bytes.baseAddress, bytes.count, &raw, operands.baseAddress)
            }
            guard status & 0x8000_0000 == 0 else { return nil }
            return Self.record(raw, UnsafeBufferPointer(operands), mode: mode)
        }
    }

    public func decode(_ bytes: InstructionBytes) -> Instruction? {
        withUnsafeBytes(of: bytes.words) { decode(UnsafeRawBufferPointer(rebasing: $0[..<bytes.count])) }
    }

    /// The length in bytes of the instruction that `bytes` start with; nil where none is valid or it is cut off.
    public func length(_ bytes: InstructionBytes) -> Int? {
        withUnsafeBytes(of: bytes.words) { length(UnsafeRawBufferPointer(rebasing: $0[..<bytes.count])) }
    }

    /// The length in bytes of the instruction at the start of `bytes`; nil where none is valid.
    public func length(_ bytes: UnsafeRawBufferPointer) -> Int? {
        var raw = ZydisDecodedInstruction()
        let status = withUnsafePointer(to: decoder) {
            ZydisDecoderDecodeInstruction($0, nil, bytes.baseAddress, bytes.count, &raw)
        }
        return status & 0x8000_0000 == 0 ? Int(raw.length) : nil
    }

    private static func record(
        _ raw: ZydisDecodedInstruction, _ operands: UnsafeBufferPointer<ZydisDecodedOperand>, mode: ProcessorMode
    ) -> Instruction {
        var instruction = Instruction()
        instruction.length = raw.length
        instruction.size = raw.operand_width / 8
        instruction.sourceSize = instruction.size
        instruction.condition = raw.opcode & 0xf
        instruction.isRepeated = raw.attributes & repeatAttributes != 0
        instruction.operation = operation(of: raw.mnemonic)
        collectWrites(raw, operands, into: &instruction)
        let isRepresentable = takeOperands(raw, operands, into: &instruction)
        let hasWidth = mode == .x86_64 && raw.address_width == 64
        refine(raw, operands, &instruction)
        if !ignoresOperands(instruction.operation), !isRepresentable || !hasWidth {
            instruction.operation = .havoc
        }
        return instruction
    }

    private static func ignoresOperands(_ operation: Operation) -> Bool {
        switch operation {
        case .noOperation, .undefined, .serializing, .breakpoint, .call, .jump, .jumpCondition: true
        default: false
        }
    }

    private static let repeatAttributes: ZydisInstructionAttributes =
        (1 << 28) | (1 << 29) | (1 << 30)  // ZYDIS_ATTRIB_HAS_REP, _REPE, _REPNE: macros that Swift does not import

    /// What a havoc execution must disturb: every general register, flag and memory operand that is written.
    private static func collectWrites(
        _ raw: ZydisDecodedInstruction, _ operands: UnsafeBufferPointer<ZydisDecodedOperand>,
        into instruction: inout Instruction
    ) {
        for index in 0..<Int(raw.operand_count) {
            let operand = operands[index]
            guard operand.actions & writeActions != 0 else { continue }
            if operand.type == ZYDIS_OPERAND_TYPE_REGISTER {
                if let number = generalRegister(operand.reg.value) {
                    let full = number >= Instruction.highByteBase ? number - Instruction.highByteBase : number
                    instruction.writtenRegisters |= 1 << UInt16(full)
                } else if isFlags(operand.reg.value) {
                    instruction.writesFlags = true
                }
            } else if operand.type == ZYDIS_OPERAND_TYPE_MEMORY, operand.mem.type == ZYDIS_MEMOP_TYPE_MEM {
                instruction.writtenMemorySize = UInt8(min(Int(operand.size) / 8, 64))
            }
        }
    }

    /// Destination, source and third operand; false where the record can't express them.
    private static func takeOperands(
        _ raw: ZydisDecodedInstruction, _ operands: UnsafeBufferPointer<ZydisDecodedOperand>,
        into instruction: inout Instruction
    ) -> Bool {
        let visible = Int(raw.operand_count_visible)
        guard visible <= 3 else { return false }
        var representable = true
        for index in 0..<visible {
            let operand = operands[index]
            var kind = OperandKind.none
            var register: UInt8 = 0
            switch operand.type {
            case ZYDIS_OPERAND_TYPE_REGISTER:
                kind = .register
                if let number = generalRegister(operand.reg.value) {
                    register = number
                } else {
                    representable = false
                }
            case ZYDIS_OPERAND_TYPE_MEMORY:
                kind = .memory
                if !takeMemory(operand.mem, into: &instruction) { representable = false }
            case ZYDIS_OPERAND_TYPE_IMMEDIATE:
                kind = .immediate
                instruction.immediate = operand.imm.value.s
            default:
                representable = false
            }
            switch index {
            case 0:
                (instruction.destinationKind, instruction.destination) = (kind, register)
                if kind != .immediate, operand.size >= 8 { instruction.size = UInt8(min(Int(operand.size) / 8, 64)) }
            case 1:
                (instruction.sourceKind, instruction.source) = (kind, register)
                instruction.sourceSize = UInt8(min(Int(operand.size) / 8, 64))
            default:
                instruction.hasThirdOperand = true
                if kind != .immediate { representable = false }
            }
        }
        return representable
    }

    private static func takeMemory(_ memory: ZydisDecodedOperandMem, into instruction: inout Instruction) -> Bool {
        var representable = true
        if memory.base == ZYDIS_REGISTER_RIP {
            instruction.base = Instruction.instructionPointer
        } else if memory.base != ZYDIS_REGISTER_NONE {
            if let number = generalRegister(memory.base) { instruction.base = number } else { representable = false }
        }
        if memory.index != ZYDIS_REGISTER_NONE {
            if let number = generalRegister(memory.index) { instruction.index = number } else { representable = false }
        }
        instruction.scale = memory.scale <= 1 ? 0 : UInt8(memory.scale.trailingZeroBitCount)
        if let displacement = Int32(exactly: memory.disp.value) {
            instruction.displacement = displacement
        } else {
            representable = false
        }
        instruction.usesGS = memory.segment == ZYDIS_REGISTER_GS
        return representable && memory.segment != ZYDIS_REGISTER_FS
    }

    private static let writeActions: ZydisOperandActions = ZydisOperandActions(
        ZYDIS_OPERAND_ACTION_WRITE.rawValue | ZYDIS_OPERAND_ACTION_CONDWRITE.rawValue)

    private static func isFlags(_ register: ZydisRegister) -> Bool {
        register == ZYDIS_REGISTER_FLAGS || register == ZYDIS_REGISTER_EFLAGS || register == ZYDIS_REGISTER_RFLAGS
    }

    /// Encoding number of a general register of any size; AH, CH, DH, BH as `highByteBase` + 0...3; nil for others.
    static func generalRegister(_ register: ZydisRegister) -> UInt8? {
        let value = register.rawValue
        switch value {
        case ZYDIS_REGISTER_AL.rawValue...ZYDIS_REGISTER_BL.rawValue: return UInt8(value - ZYDIS_REGISTER_AL.rawValue)
        case ZYDIS_REGISTER_AH.rawValue...ZYDIS_REGISTER_BH.rawValue:
            return Instruction.highByteBase + UInt8(value - ZYDIS_REGISTER_AH.rawValue)
        case ZYDIS_REGISTER_SPL.rawValue...ZYDIS_REGISTER_R15B.rawValue:
            return 4 + UInt8(value - ZYDIS_REGISTER_SPL.rawValue)
        case ZYDIS_REGISTER_AX.rawValue...ZYDIS_REGISTER_R15W.rawValue: return UInt8(value - ZYDIS_REGISTER_AX.rawValue)
        case ZYDIS_REGISTER_EAX.rawValue...ZYDIS_REGISTER_R15D.rawValue:
            return UInt8(value - ZYDIS_REGISTER_EAX.rawValue)
        case ZYDIS_REGISTER_RAX.rawValue...ZYDIS_REGISTER_R15.rawValue:
            return UInt8(value - ZYDIS_REGISTER_RAX.rawValue)
        default: return nil
        }
    }
}
