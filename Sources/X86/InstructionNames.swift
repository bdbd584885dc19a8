internal import CZydis

/// One reading of an AT&T mnemonic.
struct InstructionName: Sendable {
    let mnemonic: ZydisMnemonic
    /// Operand size in bytes that the suffix names; of MOVZX, MOVSX and CRC32 the source's.
    var size: Int?
    /// Size of the destination of `movzbl` and its kin.
    var destinationSize: Int?
    var isFar = false
    /// A `suffix` was cut off to find the mnemonic.
    var isSuffixed = false
}

/// AT&T's names of mnemonics, registers and condition codes.
enum InstructionNames {
    static let suffixes: [(letter: Character, size: Int)] = [("b", 1), ("w", 2), ("l", 4), ("q", 8)]

    /// Everything that can stand for a mnemonic without a size suffix.
    static let mnemonics: [String: InstructionName] = {
        var names: [String: InstructionName] = [:]
        for value in 1...ZYDIS_MNEMONIC_MAX_VALUE.rawValue {
            let mnemonic = ZydisMnemonic(rawValue: value)
            guard let text = ZydisMnemonicGetString(mnemonic) else { continue }
            names[String(cString: text)] = InstructionName(mnemonic: mnemonic)
        }
        for (alias, name) in synonyms { if let known = names[name] { names[alias] = known } }
        for (alias, condition) in conditions {
            for prefix in ["j", "set", "cmov"] { names[prefix + alias] = names[prefix + condition] }
        }
        for name in ["lret", "retf"] {
            names[name] = InstructionName(mnemonic: ZYDIS_MNEMONIC_RET, isFar: true)
        }
        names["lcall"] = InstructionName(mnemonic: ZYDIS_MNEMONIC_CALL, isFar: true)
        names["ljmp"] = InstructionName(mnemonic: ZYDIS_MNEMONIC_JMP, isFar: true)
        for (letter, size) in suffixes.prefix(3) {
            names["movz\(letter)"] = InstructionName(mnemonic: ZYDIS_MNEMONIC_MOVZX, size: size)
            let signed = size == 4 ? ZYDIS_MNEMONIC_MOVSXD : ZYDIS_MNEMONIC_MOVSX
            for (wide, destination) in suffixes where destination > size {
                if size < 4 {
                    names["movz\(letter)\(wide)"] = InstructionName(
                        mnemonic: ZYDIS_MNEMONIC_MOVZX, size: size, destinationSize: destination)
                }
                names["movs\(letter)\(wide)"] = InstructionName(
                    mnemonic: signed, size: size, destinationSize: destination)
            }
        }
        names["movzl"] = nil
        return names
    }()

    /// AT&T's name and the manual's.
    private static let synonyms: [(String, String)] = [
        ("cbtw", "cbw"), ("cwtl", "cwde"), ("cltq", "cdqe"), ("cwtd", "cwd"), ("cltd", "cdq"), ("cqto", "cqo"),
        ("sal", "shl"), ("iret", "iretd"), ("iretl", "iretd"), ("iretw", "iret"), ("pushfw", "pushf"),
        ("pushfl", "pushfd"), ("popfw", "popf"), ("popfl", "popfd"), ("pushaw", "pusha"), ("pushal", "pushad"),
        ("popaw", "popa"), ("popal", "popad"), ("movsl", "movsd"), ("cmpsl", "cmpsd"), ("stosl", "stosd"),
        ("lodsl", "lodsd"), ("scasl", "scasd"), ("insl", "insd"), ("outsl", "outsd"), ("loopz", "loope"),
        ("loopnz", "loopne"), ("xlatb", "xlat"), ("ud2a", "ud2"), ("ud2b", "ud1"), ("wait", "fwait"),
        ("movabs", "mov"),
    ]

    /// Synonyms of the condition codes, and Zydis' name of each.
    private static let conditions: [(String, String)] = [
        ("e", "z"), ("ne", "nz"), ("c", "b"), ("nae", "b"), ("ae", "nb"), ("nc", "nb"), ("na", "be"), ("a", "nbe"),
        ("nge", "l"), ("ge", "nl"), ("ng", "le"), ("g", "nle"), ("pe", "p"), ("po", "np"),
    ]

