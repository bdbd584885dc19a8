internal import CZydis

/// One reading of an instruction as Zydis' encoder wants it: the manual's operand order, sizes and prefixes.
struct EncodingShape {
    let mode: ProcessorMode
    let reading: InstructionName
    /// As the manual writes them: destination first.
    private(set) var operands: [EncodableOperand]
    let open: [AssemblyExpression]
    private(set) var attributes: ZydisInstructionAttributes = 0
    private var rawPrefixes: [UInt8] = []
    private(set) var addressSize: Int
    private var isAccumulatorSwapped = false
    private(set) var immediateSize: Int?
    /// The sizes to try for a memory operand, in order; empty where nothing names one.
    private(set) var memorySizes: [Int] = []
    /// A size came from a register: where it doesn't fit (`movdqu`, `mov %ds, (%rax)`), others may.
    private(set) var mayTryOtherSizes = false

    /// Widest last: among the sizes that nothing names the usual ones come first.
    static let memorySizesAll = [1, 2, 4, 8, 6, 10, 16, 32, 64, 28, 108, 512, 576, 0]

    var hasMemory: Bool {
        operands.contains { $0.memory != nil }
    }

    init?(_ reading: InstructionName, _ request: EncodingRequest) {
        self.reading = reading
        mode = request.mode
        open = request.open
        addressSize = request.mode.wordSize
        // BOUND and ENTER are the two whose operands AT&T leaves in the manual's order.
        let isManuals =
            reading.mnemonic == ZYDIS_MNEMONIC_BOUND && request.operands.first?.register != nil
            || reading.mnemonic == ZYDIS_MNEMONIC_ENTER
        operands = isManuals ? request.operands : request.operands.reversed()
        if Self.isString(reading.mnemonic), !operands.isEmpty, !hasVector {
            guard takeStringOperands() else { return nil }
        }
        guard takePrefixes(request.instruction.prefixes), completeOperands(request.instruction.place) else {
            return nil
        }
        for operand in operands {
            guard let memory = operand.memory else { continue }
            if let segment = memory.segment { attributes |= Self.segmentAttribute(segment) }
            if let register = memory.base ?? memory.index, InstructionNames.isGeneral(register) {
                addressSize = InstructionNames.size(register)
            }
        }
        guard findSizes() else { return nil }
    }

    private var hasVector: Bool {
        for operand in operands where operand.isVector { return true }
        return false
    }

    // MARK: Prefixes

    private static func segmentAttribute(_ segment: ZydisRegister) -> ZydisInstructionAttributes {
        // ZYDIS_ATTRIB_HAS_SEGMENT_CS to _GS: macros that Swift does not import.
        switch segment {
        case ZYDIS_REGISTER_CS: 1 << 37
        case ZYDIS_REGISTER_SS: 1 << 38
        case ZYDIS_REGISTER_DS: 1 << 39
        case ZYDIS_REGISTER_ES: 1 << 40
        case ZYDIS_REGISTER_FS: 1 << 41
        case ZYDIS_REGISTER_GS: 1 << 42
        default: 0
        }
    }

    private mutating func takePrefixes(_ prefixes: [AssemblyPrefix]) -> Bool {
        let comparing: [ZydisMnemonic] = [
            ZYDIS_MNEMONIC_CMPSB, ZYDIS_MNEMONIC_CMPSW, ZYDIS_MNEMONIC_CMPSD, ZYDIS_MNEMONIC_CMPSQ,
            ZYDIS_MNEMONIC_SCASB,
            ZYDIS_MNEMONIC_SCASW, ZYDIS_MNEMONIC_SCASD, ZYDIS_MNEMONIC_SCASQ,
        ]
        for prefix in prefixes {
            switch prefix {
            // ZYDIS_ATTRIB_HAS_LOCK, _REP, _REPE, _REPNE, _BND and _NOTRACK.
            case .lock: attributes |= 1 << 27
            case .rep, .repe, .repz:
                guard Self.isString(reading.mnemonic) else { return false }
                attributes |= comparing.contains(reading.mnemonic) ? 1 << 29 : 1 << 28
            case .repne, .repnz:
                guard Self.isString(reading.mnemonic) else { return false }
                attributes |= 1 << 30
            case .bnd: attributes |= 1 << 31
            case .notrack: attributes |= 1 << 36
            default: rawPrefixes.append(prefix.byte)
            }
        }
        return true
    }

