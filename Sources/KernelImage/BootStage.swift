import X86

/// Early boot: turns the text of the file into the text that a booted kernel runs, in the image's own buffer.
///
/// Everything that is read of the file is read by `plan`; `apply` only writes, so that no table is read after a byte
/// of it could have changed.
struct BootStage {
    /// What a site shall hold.
    private struct Patch {
        let kind: Int
        let at: Int
        let bytes: InstructionBytes
    }

    /// The kinds, by the table that explains a change of text.
    static let kinds = ["mcount", "static_call site", "static_call trampoline", "jump_label", "return_site"]

    private let map: AddressMap
    private var patches: [Patch] = []
    private var sites = [Int](repeating: 0, count: kinds.count)
    private var dataWords: [(at: Int, value: UInt64, size: Int)] = []
    private(set) var notApplied: [String: Int]

    /// Static call keys' functions after boot, for the keys that have a site; 0 is NULL.
    private(set) var staticCallFunctions: [VirtualAddress: VirtualAddress] = [:]
    /// Static branch keys that are true after boot, of those that have a site.
    private(set) var enabledKeys: Set<VirtualAddress> = []

    init(
        _ map: AddressMap, _ tables: SiteTables, _ symbols: SymbolTable, _ named: NamedAddresses, _ keys: BootKeys
    ) throws(KernelImageError) {
        self.map = map
        notApplied = UnappliedTables(map).counts
        notApplied["boot updates"] = keys.updatesNotFound > 0 ? keys.updatesNotFound : nil
        patches.reserveCapacity(tables.mcount.count + tables.returns.count + tables.jumps.count)
        planMcount(tables)
        try planStaticCalls(tables, named, keys)
        try planTrampolines(symbols, named, keys)
        planJumps(tables, keys)
        planReturns(tables)
        planKeys(keys)
    }

    private mutating func add(_ kind: Int, _ address: UInt64, _ bytes: InstructionBytes) {
        sites[kind] += 1
        guard let at = map.fileOffset(address, count: bytes.count) else {
            preconditionFailure("the tables name only sites in .text")
        }
        patches.append(Patch(kind: kind, at: at, bytes: bytes))
    }

    /// ftrace_init(): every site becomes a NOP5.
    private mutating func planMcount(_ tables: SiteTables) {
        let nop = InstructionBytes.nop5(map.elf.mode)
        for site in tables.mcount { add(0, site, nop) }
    }

    /// static_call_init() and the updates after it (arch_static_call_transform() of arch/x86/kernel/static_call.c).
    private mutating func planStaticCalls(
        _ tables: SiteTables, _ named: NamedAddresses, _ keys: BootKeys
    ) throws(KernelImageError) {
        let encoding = StaticCallEncoding(map, named)
        for site in tables.staticCalls {
            let function = keys.function(site.key, map)
            guard function == 0 || map.isExecutable(function, count: 1) else {
                throw KernelImageError(
                    .invalid, "static_call key \(hex(site.key))", at: map.fileOffset(site.key, count: map.wordSize),
                    "its function \(hex(function)) isn't in text")
            }
            staticCallFunctions[VirtualAddress(site.key)] = VirtualAddress(function)
            guard let bytes = encoding.site(site, function) else {
                sites[1] += 1
                notApplied["conditional static_call to NULL", default: 0] += 1
                continue
            }
            add(1, site.address, bytes)
        }
    }

    /// The trampolines hold what their key holds. One that is a plain return in the file is left alone while its key is
    /// NULL: the kernel rewrites a trampoline only in an update.
    private mutating func planTrampolines(
        _ symbols: SymbolTable, _ named: NamedAddresses, _ keys: BootKeys
    ) throws(KernelImageError) {
        for index in symbols.indices(prefix: "__SCT__") {
            let address = symbols.address(at: index).rawValue
            guard map.isText(address, count: 5), let at = map.fileOffset(address, count: 5) else { continue }
            let name = symbols.name(at: index).dropFirst("__SCT__".count)
            var function = keys.trampolineFunctions[address]
            if function == nil, let key = named("__SCK__" + name), map.word(key) != nil {
                function = keys.function(key, map)
            }
            sites[2] += 1
            guard let function else { continue }
            guard function == 0 || map.isExecutable(function, count: 1) else {
                throw KernelImageError(
                    .invalid, "static_call trampoline \(hex(address))", at: at,
                    "its function \(hex(function)) isn't in text")
            }
            let isUpdated = keys.trampolineFunctions[address] != nil
            if map.reader.bytes[at] == 0xc3 && function == 0 && !isUpdated { continue }
            sites[2] -= 1
            add(2, address, StaticCallEncoding.trampoline(address, function))
        }
    }

