import X86

/// Finds site tables by content where no symbol bounds them: kallsyms without CONFIG_KALLSYMS_ALL hold no data symbols.
///
/// Each table is the longest run of entries whose code addresses bear the instruction that such a site must bear.
struct TableScan {
    /// Shorter runs are taken for chance.
    static let entriesMin = 4

    let map: AddressMap

    init(_ map: AddressMap) {
        self.map = map
    }

    /// The ascending run of words in .init.data that are all addresses of `call __fentry__`.
    func mcount(_ fentry: UInt64) -> TableRange? {
        let size = map.wordSize
        return longestRun("__mcount_loc", in: [".init.data"], entrySize: size, alignment: size) { at, _, previous in
            let bytes = map.reader.bytes
            let site =
                size == 8
                ? bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)
                : UInt64(bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self))
            guard site > previous, let code = map.fileOffset(site, count: 5), map.isExecutable(site, count: 5),
                map.callTarget(site, code) == fentry
            else { return nil }
            return site
        }
    }

    /// The run of entries whose code is a call or jump in text and whose key is an aligned word of data.
    func staticCalls() -> TableRange? {
        longestRun(".static_call_sites", in: [".rodata", ".data"], entrySize: 8, alignment: 4) { at, address, _ in
            let code = relative(at, address)
            let key = relative(at + 4, address + 4)
            guard key & 4 == 0, map.isExecutable(code, count: 5), let place = map.fileOffset(code, count: 5),
                map.reader.bytes[place] & 0xfe == 0xe8, map.isExecutable(map.relativeTarget(code, place), count: 8),
                isTrampoline(map.relativeTarget(code, place)), isData(key & ~3)
            else { return nil }
            return code
        }
    }

    /// The run of entries whose code is a jump or NOP in text, with a target in text and an aligned key in data.
    func jumps(_ entrySize: Int) -> TableRange? {
        longestRun("__jump_table", in: [".rodata", ".data"], entrySize: entrySize, alignment: 4) { at, address, _ in
            let code = relative(at, address)
            guard map.isExecutable(code, count: 5), let site = JumpSite(code, map) else { return nil }
            let target = relative(at + 4, address + 4)
            guard map.isExecutable(target, count: 1), site.reaches(target, code) else { return nil }
            let key: UInt64
            if map.wordSize == 8 {
                key = address &+ 8 &+ map.reader.bytes.loadUnaligned(fromByteOffset: at + 8, as: UInt64.self)
            } else {
                key = relative(at + 8, address + 8)
            }
            return isData(key & ~3) ? code : nil
        }
    }

    private func relative(_ at: Int, _ address: UInt64) -> UInt64 {
        let value = map.reader.bytes.loadUnaligned(fromByteOffset: at, as: Int32.self)
        return (address &+ UInt64(bitPattern: Int64(value))) & map.addressMask
    }

    private func isData(_ address: UInt64) -> Bool {
        guard address % 4 == 0, let section = map.section(at: address) else { return false }
        return !section.isExecutable
    }

    /// A static call trampoline ends in the signature `ud1 %esp,%ecx`.
    private func isTrampoline(_ address: UInt64) -> Bool {
        guard let at = map.fileOffset(address, count: 8) else { return false }
        return map.reader.has([0x0f, 0xb9, 0xcc], at: at + 5)
    }

    /// The longest run, over `sections`, of entries for which `isEntry(file offset, address, last result)` is not nil.
    private func longestRun(
        _ name: String, in sections: [String], entrySize: Int, alignment: Int,
        _ isEntry: (Int, UInt64, UInt64) -> UInt64?
    ) -> TableRange? {
        var best: Range<UInt64>?
        for case let section? in sections.map(map.section) where section.hasBytes {
            var place = 0
            while place + entrySize <= section.size {
                var end = place
                var last: UInt64 = 0
                while end + entrySize <= section.size,
                    let next = isEntry(section.offset + end, section.address + UInt64(end), last)
                {
                    last = next
                    end += entrySize
                }
                let run = section.address + UInt64(place)..<section.address + UInt64(end)
                if run.count > (best?.count ?? 0) { best = run }
                // A table isn't entered again in its middle; a chance hit before it must not swallow its first entry.
                place = end - place >= Self.entriesMin * entrySize ? end : place + alignment
            }
        }
        guard let best, best.count >= Self.entriesMin * entrySize else { return nil }
        return try? TableRange(name, best, entrySize: entrySize, map)
    }
}
