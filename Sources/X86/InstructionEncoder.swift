internal import CZydis

/// One instruction's bytes with the places that depend on addresses still open.
struct EncodedInstruction: Sendable {
    struct Field: Sendable {
        enum Origin: Sendable {
            /// The value itself.
            case absolute
            /// The distance from the end of the instruction.
            case relative
            /// `symbol(%rip)` is a distance, `8(%rip)` and `(a - b)(%rip)` are not.
            case relativeToAddress
        }

        var offset: Int
        var size: Int
        var origin: Origin
        /// How the processor widens it; nil where both readings come to the same.
        var isSigned: Bool?
        var expression: AssemblyExpression
        var place: AssemblyPlace
    }

    var bytes: [UInt8]
    var fields: [Field] = []

    mutating func prepend(_ prefixes: [UInt8]) {
        bytes = prefixes + bytes
        for index in fields.indices { fields[index].offset += prefixes.count }
    }
}

/// Makes bytes of one parsed instruction.
struct InstructionEncoder: Sendable {
    enum Encoding {
        case code(EncodedInstruction)
        /// A direct branch in the lengths that exist; one at least does.
        case branch(short: EncodedInstruction?, near: EncodedInstruction?)
    }

    let mode: ProcessorMode
    let decoder: ZydisDecoder

