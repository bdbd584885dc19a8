import X86

/// The file's tables of patchable sites, decoded and checked against the text they name; nothing is patched yet.
struct SiteTables {
    /// A static_call() site with the flags that the public type doesn't need.
    struct StaticCall {
        let address: UInt64
        let key: UInt64
        let isTail: Bool
    }

    /// A static_branch() site as the file has it.
    struct Jump {
        let code: UInt64
        let target: UInt64
        let key: UInt64
        let isBranch: Bool
        let length: Int
        /// Whether the file's text holds the jump and not the NOP.
        let isJumpInFile: Bool
    }

    /// Ascending, in .text only.
    let mcount: [UInt64]
    let mcountInFile: Int
    let fentry: UInt64
    /// In .text only, in the table's order.
    let staticCalls: [StaticCall]
    let jumps: [Jump]
    /// Places of a return that apply_returns() rewrites, in .text only.
    let returns: [UInt64]

    init(_ map: AddressMap, _ named: NamedAddresses) throws(KernelImageError) {
        guard let fentry = named("__fentry__"), map.isText(fentry, count: 1) else {
            throw KernelImageError(
                .missing, "__fentry__", "a kernel without ftrace; patchsim needs CONFIG_DYNAMIC_FTRACE with -mfentry")
        }
        self.fentry = fentry
        let sites = try Self.readMcount(map, named, fentry)
        mcountInFile = sites.count
        mcount = sites.filter { map.isText($0, count: 5) }
        guard !mcount.isEmpty else {
            throw KernelImageError(.missing, "__mcount_loc", "names no site in .text; a kernel with ftrace has some")
        }
        staticCalls = try Self.readStaticCalls(map, named)
        jumps = try Self.readJumps(map, named)
        returns = try Self.readReturns(map)
    }

    // MARK: mcount

    private static func readMcount(
        _ map: AddressMap, _ named: NamedAddresses, _ fentry: UInt64
    ) throws(KernelImageError) -> [UInt64] {
        let word = map.wordSize
        let table: TableRange
        if let range = named.range("__start_mcount_loc", "__stop_mcount_loc") {
            table = try TableRange("__mcount_loc", range, entrySize: word, map)
        } else if let found = TableScan(map).mcount(fentry) {
            table = found
        } else {
            throw KernelImageError(
                .missing, "__mcount_loc",
                "neither __start_mcount_loc nor a run of addresses of `call __fentry__` in .init.data")
        }
        var sites: [UInt64] = []
        sites.reserveCapacity(table.count)
        var isAscending = true
        for index in 0..<table.count {
            let site = table.word(index, map)
            // Since 6.15 the build writes 0 for an overridden weak function.
            if site == 0 { continue }
            guard map.isExecutable(site, count: 5), let at = map.fileOffset(site, count: 5) else {
                throw KernelImageError(
                    .invalid, "__mcount_loc entry \(index)", at: table.offset(index), "\(hex(site)) isn't in text")
            }
            guard isFentryCall(map, site, at, fentry) else {
                let found = InstructionBytes(map.reader.bytes[at..<at + 5])
                throw KernelImageError(
                    .invalid, "mcount site \(hex(site))", at: at,
                    "is `\(found)`; a call to __fentry__ (\(hex(fentry))) or a NOP5 would be right")
            }
            isAscending = isAscending && site >= (sites.last ?? 0)
            sites.append(site)
        }
        if !isAscending { sites.sort() }
        for (low, high) in zip(sites, sites.dropFirst()) where high - low < 5 {
            throw KernelImageError(
                .invalid, "mcount site \(hex(high))", at: table.offset(0), "overlaps the site at \(hex(low))")
        }
        return sites
    }

    /// `e8` to __fentry__, or the NOP5 that objtool leaves with CONFIG_FTRACE_MCOUNT_USE_OBJTOOL.
    private static func isFentryCall(_ map: AddressMap, _ site: UInt64, _ at: Int, _ fentry: UInt64) -> Bool {
        if map.callTarget(site, at) == fentry { return true }
        return map.reader.has(InstructionBytes.nop5(map.elf.mode).bytes, at: at)
    }

    // MARK: static calls

