import X86

/// A 64-bit general register by its encoding number.
enum BuiltinRegister: UInt8 {
    case rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi
    case r8, r9, r10, r11, r12, r13, r14, r15
}

/// What a ModRM byte can name.
enum BuiltinOperand {
    case register(BuiltinRegister)
    /// `displacement(base)`, with disp32 where `wide` asks for it or disp8 can't hold it.
    case memory(BuiltinRegister, Int)
    /// `symbol+offset(%rip)`
    case symbol(String, offset: Int = 0)
    /// `symbol(,index,8)`: an absolute disp32, which sign-extends to the kernel's top 2 GiB.
    case element(String, index: BuiltinRegister)
    /// `symbol`: an absolute disp32 alone, as behind gs.
    case absolute(String)
}

/// A place in text that is known now or later.
struct BuiltinLabel: Hashable {
    let index: Int
}

/// Emits x86_64 instructions at their final addresses and patches references once every label is placed.
///
/// Each form has one length: only addresses that are already known decide about padding, so a run of the assembler gives
/// the same bytes every time.
struct BuiltinAssembler {
    private enum FixupKind {
        /// A signed byte relative to the next instruction.
        case relative8
        /// 32 bits relative to the next instruction, which starts `trailing` bytes after the field.
        case relative32(trailing: Int)
        /// The low 32 bits of the address.
        case absolute32
    }

    private struct Fixup {
        let position: Int
        let kind: FixupKind
        let label: BuiltinLabel
        let offset: Int
    }

    let base: VirtualAddress
    private(set) var bytes: [UInt8] = []
    private var places: [VirtualAddress?] = []
    private var names: [String: BuiltinLabel] = [:]
    private var fixups: [Fixup] = []

    init(base: VirtualAddress) {
        self.base = base
    }

    /// Where the next byte goes.
    var address: VirtualAddress {
        base + bytes.count
    }

    // MARK: Labels

    mutating func makeLabel() -> BuiltinLabel {
        places.append(nil)
        return BuiltinLabel(index: places.count - 1)
    }

    /// The label of a symbol, which may be placed later.
    mutating func label(named name: String) -> BuiltinLabel {
        if let label = names[name] { return label }
        let label = makeLabel()
        names[name] = label
        return label
    }

    mutating func place(_ label: BuiltinLabel, at address: VirtualAddress? = nil) {
        precondition(places[label.index] == nil, "a label is placed once")
        places[label.index] = address ?? self.address
    }

    mutating func place(_ name: String, at address: VirtualAddress? = nil) {
        precondition(names[name].flatMap { places[$0.index] } == nil, "\(name) is defined once")
        place(label(named: name), at: address)
    }

    func address(of name: String) -> VirtualAddress {
        guard let label = names[name], let place = places[label.index] else {
            preconditionFailure("\(name) is referred to, but nobody defines it")
        }
        return place
    }

    func address(of label: BuiltinLabel) -> VirtualAddress {
        guard let place = places[label.index] else { preconditionFailure("a label is placed before it is asked for") }
        return place
    }

    // MARK: Bytes

    mutating func emit(_ more: UInt8...) {
        bytes.append(contentsOf: more)
    }

    mutating func emit(_ more: InstructionBytes) {
        bytes.append(contentsOf: more.bytes)
    }

