import X86

/// The sections that a booted kernel still has: those of init are freed at the end of boot.
struct KeptSections {
    private let sections: [ElfSection]
    private let text: ElfSection

    init(_ map: AddressMap, _ named: NamedAddresses) {
        let initRange = named.range("__init_begin", "__init_end")
        sections = map.sections.filter { $0.address == map.text.address || !Self.isInit($0, initRange) }
        text = map.text
    }

    /// Freed with init: what lies between __init_begin and __init_end, and by name where no symbol says so.
    private static func isInit(_ section: ElfSection, _ range: Range<UInt64>?) -> Bool {
        // The per-CPU template is freed too, but it is what every CPU's area was copied from.
        if section.name == ".data..percpu" { return section.isExecutable }
        if let range, range.contains(section.address) { return true }
        let prefixes = [
            ".init", ".exit", ".altinstr", ".parainstructions", ".retpoline_sites", ".return_sites", ".call_sites",
            ".ibt_endbr_seal", ".apicdrivers", ".x86_cpu_dev", ".x86_intel_mid_dev", ".iommu_table",
        ]
        // Any other code that isn't .text is init code as well.
        return section.isExecutable || prefixes.contains { section.name.hasPrefix($0) }
    }

    /// The regions over the booted file, ascending. mark_rodata_ro() has been: .rodata and __modver, writable in the
    /// file because of relocations, are not.
    func regions(_ bytes: ImageBytes) -> [ImageRegion] {
        sections.map { section in
            ImageRegion(
                name: section.name, address: VirtualAddress(section.address), size: section.size,
                bytes: section.hasBytes ? bytes : nil, offset: section.hasBytes ? section.offset : 0,
                isWritable: section.isWritable && !section.isExecutable && section.name != ".rodata"
                    && section.name != "__modver",
                isExecutable: section.isExecutable)
        }
    }

    /// Functions of .text whose address stands in an aligned word of data, ascending. Data of init is gone, and what
    /// only it named can't be reached through it any more.
    func addressTakenFunctions(_ symbols: SymbolTable, _ map: AddressMap) -> [VirtualAddress] {
        // One bit for each byte of text: set where a function starts, and in `taken` where one is named.
        var starts = [UInt64](repeating: 0, count: (text.size + 63) / 64)
        var taken = starts
        let textStart = text.address
        let textSize = UInt64(text.size)
        for index in 0..<symbols.count {
            // T, t and the weak W, w are functions.
            let type = symbols.types[index] | 0x20
            let offset = symbols.addresses[index] &- textStart
            guard type == 0x74 || type == 0x77, offset < textSize else { continue }
            starts[Int(offset / 64)] |= 1 << (offset % 64)
        }
        for section in sections where section.hasBytes && !section.isExecutable {
            mark(section, map, &taken, textStart, textSize)
        }
        var functions: [VirtualAddress] = []
        for index in taken.indices {
            var bits = taken[index] & starts[index]
            while bits != 0 {
                functions.append(VirtualAddress(textStart + UInt64(index * 64 + bits.trailingZeroBitCount)))
                bits &= bits - 1
            }
        }
        return functions
    }

    private func mark(
        _ section: ElfSection, _ map: AddressMap, _ taken: inout [UInt64], _ textStart: UInt64, _ textSize: UInt64
    ) {
        let bytes = UnsafeRawBufferPointer(
            rebasing: map.reader.bytes[section.offset..<section.offset + section.size])
        let word = map.wordSize
        taken.withUnsafeMutableBufferPointer { taken in
            // Aligned in memory, which need not be aligned in the file.
            var place = Int((0 &- section.address) % UInt64(word))
            while place + word <= bytes.count {
                let value =
                    word == 8
                    ? bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)
                    : UInt64(bytes.loadUnaligned(fromByteOffset: place, as: UInt32.self))
                let offset = value &- textStart
                if offset < textSize { taken[Int(offset / 64)] |= 1 << (offset % 64) }
                place += word
            }
        }
    }
}
