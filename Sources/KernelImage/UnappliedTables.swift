import X86

/// The tables by which a real kernel patches its text at boot and this one doesn't, with their numbers of entries.
struct UnappliedTables {
    let counts: [String: Int]

    init(_ map: AddressMap) {
        var counts: [String: Int] = [:]
        // Each entry: section, name in the report, size of an entry.
        let tables: [(String, String, Int)] = [
            (".parainstructions", "paravirt", 2 * map.wordSize),
            (".retpoline_sites", "retpolines", 4),
            (".ibt_endbr_seal", "ibt seals", 4),
            (".call_sites", "call thunks", 4),
            (".smp_locks", "smp locks", 4),
        ]
        for (section, name, entrySize) in tables {
            guard let section = map.section(section), section.hasBytes else { continue }
            counts[name] = section.size / entrySize
        }
        if let section = map.section(".altinstructions"), section.hasBytes {
            if let count = Self.alternatives(section, map) {
                counts["alternatives"] = count
            } else {
                counts["alternatives, in bytes of an unknown layout"] = section.size
            }
        }
        self.counts = counts
    }

    /// struct alt_instr has 12 bytes up to 6.2 and 14 since; the right size is the one with which every entry's code
    /// lies in text.
    private static func alternatives(_ section: ElfSection, _ map: AddressMap) -> Int? {
        for size in [12, 14] {
            let range = section.address..<section.end
            guard let table = try? TableRange(".altinstructions", range, entrySize: size, map) else { continue }
            let isRight = (0..<table.count).allSatisfy { index in
                map.isExecutable(table.relative(index, 0, map), count: 1)
            }
            if isRight { return table.count }
        }
        return nil
    }
}
