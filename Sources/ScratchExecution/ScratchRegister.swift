internal import MachineModel
public import X86

/// A register that a case may set and an answer shows.
public enum ScratchRegister: UInt8, Sendable, Hashable, CaseIterable {
    // General registers in encoding order.
    case rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
    case rip, rflags
    // Selectors in encoding order.
    case es, cs, ss, ds, fs, gs
    case fsbase, gsbase
    case cr0, cr2, cr4

    private static let names64: [String] = [
        "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
        "rip", "rflags", "es", "cs", "ss", "ds", "fs", "gs", "fsbase", "gsbase", "cr0", "cr2", "cr4",
    ]

    private static let names32: [String] = names64.map { name in
        name.first == "r" && !"89".contains(name.dropFirst().first ?? "8") && !name.hasPrefix("r1")
            ? "e" + name.dropFirst() : name
    }

    private static let byName: [String: ScratchRegister] = {
        var names: [String: ScratchRegister] = [:]
        for register in allCases {
            names[register.name(.x86_64)] = register
            names[register.name(.i386)] = register
        }
        return names
    }()

    /// `rax`, or `eax` in 32-bit mode.
    public func name(_ mode: ProcessorMode) -> String {
        (mode == .x86_64 ? Self.names64 : Self.names32)[Int(rawValue)]
    }

    /// Those an answer shows, in its order.
    public static func shown(_ mode: ProcessorMode) -> [ScratchRegister] {
        mode == .x86_64 ? shown64 : shown32
    }

    private static let shown64 = allCases.filter { $0.rawValue <= gsbase.rawValue }
    private static let shown32 = shown64.filter { !(r8.rawValue...r15.rawValue).contains($0.rawValue) }

    /// Takes the names of both modes.
    public static func named(_ name: String, _ mode: ProcessorMode) throws(ScratchCaseError) -> ScratchRegister {
        guard let register = byName[name], mode == .x86_64 || !(r8.rawValue...r15.rawValue).contains(register.rawValue)
        else {
            let all = shown(mode).map { $0.name(mode) } + ["cr0", "cr2", "cr4"]
            throw ScratchCaseError("no register \"\(name)\" in this mode; there are \(all.joined(separator: " "))")
        }
        return register
    }

    public var isSelector: Bool {
        (Self.es.rawValue...Self.gs.rawValue).contains(rawValue)
    }

    func check(_ value: UInt64, _ mode: ProcessorMode) throws(ScratchCaseError) {
        let bits = isSelector ? 16 : mode == .x86_64 ? 64 : 32
        guard bits == 64 || value < 1 << UInt64(bits) else {
            throw ScratchCaseError("\(name(mode)): 0x\(String(value, radix: 16)) has more than \(bits) bits")
        }
    }

    // MARK: On a CPU

    func value(_ cpu: borrowing CPUState) -> UInt64 {
        switch self {
        case .rip: cpu.context.rip
        case .rflags: cpu.context.rflags
        case .es, .cs, .ss, .ds, .fs, .gs: UInt64(cpu.system.selectors[Int(rawValue - Self.es.rawValue)])
        case .fsbase: cpu.system.fsBase
        case .gsbase: cpu.system.gsBase
        case .cr0: cpu.system.cr0
        case .cr2: cpu.system.cr2
        case .cr4: cpu.system.cr4
        default: cpu.context.registers[Int(rawValue)]
        }
    }

    func set(_ value: UInt64, _ cpu: inout CPUState) {
        switch self {
        case .rip: cpu.context.rip = value
        case .rflags: cpu.context.rflags = value | FlagBit.alwaysSet
        case .es, .cs, .ss, .ds, .fs, .gs:
            cpu.system.selectors[Int(rawValue - Self.es.rawValue)] = UInt16(truncatingIfNeeded: value)
        case .fsbase: cpu.system.fsBase = value
        case .gsbase: cpu.system.gsBase = value
        case .cr0: cpu.system.cr0 = value
        case .cr2: cpu.system.cr2 = value
        case .cr4: cpu.system.cr4 = value
        default: cpu.context.registers[Int(rawValue)] = value
        }
    }
}