    // MARK: Operands

    private static let stringMnemonics: [ZydisMnemonic] = [
        ZYDIS_MNEMONIC_MOVSB, ZYDIS_MNEMONIC_MOVSW, ZYDIS_MNEMONIC_MOVSD, ZYDIS_MNEMONIC_MOVSQ, ZYDIS_MNEMONIC_CMPSB,
        ZYDIS_MNEMONIC_CMPSW, ZYDIS_MNEMONIC_CMPSD, ZYDIS_MNEMONIC_CMPSQ, ZYDIS_MNEMONIC_STOSB, ZYDIS_MNEMONIC_STOSW,
        ZYDIS_MNEMONIC_STOSD, ZYDIS_MNEMONIC_STOSQ, ZYDIS_MNEMONIC_LODSB, ZYDIS_MNEMONIC_LODSW, ZYDIS_MNEMONIC_LODSD,
        ZYDIS_MNEMONIC_LODSQ, ZYDIS_MNEMONIC_SCASB, ZYDIS_MNEMONIC_SCASW, ZYDIS_MNEMONIC_SCASD, ZYDIS_MNEMONIC_SCASQ,
        ZYDIS_MNEMONIC_INSB, ZYDIS_MNEMONIC_INSW, ZYDIS_MNEMONIC_INSD, ZYDIS_MNEMONIC_OUTSB, ZYDIS_MNEMONIC_OUTSW,
        ZYDIS_MNEMONIC_OUTSD, ZYDIS_MNEMONIC_XLAT,
    ]

    private static func isString(_ mnemonic: ZydisMnemonic) -> Bool {
        stringMnemonics.contains(mnemonic)
    }

    /// `movsb (%rsi), %es:(%rdi)`: the operands say nothing but a segment and the width of addresses.
    private mutating func takeStringOperands() -> Bool {
        for operand in operands {
            switch operand.value {
            case .register(let register):
                let accumulators = [
                    ZYDIS_REGISTER_AL, ZYDIS_REGISTER_AX, ZYDIS_REGISTER_EAX, ZYDIS_REGISTER_RAX, ZYDIS_REGISTER_DX,
                ]
                guard accumulators.contains(register) else { return false }
            case .immediate: return false
            case .memory(let memory):
                guard let base = memory.base, memory.index == nil, case .fixed(0) = memory.displacement else {
                    return false
                }
                if base == ZYDIS_REGISTER_DX { continue }
                let number = ZydisRegisterGetId(base)
                guard InstructionNames.isGeneral(base), [3, 6, 7].contains(number) else { return false }
                addressSize = InstructionNames.size(base)
                if number != 7, let segment = memory.segment { attributes |= Self.segmentAttribute(segment) }
            }
        }
        operands = []
        return true
    }

    private static let shifts: [ZydisMnemonic] = [
        ZYDIS_MNEMONIC_SHL, ZYDIS_MNEMONIC_SHR, ZYDIS_MNEMONIC_SAR, ZYDIS_MNEMONIC_ROL, ZYDIS_MNEMONIC_ROR,
        ZYDIS_MNEMONIC_RCL, ZYDIS_MNEMONIC_RCR,
    ]

    private static let doubleShifts = [ZYDIS_MNEMONIC_SHLD, ZYDIS_MNEMONIC_SHRD]

    /// Instructions whose register operand is 16 bits wide for Zydis, whatever the text says.
    private static let selectors: [ZydisMnemonic] = [
        ZYDIS_MNEMONIC_VERR, ZYDIS_MNEMONIC_VERW, ZYDIS_MNEMONIC_LTR, ZYDIS_MNEMONIC_LLDT, ZYDIS_MNEMONIC_LMSW,
    ]

