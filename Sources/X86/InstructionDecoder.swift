internal import CZydis

/// What stands at an address, for the processor.
@frozen
public enum DecodeOutcome: Sendable {
    case instruction(Instruction)
    /// More bytes are needed than there are.
    case truncated
    /// Longer than 15 bytes: #GP.
    case tooLong
    /// #UD.
    case invalid
}

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

    // ZYDIS_STATUS_NO_MORE_DATA and ZYDIS_STATUS_INSTRUCTION_TOO_LONG, macros that Swift does not import.
    private static let statusNoMoreData: ZyanStatus = 0x8020_0000
    private static let statusTooLong: ZyanStatus = 0x8020_0002

    public func outcome(_ bytes: UnsafeRawBufferPointer) -> DecodeOutcome {
        var raw = ZydisDecodedInstruction()
        return withUnsafeTemporaryAllocation(of: ZydisDecodedOperand.self, capacity: Int(ZYDIS_MAX_OPERAND_COUNT)) {
            operands -> DecodeOutcome in
            let status = withUnsafePointer(to: decoder) {
                ZydisDecoderDecodeFull($0, bytes.baseAddress, bytes.count, &raw, operands.baseAddress)
            }
            if status & 0x8000_0000 != 0 {
                switch status {
                case Self.statusNoMoreData: return .truncated
                case Self.statusTooLong: return .tooLong
                default: return .invalid
                }
            }
            return .instruction(Self.record(raw, UnsafeBufferPointer(operands), mode: mode))
        }
    }

    public func outcome(_ bytes: InstructionBytes) -> DecodeOutcome {
        withUnsafeBytes(of: bytes.words) { outcome(UnsafeRawBufferPointer(rebasing: $0[..<bytes.count])) }
    }

    /// The instruction at the start of `bytes`, or nil where no valid instruction starts or it is cut off.
    public func decode(_ bytes: UnsafeRawBufferPointer) -> Instruction? {
        if case .instruction(let instruction) = outcome(bytes) { return instruction }
        return nil
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

    /// The text of a record's `mnemonic`, as the manuals write it but in lower case.
    public static func name(ofMnemonic number: UInt16) -> String {
        guard Int(number) <= Int(ZYDIS_MNEMONIC_MAX_VALUE.rawValue),
            let text = ZydisMnemonicGetString(ZydisMnemonic(rawValue: ZydisMnemonic.RawValue(number)))
        else { return "(none)" }
        return String(cString: text)
    }

    private static func record(
        _ raw: ZydisDecodedInstruction, _ operands: UnsafeBufferPointer<ZydisDecodedOperand>, mode: ProcessorMode
    ) -> Instruction {
        var instruction = Instruction()
        instruction.length = raw.length
        instruction.size = raw.operand_width / 8
        instruction.addressSize = Int(max(raw.address_width, 16)) / 8
        instruction.operation = operation(of: raw.mnemonic)
        instruction.isLocked = raw.attributes & 1 << 27 != 0  // ZYDIS_ATTRIB_HAS_LOCK: macros are not imported
        instruction.hasREP = raw.attributes & (1 << 28 | 1 << 29) != 0
        instruction.hasREPNE = raw.attributes & 1 << 30 != 0
        let isRepresentable = takeOperands(raw, operands, into: &instruction)
        switch instruction.operation {
        case .setCondition, .moveCondition, .jumpCondition: instruction.condition = raw.opcode & 0xf
        default: break
        }
        refine(raw, operands, mode, &instruction)
        if !isRepresentable, !ignoresOperands(instruction.operation) { instruction.operation = .havoc }
        instruction.isPrivileged = isPrivileged(instruction.operation, raw)
        if instruction.hasArbitraryOutputs { collectWrites(raw, operands, into: &instruction) }
        return instruction
    }

    /// Zydis' own mark leaves some out, and counts CLI and IN, for which IOPL decides.
    private static func isPrivileged(_ operation: Operation, _ raw: ZydisDecodedInstruction) -> Bool {
        switch operation {
        case .moveToControl, .moveFromControl, .moveToDebug, .moveFromDebug, .loadMachineStatus, .clearTaskSwitched,
            .swapGS, .readModelSpecific, .writeModelSpecific, .loadDescriptorTable, .loadTask, .loadLocalTable, .halt,
            .systemReturn, .systemExit:
            true
        // ZYDIS_ATTRIB_IS_PRIVILEGED.
        case .havoc, .serializing, .serializingWithoutOutput: raw.attributes & 1 << 8 != 0
        default: false
        }
    }

    private static func ignoresOperands(_ operation: Operation) -> Bool {
        switch operation {
        case .noOperation, .undefined, .serializing, .serializingWithoutOutput, .breakpoint, .call, .jump,
            .jumpCondition, .verifySegment, .havoc, .inputString, .outputString:
            true
        default: false
        }
    }

    /// What an instruction with arbitrary outputs must disturb: every general register, flag and memory operand that it
    /// writes.
    private static func collectWrites(
        _ raw: ZydisDecodedInstruction, _ operands: UnsafeBufferPointer<ZydisDecodedOperand>,
        into instruction: inout Instruction
    ) {
        instruction.immediate = 0
        instruction.mnemonic = UInt16(truncatingIfNeeded: raw.mnemonic.rawValue)
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
        if visible == 1 || visible == 0 { instruction.sourceSize = instruction.size }
        for index in 0..<visible {
            let operand = operands[index]
            var kind = OperandKind.none
            var register: UInt8 = 0
            switch operand.type {
            case ZYDIS_OPERAND_TYPE_REGISTER:
                kind = .register
                if let number = generalRegister(operand.reg.value) ?? systemRegister(operand.reg.value) {
                    register = number
                } else {
                    representable = false
                }
            case ZYDIS_OPERAND_TYPE_MEMORY:
                kind = .memory
                if !takeMemory(operand.mem, into: &instruction) { representable = false }
            case ZYDIS_OPERAND_TYPE_IMMEDIATE:
                kind = .immediate
                if instruction.operation == .enter, index == 1 {
                    instruction.immediate |= operand.imm.value.s << 16
                } else {
                    instruction.immediate = operand.imm.value.s
                }
            case ZYDIS_OPERAND_TYPE_POINTER:
                kind = .immediate
                instruction.immediate = Int64(operand.ptr.segment) << 32 | Int64(operand.ptr.offset)
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
            default: takeThird(kind, register, into: &instruction)
            }
        }
        return representable
    }

    /// An immediate, CL of a double shift, or the last register of a VEX instruction.
    private static func takeThird(_ kind: OperandKind, _ register: UInt8, into instruction: inout Instruction) {
        switch instruction.operation {
        case _ where kind == .immediate: instruction.hasThirdOperand = true
        case .andNot, .multiplyWithoutFlags, .depositBits, .extractBits:
            // The second operand is VEX.vvvv, the third the one that may be memory.
            instruction.auxiliary = instruction.source
            (instruction.sourceKind, instruction.source) = (kind, register)
        default: instruction.auxiliary = register
        }
    }

    private static func takeMemory(_ memory: ZydisDecodedOperandMem, into instruction: inout Instruction) -> Bool {
        var representable = true
        if memory.base == ZYDIS_REGISTER_RIP || memory.base == ZYDIS_REGISTER_EIP {
            instruction.base = Instruction.instructionPointer
        } else if memory.base != ZYDIS_REGISTER_NONE {
            if let number = generalRegister(memory.base) { instruction.base = number } else { representable = false }
        }
        if memory.index != ZYDIS_REGISTER_NONE {
            if let number = generalRegister(memory.index) { instruction.index = number } else { representable = false }
        }
        instruction.scale = memory.scale <= 1 ? 0 : UInt8(memory.scale.trailingZeroBitCount)
        // A moffs of 64 bits has no register beside it: its upper half goes where no immediate stands.
        instruction.displacement = Int32(truncatingIfNeeded: memory.disp.value)
        if Int64(instruction.displacement) != memory.disp.value {
            guard instruction.addressSize == 8, instruction.operation == .move else {
                if instruction.addressSize == 8 { representable = false }
                instruction.segment = segmentRegister(memory.segment) ?? .ds
                return representable
            }
            instruction.hasThirdOperand = true
            instruction.immediate = memory.disp.value
        }
        instruction.segment = segmentRegister(memory.segment) ?? .ds
        return representable
    }

    private static let writeActions: ZydisOperandActions = ZydisOperandActions(
        ZYDIS_OPERAND_ACTION_WRITE.rawValue | ZYDIS_OPERAND_ACTION_CONDWRITE.rawValue)

    private static func isFlags(_ register: ZydisRegister) -> Bool {
        register == ZYDIS_REGISTER_FLAGS || register == ZYDIS_REGISTER_EFLAGS || register == ZYDIS_REGISTER_RFLAGS
    }

    static func segmentRegister(_ register: ZydisRegister) -> SegmentRegister? {
        guard register.rawValue >= ZYDIS_REGISTER_ES.rawValue, register.rawValue <= ZYDIS_REGISTER_GS.rawValue else {
            return nil
        }
        return SegmentRegister(rawValue: UInt8(register.rawValue - ZYDIS_REGISTER_ES.rawValue))
    }

    /// Encoding number of a segment, control or debug register.
    private static func systemRegister(_ register: ZydisRegister) -> UInt8? {
        let value = register.rawValue
        switch value {
        case ZYDIS_REGISTER_ES.rawValue...ZYDIS_REGISTER_GS.rawValue: return UInt8(value - ZYDIS_REGISTER_ES.rawValue)
        case ZYDIS_REGISTER_CR0.rawValue...ZYDIS_REGISTER_CR15.rawValue:
            return UInt8(value - ZYDIS_REGISTER_CR0.rawValue)
        case ZYDIS_REGISTER_DR0.rawValue...ZYDIS_REGISTER_DR15.rawValue:
            return UInt8(value - ZYDIS_REGISTER_DR0.rawValue)
        default: return nil
        }
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