    private static func readStaticCalls(
        _ map: AddressMap, _ named: NamedAddresses
    ) throws(KernelImageError) -> [StaticCall] {
        // i386 has no inline static calls (HAVE_STATIC_CALL_INLINE depends on objtool).
        guard map.elf.mode == .x86_64 else { return [] }
        let table: TableRange
        if let range = named.range("__start_static_call_sites", "__stop_static_call_sites") {
            table = try TableRange(".static_call_sites", range, entrySize: 8, map)
        } else if let found = TableScan(map).staticCalls() {
            table = found
        } else {
            return []
        }
        var sites: [StaticCall] = []
        sites.reserveCapacity(table.count)
        for index in 0..<table.count {
            let code = table.relative(index, 0, map)
            let key = table.relative(index, 4, map)
            guard map.isExecutable(code, count: 5), let at = map.fileOffset(code, count: 5) else {
                throw KernelImageError(
                    .invalid, ".static_call_sites entry \(index)", at: table.offset(index), "\(hex(code)) isn't in text"
                )
            }
            let first = map.reader.bytes[at]
            let second = map.reader.bytes[at + 1]
            guard first == 0xe8 || first == 0xe9 || first == 0x0f && second & 0xf0 == 0x80 else {
                throw KernelImageError(
                    .invalid, "static_call site \(hex(code))", at: at,
                    "starts with \(hex(UInt64(first))); e8 (call), e9 (jmp) or 0f 8x (jcc) would be right")
            }
            guard map.word(key & ~3) != nil else {
                throw KernelImageError(
                    .invalid, ".static_call_sites entry \(index)", at: table.offset(index),
                    "its key \(hex(key & ~3)) isn't mapped")
            }
            guard map.isText(code, count: first == 0x0f ? 6 : 5) else { continue }
            sites.append(StaticCall(address: code, key: key & ~3, isTail: key & 1 != 0))
        }
        return sites
    }

    // MARK: jump labels

    private static func readJumps(
        _ map: AddressMap, _ named: NamedAddresses
    ) throws(KernelImageError) -> [Jump] {
        // struct jump_entry: s32 code, s32 target, long key.
        let entrySize = 8 + map.wordSize
        let table: TableRange
        if let range = named.range("__start___jump_table", "__stop___jump_table") {
            table = try TableRange("__jump_table", range, entrySize: entrySize, map)
        } else if let found = TableScan(map).jumps(entrySize) {
            table = found
        } else {
            return []
        }
        var jumps: [Jump] = []
        jumps.reserveCapacity(table.count)
        for index in 0..<table.count {
            let code = table.relative(index, 0, map)
            // Entries of init code are dropped with it, whatever they say.
            guard map.isText(code, count: 2) else {
                guard map.isExecutable(code, count: 2) else {
                    throw KernelImageError(
                        .invalid, "__jump_table entry \(index)", at: table.offset(index), "\(hex(code)) isn't in text")
                }
                continue
            }
            let jump = try decodeJump(table, index, code, map)
            jumps.append(jump)
        }
        return jumps
    }

    private static func decodeJump(
        _ table: TableRange, _ index: Int, _ code: UInt64, _ map: AddressMap
    ) throws(KernelImageError) -> Jump {
        let target = table.relative(index, 4, map)
        let key = table.relativeWord(index, 8, map)
        guard let site = JumpSite(code, map) else {
            let at = map.fileOffset(code, count: 2) ?? 0
            throw KernelImageError(
                .invalid, "jump label \(hex(code))", at: at,
                "starts with \(InstructionBytes(map.reader.bytes[at..<at + 2])); a jump or NOP of 2 or 5 bytes is right"
            )
        }
        guard map.isText(target, count: 1), site.reaches(target, code) else {
            throw KernelImageError(
                .invalid, "__jump_table entry \(index)", at: table.offset(index),
                "its target \(hex(target)) isn't where \(site.length) bytes at \(hex(code)) can jump")
        }
        guard map.int32(key & ~3) != nil else {
            throw KernelImageError(
                .invalid, "__jump_table entry \(index)", at: table.offset(index),
                "its key \(hex(key & ~3)) isn't mapped")
        }
        return Jump(
            code: code, target: target, key: key & ~3, isBranch: key & 1 != 0, length: site.length,
            isJumpInFile: site.jumpTarget != nil)
    }

    // MARK: returns

    private static func readReturns(_ map: AddressMap) throws(KernelImageError) -> [UInt64] {
        guard let section = map.section(".return_sites"), section.hasBytes else { return [] }
        let table = try TableRange(
            ".return_sites", section.address..<section.end, entrySize: 4, map)
        var returns: [UInt64] = []
        returns.reserveCapacity(table.count)
        for index in 0..<table.count {
            let site = table.relative(index, 0, map)
            guard map.isExecutable(site, count: 5) else {
                throw KernelImageError(
                    .invalid, ".return_sites entry \(index)", at: table.offset(index), "\(hex(site)) isn't in text")
            }
            if map.isText(site, count: 5) { returns.append(site) }
        }
        return returns
    }
}

/// `0x...` for messages.
func hex(_ value: UInt64) -> String {
    "0x" + String(value, radix: 16)
}