    /// jump_label_init() and static_branch_enable() after it: the branch is taken where the key's value and the entry's
    /// branch bit differ. A site that already holds the right one of the two keeps its bytes, as in the kernel.
    private mutating func planJumps(_ tables: SiteTables, _ keys: BootKeys) {
        for jump in tables.jumps {
            let isEnabled = keys.isEnabled(jump.key, map)
            if isEnabled { enabledKeys.insert(VirtualAddress(jump.key)) }
            let isJump = isEnabled != jump.isBranch
            if isJump == jump.isJumpInFile {
                sites[3] += 1
                continue
            }
            add(3, jump.code, isJump ? jumpBytes(jump) : nopBytes(jump))
        }
    }

    private func jumpBytes(_ jump: SiteTables.Jump) -> InstructionBytes {
        let (code, target) = (VirtualAddress(jump.code), VirtualAddress(jump.target))
        guard jump.length == 2 else { return .jump(from: code, to: target) }
        return InstructionBytes([0xeb, UInt8(truncatingIfNeeded: target - code - 2)])
    }

    private func nopBytes(_ jump: SiteTables.Jump) -> InstructionBytes {
        if jump.length == 5 { return .nop5(map.elf.mode) }
        return map.elf.mode == .x86_64 ? .nop2 : JumpSite.nop2For32Bit
    }

    /// apply_returns() on a processor that needs no return thunk: RET, then INT3 up to the jump's length.
    private mutating func planReturns(_ tables: SiteTables) {
        let bytes = InstructionBytes([0xc3, 0xcc, 0xcc, 0xcc, 0xcc])
        for site in tables.returns {
            // Whatever isn't the jump to the thunk is left alone, as in the kernel.
            guard let at = map.fileOffset(site, count: 5), map.reader.bytes[at] == 0xe9 else { continue }
            add(4, site, bytes)
        }
    }

    /// The keys' own words, so that data and text agree.
    private mutating func planKeys(_ keys: BootKeys) {
        for (key, function) in keys.functions {
            guard let at = map.fileOffset(key, count: map.wordSize) else { continue }
            dataWords.append((at, function, map.wordSize))
        }
        for (key, isOn) in keys.switches {
            guard let at = map.fileOffset(key, count: 4) else { continue }
            dataWords.append((at, isOn ? 1 : 0, 4))
        }
    }

    /// Writes all patches, and reports how many bytes each kind changed; a byte belongs to the first kind that wrote
    /// it.
    func apply(to buffer: ImageBuffer) -> BootReport {
        precondition(buffer.memory.count == map.reader.count, "the buffer that was read")
        let memory = buffer.memory
        var changed = [Int](repeating: 0, count: Self.kinds.count)
        for patch in patches {
            for index in 0..<patch.bytes.count where memory[patch.at + index] != patch.bytes[index] {
                memory[patch.at + index] = patch.bytes[index]
                changed[patch.kind] += 1
            }
        }
        for word in dataWords {
            withUnsafeBytes(of: word.value.littleEndian) { value in
                UnsafeMutableRawBufferPointer(rebasing: memory[word.at..<word.at + word.size])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: value[..<word.size]))
            }
        }
        var report = BootReport(notApplied: notApplied)
        for (kind, name) in Self.kinds.enumerated() where sites[kind] > 0 {
            report.sitesByKind[name] = sites[kind]
            report.bytesByKind[name] = changed[kind]
        }
        return report
    }
}