    mutating func emit32(_ value: Int) {
        let bits = UInt32(truncatingIfNeeded: value)
        for shift in stride(from: 0, to: 32, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(shift)))
        }
    }

    /// Pads with `cc`, as between functions, until the address is `residue` modulo `modulus`.
    mutating func padWithInt3(to residue: Int, modulo modulus: Int) {
        while Int(address.rawValue % UInt64(modulus)) != residue { emit(0xcc) }
    }

    /// Pads with long NOPs, as inside a function, until the address is `residue` modulo `modulus`.
    mutating func padWithNops(to residue: Int, modulo modulus: Int) {
        var missing = (residue - Int(address.rawValue % UInt64(modulus)) + modulus) % modulus
        while missing > 0 {
            let length = min(missing, 8)
            emitNop(length)
            missing -= length
        }
    }

    private mutating func emitNop(_ length: Int) {
        switch length {
        case 1: emit(0x90)
        case 2: emit(0x66, 0x90)
        case 3: emit(0x0f, 0x1f, 0x00)
        case 4: emit(0x0f, 0x1f, 0x40, 0x00)
        case 5: emit(0x0f, 0x1f, 0x44, 0x00, 0x00)
        case 6: emit(0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00)
        case 7: emit(0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00)
        case 8: emit(0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00)
        default: preconditionFailure("NOPs have 1 to 8 bytes")
        }
    }

    // MARK: References

    mutating func emitRelative8(_ label: BuiltinLabel) {
        fixups.append(Fixup(position: bytes.count, kind: .relative8, label: label, offset: 0))
        emit(0)
    }

    mutating func emitRelative32(_ label: BuiltinLabel, offset: Int = 0, trailing: Int = 0) {
        fixups.append(
            Fixup(position: bytes.count, kind: .relative32(trailing: trailing), label: label, offset: offset))
        emit32(0)
    }

    private mutating func emitAbsolute32(_ label: BuiltinLabel) {
        fixups.append(Fixup(position: bytes.count, kind: .absolute32, label: label, offset: 0))
        emit32(0)
    }

    /// Writes every reference; all labels must be placed.
    mutating func resolve() {
        for fixup in fixups {
            let target = address(of: fixup.label) + fixup.offset
            switch fixup.kind {
            case .relative8:
                let distance = target - (base + fixup.position + 1)
                guard let short = Int8(exactly: distance) else { preconditionFailure("a short jump reaches 127 bytes") }
                bytes[fixup.position] = UInt8(bitPattern: short)
            case .relative32(let trailing):
                write32(target - (base + fixup.position + 4 + trailing), at: fixup.position)
            case .absolute32:
                let value = Int(Int64(bitPattern: target.rawValue))
                precondition(Int32(exactly: value) != nil, "disp32 sign-extends")
                write32(value, at: fixup.position)
            }
        }
        fixups.removeAll()
    }

    private mutating func write32(_ value: Int, at position: Int) {
        let bits = UInt32(truncatingIfNeeded: value)
        for index in 0..<4 {
            bytes[position + index] = UInt8(truncatingIfNeeded: bits >> UInt32(8 * index))
        }
    }

    // MARK: ModRM

    /// Prefixes, opcode and ModRM of one instruction; `immediateLength` bytes are emitted after it by the caller.
    mutating func encode(
        prefixes: [UInt8] = [], wide: Bool = true, opcode: [UInt8], field: UInt8, operand: BuiltinOperand,
        immediateLength: Int = 0, byteRegisters: Bool = false
    ) {
        var rex: UInt8 = wide ? 0x48 : 0
        if field >= 8 { rex |= 0x44 }
        switch operand {
        case .register(let register):
            if register.rawValue >= 8 { rex |= 0x41 }
            // Without REX, byte registers 4 to 7 are ah, ch, dh and bh.
            if byteRegisters, register.rawValue >= 4 || field >= 4 { rex |= 0x40 }
        case .memory(let register, _):
            if register.rawValue >= 8 { rex |= 0x41 }
        case .element(_, let index):
            if index.rawValue >= 8 { rex |= 0x42 }
        case .symbol, .absolute:
            break
        }
        bytes.append(contentsOf: prefixes)
        if rex != 0 { emit(rex) }
        bytes.append(contentsOf: opcode)
        encodeModRM(field: field & 7, operand: operand, immediateLength: immediateLength)
    }

    private mutating func encodeModRM(field: UInt8, operand: BuiltinOperand, immediateLength: Int) {
        switch operand {
        case .register(let register):
            emit(0xc0 | field << 3 | register.rawValue & 7)
        case .memory(let base, let displacement):
            let short = Int8(exactly: displacement)
            let mode: UInt8 = displacement == 0 && base.rawValue & 7 != 5 ? 0 : short != nil ? 0x40 : 0x80
            emit(mode | field << 3 | base.rawValue & 7)
            // rsp and r12 are only reachable through a SIB byte without an index.
            if base.rawValue & 7 == 4 { emit(0x24) }
            if mode == 0x40 { emit(UInt8(bitPattern: short!)) } else if mode == 0x80 { emit32(displacement) }
        case .symbol(let name, let offset):
            emit(field << 3 | 5)
            emitRelative32(label(named: name), offset: offset, trailing: immediateLength)
        case .element(let name, let index):
            emit(field << 3 | 4, 0xc5 | (index.rawValue & 7) << 3)
            emitAbsolute32(label(named: name))
        case .absolute(let name):
            emit(field << 3 | 4, 0x25)
            emitAbsolute32(label(named: name))
        }
    }
}