    /// The readings of a mnemonic, likeliest first; none where nothing is called so.
    static func readings(_ word: String, mode: ProcessorMode) -> [InstructionName] {
        var readings: [InstructionName] = []
        switch (word, mode) {
        case ("pushf", .x86_64): return [InstructionName(mnemonic: ZYDIS_MNEMONIC_PUSHFQ)]
        case ("pushf", .i386): return [InstructionName(mnemonic: ZYDIS_MNEMONIC_PUSHFD)]
        case ("popf", .x86_64): return [InstructionName(mnemonic: ZYDIS_MNEMONIC_POPFQ)]
        case ("popf", .i386): return [InstructionName(mnemonic: ZYDIS_MNEMONIC_POPFD)]
        case ("pusha", _): return [InstructionName(mnemonic: ZYDIS_MNEMONIC_PUSHAD)]
        case ("popa", _): return [InstructionName(mnemonic: ZYDIS_MNEMONIC_POPAD)]
        case ("iret", _): return [InstructionName(mnemonic: ZYDIS_MNEMONIC_IRETD)]
        default: break
        }
        if let exact = mnemonics[word] { readings.append(exact) }
        if let last = word.last, let suffix = suffixes.first(where: { $0.letter == last }),
            var cut = mnemonics[String(word.dropLast())], cut.size == nil
        {
            cut.size = suffix.size
            cut.isSuffixed = true
            readings.append(cut)
        }
        // `movsb %al, %ecx` extends a sign; without a register as destination it is the string instruction.
        if word.hasPrefix("movs"), word.utf8.count == 5, let suffix = suffixes.first(where: { $0.letter == word.last })
        {
            let signed = suffix.size == 4 ? ZYDIS_MNEMONIC_MOVSXD : ZYDIS_MNEMONIC_MOVSX
            if suffix.size < 8 { readings.append(InstructionName(mnemonic: signed, size: suffix.size)) }
        }
        return readings
    }

    static func nearest(to word: String) -> String? {
        if let near = NearestWord.nearest(to: word, in: mnemonics.keys) { return near }
        guard suffixes.contains(where: { $0.letter == word.last }) else { return nil }
        return NearestWord.nearest(to: String(word.dropLast()), in: mnemonics.keys)
    }

    // MARK: Registers

    static let registers: [String: ZydisRegister] = {
        var names: [String: ZydisRegister] = [:]
        for value in 1...ZYDIS_REGISTER_MAX_VALUE.rawValue {
            let register = ZydisRegister(rawValue: value)
            guard let text = ZydisRegisterGetString(register) else { continue }
            names[String(cString: text)] = register
        }
        for number in 0..<8 {
            names["db\(number)"] = names["dr\(number)"]
        }
        names["st"] = names["st0"]
        return names
    }()

    /// The register of this name if the mode has it.
    static func register(_ name: String, mode: ProcessorMode) -> ZydisRegister? {
        guard let register = registers[name] else { return nil }
        let kind = ZydisRegisterGetClass(register)
        switch kind {
        case ZYDIS_REGCLASS_INVALID, ZYDIS_REGCLASS_FLAGS, ZYDIS_REGCLASS_TABLE: return nil
        case ZYDIS_REGCLASS_IP where register == ZYDIS_REGISTER_IP: return nil
        default: break
        }
        guard mode == .i386 else { return register }
        let isLow = ZydisRegisterGetId(register) < 8
        switch kind {
        case ZYDIS_REGCLASS_GPR64: return nil
        case ZYDIS_REGCLASS_IP: return nil
        case ZYDIS_REGCLASS_GPR8:
            // AL...BH, before SPL.
            return register.rawValue <= ZYDIS_REGISTER_BH.rawValue ? register : nil
        default: return isLow ? register : nil
        }
    }

    static func nearestRegister(to name: String, mode: ProcessorMode) -> String? {
        let names = registers.keys.lazy.filter { register($0, mode: mode) != nil }
        return NearestWord.nearest(to: name, in: names).map { "%" + $0 }
    }

    static func isGeneral(_ register: ZydisRegister) -> Bool {
        [ZYDIS_REGCLASS_GPR8, ZYDIS_REGCLASS_GPR16, ZYDIS_REGCLASS_GPR32, ZYDIS_REGCLASS_GPR64].contains(
            ZydisRegisterGetClass(register))
    }

    static func isSegment(_ register: ZydisRegister) -> Bool {
        ZydisRegisterGetClass(register) == ZYDIS_REGCLASS_SEGMENT
    }

    /// Bytes of a register.
    static func size(_ register: ZydisRegister) -> Int {
        Int(ZydisRegisterGetWidth(ZYDIS_MACHINE_MODE_LONG_64, register)) / 8
    }

    /// The register of the same number in another size, as `ax` for `rax`; itself where it is no general register.
    static func resized(_ register: ZydisRegister, to size: Int) -> ZydisRegister {
        guard isGeneral(register), self.size(register) != size, self.size(register) > 1 else { return register }
        let kind =
            switch size {
            case 2: ZYDIS_REGCLASS_GPR16
            case 4: ZYDIS_REGCLASS_GPR32
            default: ZYDIS_REGCLASS_GPR64
            }
        return ZydisRegisterEncode(kind, UInt8(max(0, ZydisRegisterGetId(register))))
    }
}