    /// What the text may leave out, and what it may write in more than one way.
    private mutating func completeOperands(_ place: AssemblyPlace) -> Bool {
        let mnemonic = reading.mnemonic
        if Self.shifts.contains(mnemonic), operands.count == 1 {
            operands.append(EncodableOperand(immediate: 1, place: place))
        } else if Self.doubleShifts.contains(mnemonic), operands.count == 2 {
            operands.append(EncodableOperand(register: ZYDIS_REGISTER_CL, like: operands[0]))
        } else if mnemonic == ZYDIS_MNEMONIC_IMUL, operands.count == 2, operands[1].immediate != nil {
            operands.insert(operands[0], at: 1)
        } else if mnemonic == ZYDIS_MNEMONIC_IN || mnemonic == ZYDIS_MNEMONIC_OUT {
            return completePort()
        } else if mnemonic == ZYDIS_MNEMONIC_TEST || mnemonic == ZYDIS_MNEMONIC_XCHG, operands.count == 2,
            operands[1].memory != nil
        {
            operands.swapAt(0, 1)
        } else if mnemonic == ZYDIS_MNEMONIC_MOV, operands.count == 2, let destination = operands[0].register,
            InstructionNames.isSegment(destination), let source = operands[1].register
        {
            operands[1] = EncodableOperand(register: InstructionNames.resized(source, to: 2), like: operands[1])
        } else if mnemonic == ZYDIS_MNEMONIC_MOV, operands.count == 2, operands[1].isSegment,
            let destination = operands[0].register, InstructionNames.size(destination) == 8
        {
            // The upper halves become zero with and without REX.W.
            operands[0] = EncodableOperand(register: InstructionNames.resized(destination, to: 4), like: operands[0])
        } else if mnemonic == ZYDIS_MNEMONIC_AAM || mnemonic == ZYDIS_MNEMONIC_AAD, operands.isEmpty {
            operands = [EncodableOperand(immediate: 10, place: place)]
        } else if Self.selectors.contains(mnemonic), let register = operands.first?.register {
            operands[0] = EncodableOperand(register: InstructionNames.resized(register, to: 2), like: operands[0])
        } else if mnemonic == ZYDIS_MNEMONIC_LAR || mnemonic == ZYDIS_MNEMONIC_LSL, operands.count == 2,
            let destination = operands[0].register, let source = operands[1].register
        {
            let size = InstructionNames.size(destination)
            operands[1] = EncodableOperand(register: InstructionNames.resized(source, to: size), like: operands[1])
        } else if let size = reading.destinationSize, operands.count == 2 {
            guard let register = operands[0].register, InstructionNames.size(register) == size else { return false }
        }
        if mode == .x86_64, mnemonic == ZYDIS_MNEMONIC_MOV, operands.count == 2 { swapAccumulator() }
        return true
    }

    /// `(%dx)` for `%dx`, and the accumulator that `inb $0x70` leaves out.
    private mutating func completePort() -> Bool {
        for index in operands.indices where operands[index].memory?.base == ZYDIS_REGISTER_DX {
            operands[index] = EncodableOperand(register: ZYDIS_REGISTER_DX, like: operands[index])
        }
        guard operands.count == 1 else { return true }
        guard let size = reading.size, size < 8 else { return false }
        let accumulator = size == 1 ? ZYDIS_REGISTER_AL : InstructionNames.resized(ZYDIS_REGISTER_EAX, to: size)
        let operand = EncodableOperand(register: accumulator, like: operands[0])
        operands.insert(operand, at: reading.mnemonic == ZYDIS_MNEMONIC_IN ? 0 : 1)
        return true
    }