    init(mode: ProcessorMode) {
        self.mode = mode
        var decoder = ZydisDecoder()
        if mode == .x86_64 {
            _ = ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)
        } else {
            _ = ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32)
        }
        self.decoder = decoder
    }

    func encode(_ instruction: AssemblyInstruction, _ symbols: AssemblySymbols) throws(AssemblerError) -> Encoding {
        let readings = InstructionNames.readings(instruction.mnemonic, mode: mode)
        guard !readings.isEmpty else {
            throw AssemblerError(
                instruction.place, instruction.mnemonic, .noSuchMnemonic,
                nearest: InstructionNames.nearest(to: instruction.mnemonic))
        }
        var operands: [EncodableOperand] = []
        var open: [AssemblyExpression] = []
        for operand in instruction.operands {
            operands.append(try EncodableOperand(operand, mode: mode, symbols, open: &open))
        }
        if let reading = readings.first(where: { Self.isRelativeBranch($0.mnemonic) && !$0.isFar }),
            operands.count == 1, operands[0].isBranchTarget, case .memory(let memory) = instruction.operands[0].kind,
            let target = memory.bareExpression
        {
            return try branch(reading, to: target, instruction)
        }
        var request = EncodingRequest(mode: mode, instruction: instruction, operands: operands, open: open)
        var sizes: [String] = []
        for reading in readings {
            switch try request.attempt(reading, self) {
            case .encoded(let code): return .code(code)
            case .ambiguous(let suffixes): sizes += suffixes
            case .none: break
            }
        }
        if !sizes.isEmpty {
            let names = sizes.map { instruction.mnemonic + $0 }
            throw AssemblerError(
                instruction.place, instruction.mnemonic, .ambiguousSize(names.joined(separator: ", ")))
        }
        if let range = request.rangeError { throw range }
        throw AssemblerError(
            instruction.place, instruction.mnemonic, .noEncoding(operands: request.operandsText))
    }

    // MARK: Zydis

    /// Room for one instruction.
    private static let bufferSize = 16

    func bytes(_ request: ZydisEncoderRequest) -> [UInt8]? {
        var request = request
        var length = ZyanUSize(Self.bufferSize)
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Self.bufferSize) { buffer -> [UInt8]? in
            let status = ZydisEncoderEncodeInstruction(&request, buffer.baseAddress, &length)
            guard status & 0x8000_0000 == 0 else { return nil }
            return Array(buffer[..<Int(length)])
        }
    }

    func decoded(_ bytes: [UInt8]) -> ZydisDecodedInstruction? {
        var raw = ZydisDecodedInstruction()
        let status = bytes.withUnsafeBytes { source in
            withUnsafePointer(to: decoder) {
                ZydisDecoderDecodeInstruction($0, nil, source.baseAddress, source.count, &raw)
            }
        }
        return status & 0x8000_0000 == 0 && Int(raw.length) == bytes.count ? raw : nil
    }

    var machineMode: ZydisMachineMode {
        mode == .x86_64 ? ZYDIS_MACHINE_MODE_LONG_64 : ZYDIS_MACHINE_MODE_LEGACY_32
    }

    // MARK: Direct branches

    private static let shortOnly: [ZydisMnemonic] = [
        ZYDIS_MNEMONIC_LOOP, ZYDIS_MNEMONIC_LOOPE, ZYDIS_MNEMONIC_LOOPNE, ZYDIS_MNEMONIC_JCXZ, ZYDIS_MNEMONIC_JECXZ,
        ZYDIS_MNEMONIC_JRCXZ,
    ]

    private static let conditional: [ZydisMnemonic] = [
        ZYDIS_MNEMONIC_JO, ZYDIS_MNEMONIC_JNO, ZYDIS_MNEMONIC_JB, ZYDIS_MNEMONIC_JNB, ZYDIS_MNEMONIC_JZ,
        ZYDIS_MNEMONIC_JNZ, ZYDIS_MNEMONIC_JBE, ZYDIS_MNEMONIC_JNBE, ZYDIS_MNEMONIC_JS, ZYDIS_MNEMONIC_JNS,
        ZYDIS_MNEMONIC_JP, ZYDIS_MNEMONIC_JNP, ZYDIS_MNEMONIC_JL, ZYDIS_MNEMONIC_JNL, ZYDIS_MNEMONIC_JLE,
        ZYDIS_MNEMONIC_JNLE,
    ]

    static func isRelativeBranch(_ mnemonic: ZydisMnemonic) -> Bool {
        mnemonic == ZYDIS_MNEMONIC_CALL || mnemonic == ZYDIS_MNEMONIC_JMP || conditional.contains(mnemonic)
            || shortOnly.contains(mnemonic)
    }

    private func branch(
        _ reading: InstructionName, to target: AssemblyExpression, _ instruction: AssemblyInstruction
    ) throws(AssemblerError) -> Encoding {
        var forms: [EncodedInstruction?] = []
        for width in [ZYDIS_BRANCH_WIDTH_8, ZYDIS_BRANCH_WIDTH_32] {
            var request = ZydisEncoderRequest()
            request.machine_mode = machineMode
            request.mnemonic = reading.mnemonic
            request.branch_type = width == ZYDIS_BRANCH_WIDTH_8 ? ZYDIS_BRANCH_TYPE_SHORT : ZYDIS_BRANCH_TYPE_NEAR
            request.branch_width = width
            request.operand_count = 1
            request.operands.0.type = ZYDIS_OPERAND_TYPE_IMMEDIATE
            let isKnown =
                width == ZYDIS_BRANCH_WIDTH_8
                ? reading.mnemonic != ZYDIS_MNEMONIC_CALL : !Self.shortOnly.contains(reading.mnemonic)
            guard isKnown, let bytes = bytes(request), let raw = decoded(bytes) else {
                forms.append(nil)
                continue
            }
            let field = EncodedInstruction.Field(
                offset: Int(raw.raw.imm.0.offset), size: Int(raw.raw.imm.0.size) / 8, origin: .relative, isSigned: true,
                expression: target, place: instruction.place)
            var code = EncodedInstruction(bytes: bytes, fields: [field])
            code.prepend(instruction.prefixes.map(\.byte))
            forms.append(code)
        }
        guard forms[0] != nil || forms[1] != nil else {
            throw AssemblerError(instruction.place, instruction.mnemonic, .noEncoding(operands: "a target"))
        }
        return .branch(short: forms[0], near: forms[1])
    }
}
