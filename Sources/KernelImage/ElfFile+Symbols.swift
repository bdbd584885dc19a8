import X86

extension ElfFile {
    /// More entries than this aren't read; Debian's vmlinux with debug information has about 200,000.
    static let symbolsMax = 8_000_000

    /// The symbols of .symtab with nm's type letters, ascending by address; nil where there is no such table.
    func symbols(_ map: AddressMap) throws(KernelImageError) -> SymbolTable? {
        guard let table = sections.first(where: { $0.type == ElfSection.typeSymbols }) else { return nil }
        let structure = "section \(table.name)"
        guard table.link < sections.count, sections[table.link].hasBytes else {
            throw KernelImageError(.invalid, structure, at: table.offset, "its strings are in section \(table.link)")
        }
        let entrySize = mode == .x86_64 ? 24 : 16
        guard table.size % entrySize == 0, table.size / entrySize <= Self.symbolsMax else {
            throw KernelImageError(
                .invalid, structure, at: table.offset, "\(table.size) bytes; its entries have \(entrySize)")
        }
        let strings = sections[table.link]
        try reader.check(strings.offset, strings.size, "section \(strings.name)")
        var found: [(address: UInt64, type: UInt8, name: Range<Int>)] = []
        for place in stride(from: table.offset, to: table.offset + table.size, by: entrySize) {
            if let symbol = try symbol(at: place, strings, structure) { found.append(symbol) }
        }
        found.sort { $0.address < $1.address }
        var names: [UInt8] = []
        var offsets: [UInt32] = [0]
        for symbol in found {
            names.append(contentsOf: reader.bytes[symbol.name])
            guard let end = UInt32(exactly: names.count) else {
                throw KernelImageError(.tooLarge, structure, at: table.offset, "names of more than 4 GiB")
            }
            offsets.append(end)
        }
        return SymbolTable(
            names: names, nameOffsets: offsets, types: found.map(\.type), addresses: found.map(\.address))
    }

    /// One entry; nil for sections, files, undefined and nameless symbols, which kallsyms leave out too.
    private func symbol(
        at place: Int, _ strings: ElfSection, _ structure: String
    ) throws(KernelImageError) -> (address: UInt64, type: UInt8, name: Range<Int>)? {
        let wide = mode == .x86_64
        let info = try reader.load(place + (wide ? 4 : 12), as: UInt8.self, structure)
        let index = try reader.load(place + (wide ? 6 : 14), as: UInt16.self, structure)
        let kind = info & 0xf
        guard index != 0, kind <= 2 || kind == 10 else { return nil }
        let nameOffset = Int(try reader.load(place, as: UInt32.self, structure))
        guard nameOffset < strings.size else {
            throw KernelImageError(
                .invalid, structure, at: place, "a name at \(nameOffset) of \(strings.size) bytes of strings")
        }
        let start = strings.offset + nameOffset
        let window = reader.bytes[start..<min(strings.offset + strings.size, start + Kallsyms.nameLengthMax)]
        guard let end = window.firstIndex(of: 0) else {
            throw KernelImageError(
                .invalid, structure, at: place, "a name longer than \(Kallsyms.nameLengthMax) bytes")
        }
        guard end > start else { return nil }
        let address = try reader.loadWord(place + (wide ? 8 : 4), size: mode.wordSize, structure)
        return (address, letter(index, binding: info >> 4), start..<end)
    }

    /// nm's letter: of the section's kind, small for local symbols, `W` for weak ones.
    private func letter(_ index: UInt16, binding: UInt8) -> UInt8 {
        let letter: UInt8
        if index == 0xfff1 {
            letter = UInt8(ascii: "A")
        } else if binding == 2 {
            return UInt8(ascii: "W")
        } else if Int(index) < sections.count {
            let section = sections[Int(index)]
            if section.isExecutable {
                letter = UInt8(ascii: "T")
            } else if !section.hasBytes {
                letter = UInt8(ascii: "B")
            } else {
                letter = section.isWritable ? UInt8(ascii: "D") : UInt8(ascii: "R")
            }
        } else {
            letter = UInt8(ascii: "A")
        }
        return binding == 0 ? letter | 0x20 : letter
    }
}