    /// Zydis encodes `mov 8, %rax` as A1 with a prefix for 32-bit addresses, which isn't the same for an address
    /// with a sign. With RCX it can't; the register is put right in the bytes.
    private mutating func swapAccumulator() {
        for (one, other) in [(0, 1), (1, 0)] {
            guard let memory = operands[one].memory, memory.isAbsolute, let register = operands[other].register else {
                continue
            }
            let twins = [
                ZYDIS_REGISTER_AL: ZYDIS_REGISTER_CL, ZYDIS_REGISTER_AX: ZYDIS_REGISTER_CX,
                ZYDIS_REGISTER_EAX: ZYDIS_REGISTER_ECX, ZYDIS_REGISTER_RAX: ZYDIS_REGISTER_RCX,
            ]
            if case .fixed(let address) = memory.displacement, Int32(exactly: address) == nil { continue }
            guard let twin = twins[register] else { continue }
            operands[other] = EncodableOperand(register: twin, like: operands[other])
            isAccumulatorSwapped = true
        }
    }

    // MARK: Sizes

    /// Instructions whose suffix speaks of the source alone.
    private static let mixed: [ZydisMnemonic] = [
        ZYDIS_MNEMONIC_MOVZX, ZYDIS_MNEMONIC_MOVSX, ZYDIS_MNEMONIC_MOVSXD, ZYDIS_MNEMONIC_CRC32,
    ]

    /// Instructions on the stack, and branches: one word where nothing else is said.
    static let wordSized: [ZydisMnemonic] = [
        ZYDIS_MNEMONIC_PUSH, ZYDIS_MNEMONIC_POP, ZYDIS_MNEMONIC_CALL, ZYDIS_MNEMONIC_JMP, ZYDIS_MNEMONIC_RET,
        ZYDIS_MNEMONIC_LEAVE, ZYDIS_MNEMONIC_ENTER,
    ]

    private static let byteImmediates: [ZydisMnemonic] =
        shifts + doubleShifts + [
            ZYDIS_MNEMONIC_INT, ZYDIS_MNEMONIC_IN, ZYDIS_MNEMONIC_OUT, ZYDIS_MNEMONIC_RET, ZYDIS_MNEMONIC_ENTER,
            ZYDIS_MNEMONIC_BT, ZYDIS_MNEMONIC_BTS, ZYDIS_MNEMONIC_BTR, ZYDIS_MNEMONIC_BTC, ZYDIS_MNEMONIC_RORX,
            ZYDIS_MNEMONIC_AAM, ZYDIS_MNEMONIC_AAD,
        ]

    private var hasByteImmediate: Bool {
        Self.byteImmediates.contains(reading.mnemonic) || hasVector
    }

    private mutating func findSizes() -> Bool {
        let isMixed = Self.mixed.contains(reading.mnemonic)
        // A count in CL and a port in DX have sizes of their own, as have segment, control and vector registers.
        var general: [ZydisRegister] = []
        for (index, operand) in operands.enumerated() {
            guard let register = operand.register, InstructionNames.isGeneral(register) else { continue }
            let isCount = register == ZYDIS_REGISTER_CL && index == operands.count - 1
            let isShift = Self.shifts.contains(reading.mnemonic) || Self.doubleShifts.contains(reading.mnemonic)
            let isPort = reading.mnemonic == ZYDIS_MNEMONIC_IN || reading.mnemonic == ZYDIS_MNEMONIC_OUT
            if isCount && isShift || isPort && register == ZYDIS_REGISTER_DX { continue }
            general.append(register)
        }
        let isLimit = reading.mnemonic == ZYDIS_MNEMONIC_LAR || reading.mnemonic == ZYDIS_MNEMONIC_LSL
        var hasSegment = false
        for operand in operands where operand.isSegment { hasSegment = true }
        if let size = reading.size, reading.isSuffixed || isMixed {
            guard mode == .x86_64 || size < 8 || hasVector else { return false }
            let sized = isMixed ? operands.last?.register.map { [$0] } ?? [] : general
            let isFree = hasSegment || hasVector || Self.selectors.contains(reading.mnemonic) || isLimit
            for register in sized where !isFree && InstructionNames.size(register) != size { return false }
            memorySizes = [reading.isFar ? size + 2 : size]
            immediateSize = size
        } else if reading.isFar {
            memorySizes = [6]
        } else if reading.mnemonic == ZYDIS_MNEMONIC_MOVQ {
            memorySizes = [8]
        } else if let size = general.first.map(InstructionNames.size), !isMixed {
            memorySizes = [size]
            immediateSize = size
            mayTryOtherSizes = true
        }
        if Self.wordSized.contains(reading.mnemonic), !reading.isFar {
            if memorySizes.isEmpty { memorySizes = [mode.wordSize] }
            if reading.mnemonic == ZYDIS_MNEMONIC_PUSH, immediateSize == nil { immediateSize = mode.wordSize }
        }
        // LEA reads nothing: the size that Zydis wants to know is the address's.
        if reading.mnemonic == ZYDIS_MNEMONIC_LEA { memorySizes = [addressSize] + memorySizes }
        if hasByteImmediate { immediateSize = nil }
        return true
    }

