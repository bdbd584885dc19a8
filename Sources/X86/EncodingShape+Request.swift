internal import CZydis

extension EncodingShape {
    /// The request for one choice of the memory operand's size and of the immediate's reading.
    func request(memorySize: Int, immediate: Int64, _ encoder: InstructionEncoder) -> ZydisEncoderRequest {
        var request = ZydisEncoderRequest()
        request.machine_mode = encoder.machineMode
        request.mnemonic = reading.mnemonic
        request.prefixes = attributes
        request.address_size_hint =
            addressSize == 8
            ? ZYDIS_ADDRESS_SIZE_HINT_64 : addressSize == 2 ? ZYDIS_ADDRESS_SIZE_HINT_16 : ZYDIS_ADDRESS_SIZE_HINT_32
        setOperandSize(memorySize, &request)
        request.operand_count = UInt8(operands.count)
        withUnsafeMutableBytes(of: &request.operands) { raw in
            let slots = raw.bindMemory(to: ZydisEncoderOperand.self)
            var isFirstImmediate = true
            for (index, operand) in operands.enumerated() {
                switch operand.value {
                case .register(let register):
                    slots[index].type = ZYDIS_OPERAND_TYPE_REGISTER
                    slots[index].reg.value = register
                case .immediate(let number):
                    slots[index].type = ZYDIS_OPERAND_TYPE_IMMEDIATE
                    slots[index].imm.s = isFirstImmediate ? immediate : self.immediate(number, nil)[0]
                    isFirstImmediate = false
                case .memory(let memory):
                    slots[index].type = ZYDIS_OPERAND_TYPE_MEMORY
                    slots[index].mem.base = memory.base ?? ZYDIS_REGISTER_NONE
                    slots[index].mem.index = memory.index ?? ZYDIS_REGISTER_NONE
                    slots[index].mem.scale = memory.index == nil ? 0 : memory.scale
                    slots[index].mem.displacement = displacement(memory)
                    slots[index].mem.size = UInt16(memorySize)
                }
            }
        }
        takeFarPointer(immediate, &request)
        return request
    }

    /// What only a hint can say: the size of hidden operands, and of far and indirect branches.
    private func setOperandSize(_ memorySize: Int, _ request: inout ZydisEncoderRequest) {
        let isBranch = [ZYDIS_MNEMONIC_CALL, ZYDIS_MNEMONIC_JMP, ZYDIS_MNEMONIC_RET].contains(reading.mnemonic)
        var isHidden = true
        for operand in operands where operand.immediate == nil && !operand.isSegment { isHidden = false }
        guard isBranch || isHidden else { return }
        let isStack = Self.wordSized.contains(reading.mnemonic)
        let size =
            reading.isFar
            ? reading.size ?? 4
            : reading.size ?? operands.first?.register.flatMap(generalSize) ?? (isStack ? mode.wordSize : 0)
        switch size {
        case 2: request.operand_size_hint = ZYDIS_OPERAND_SIZE_HINT_16
        case 4: request.operand_size_hint = ZYDIS_OPERAND_SIZE_HINT_32
        case 8: request.operand_size_hint = ZYDIS_OPERAND_SIZE_HINT_64
        default: break
        }
        guard isBranch else { return }
        request.branch_type = reading.isFar ? ZYDIS_BRANCH_TYPE_FAR : ZYDIS_BRANCH_TYPE_NEAR
        request.branch_width =
            size == 8 ? ZYDIS_BRANCH_WIDTH_64 : size == 2 ? ZYDIS_BRANCH_WIDTH_16 : ZYDIS_BRANCH_WIDTH_32
    }

    private func generalSize(_ register: ZydisRegister) -> Int? {
        InstructionNames.isGeneral(register) ? InstructionNames.size(register) : nil
    }

    private func displacement(_ memory: EncodableOperand.Memory) -> Int64 {
        switch memory.displacement {
        case .open: return Self.placeholder
        case .fixed where isFullAddress(memory): return Self.placeholder
        case .fixed(let value):
            // An address of 32 bits is the same with and without a sign.
            let isWrapped = addressSize < 8 && (0..<1 << 32).contains(value)
            return isWrapped ? Int64(Int32(truncatingIfNeeded: value)) : value
        }
    }

    /// An address alone. Zydis would shorten it by a prefix for 16- or 32-bit addresses; `as` and compilers don't.
    private func isFullAddress(_ memory: EncodableOperand.Memory) -> Bool {
        guard memory.isAbsolute, addressSize == mode.wordSize, case .fixed(let value) = memory.displacement else {
            return false
        }
        return mode == .i386 || Int32(exactly: value) != nil
    }

    /// `ljmp $selector, $offset`, which exists in 32-bit mode only.
    private func takeFarPointer(_ immediate: Int64, _ request: inout ZydisEncoderRequest) {
        guard reading.isFar, operands.count == 2, case .fixed(let selector)? = operands[1].immediate,
            let offset = operands[0].immediate
        else { return }
        request.operand_count = 1
        request.operands.0 = ZydisEncoderOperand()
        request.operands.0.type = ZYDIS_OPERAND_TYPE_POINTER
        request.operands.0.ptr.segment = UInt16(truncatingIfNeeded: selector)
        switch offset {
        case .open: request.operands.0.ptr.offset = UInt32(truncatingIfNeeded: Self.placeholder)
        case .fixed(let value): request.operands.0.ptr.offset = UInt32(truncatingIfNeeded: value)
        }
    }

    /// The places in the bytes of values that come with the layout; false where Zydis chose too narrow a form.
    func openFields(_ raw: ZydisDecodedInstruction, into code: inout EncodedInstruction) -> Bool {
        for operand in operands {
            var field = EncodedInstruction.Field(
                offset: 0, size: 0, origin: .absolute, expression: .number(0), place: operand.place)
            switch operand.value {
            case .immediate(.open(let number)):
                field.expression = open[number]
                field.offset = Int(raw.raw.imm.0.offset)
                field.size = Int(raw.raw.imm.0.size) / 8
                // Four bytes that stand for eight are widened with their sign.
                if raw.operand_width == 64, field.size == 4 { field.isSigned = true }
            case .memory(let memory):
                switch memory.displacement {
                case .open(let number): field.expression = open[number]
                case .fixed(let value):
                    guard isFullAddress(memory) else { continue }
                    field.expression = .number(value)
                }
                field.offset = Int(raw.raw.disp.offset)
                field.size = Int(raw.raw.disp.size) / 8
                field.isSigned = addressSize == 8 && field.size == 4 ? true : nil
                if memory.base == ZYDIS_REGISTER_RIP { field.origin = .relativeToAddress }
            default: continue
            }
            guard field.size > 0 else { return false }
            code.fields.append(field)
        }
        return true
    }
}