    // MARK: Encoding

    /// Stands for an open value of full width while Zydis chooses the form.
    static let placeholder: Int64 = 0x7654_3210
    private static let placeholder64: Int64 = 0x7654_3210_7654_3210

    func immediate(_ number: EncodableOperand.Number, _ size: Int?) -> [Int64] {
        switch number {
        case .open:
            let mask: Int64 = size.map { $0 >= 4 ? Self.placeholder : (1 << Int64($0 * 8)) - 1 } ?? 0xff
            return [Self.placeholder & mask]
        case .fixed(let value):
            guard let size, size < 8 else {
                return hasByteImmediate && (128...255).contains(value) ? [value, value - 256] : [value]
            }
            let shift = Int64(64 - size * 8)
            let signed = (value << shift) >> shift
            let unsigned = Int64(bitPattern: UInt64(bitPattern: value << shift) >> UInt64(shift))
            return signed == unsigned ? [signed] : [signed, unsigned]
        }
    }

    mutating func encode(memorySize: Int, _ encoder: InstructionEncoder) -> EncodedInstruction? {
        var size = immediateSize
        if size == nil, !hasByteImmediate, (1...8).contains(memorySize) { size = memorySize }
        guard operands.count <= Int(ZYDIS_ENCODER_MAX_OPERANDS) else { return nil }
        let choices = operands.lazy.compactMap { $0.immediate }.first.map { immediate($0, size) } ?? [0]
        for choice in choices {
            let request = request(memorySize: memorySize, immediate: choice, encoder)
            guard var bytes = encoder.bytes(request), var raw = encoder.decoded(bytes),
                raw.mnemonic == reading.mnemonic
            else { continue }
            repair(&bytes, raw)
            guard let repaired = encoder.decoded(bytes), repaired.mnemonic == reading.mnemonic else { continue }
            raw = repaired
            var code = EncodedInstruction(bytes: bytes)
            guard openFields(raw, into: &code) else { continue }
            Self.orderPrefixes(&code.bytes)
            code.prepend(rawPrefixes)
            guard code.bytes.count <= InstructionBytes.lengthMax else { return nil }
            return code
        }
        return nil
    }

    /// Segment, address size, operand size, LOCK or REP: the processor takes any order, `as` writes this one.
    private static func orderPrefixes(_ bytes: inout [UInt8]) {
        func rank(_ byte: UInt8) -> Int? {
            switch byte {
            case 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65: 0
            case 0x67: 1
            case 0x66: 2
            case 0xf0, 0xf2, 0xf3: 3
            default: nil
            }
        }
        let count = bytes.prefix { rank($0) != nil }.count
        for index in 0..<count {
            for other in index + 1..<max(count, index + 1) where (rank(bytes[other]) ?? 0) < (rank(bytes[index]) ?? 0) {
                bytes.swapAt(index, other)
            }
        }
    }

    private func repair(_ bytes: inout [UInt8], _ raw: ZydisDecodedInstruction) {
        let modRM = Int(raw.raw.modrm.offset)
        if isAccumulatorSwapped { bytes[modRM] &= ~0x38 }
        // Zydis leaves ModRM.mod 0, which the processor doesn't read but every disassembler expects to be 3.
        for operand in operands where operand.isSystem { bytes[modRM] |= 0xc0 }
    }
}
