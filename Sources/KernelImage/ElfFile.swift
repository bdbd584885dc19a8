import X86

/// A section of a vmlinux whose place in the file has been checked.
struct ElfSection {
    let name: String
    let type: UInt32
    let flags: UInt64
    /// The virtual address; 0 for `.data..percpu` of x86_64 and for sections that aren't loaded.
    let address: UInt64
    /// Bytes from the file's start; without meaning for NOBITS.
    let offset: Int
    let size: Int
    let link: Int

    static let typeSymbols: UInt32 = 2
    static let typeNull: UInt32 = 0
    static let typeNoBits: UInt32 = 8

    /// An unused header (NULL) has none either: where its offset and size point isn't checked.
    var hasBytes: Bool { type != Self.typeNoBits && type != Self.typeNull }
    var isWritable: Bool { flags & 1 != 0 }
    var isAllocated: Bool { flags & 2 != 0 }
    var isExecutable: Bool { flags & 4 != 0 }
    var end: UInt64 { address + UInt64(size) }
}

/// The ELF header and section table of a vmlinux (System V ABI, "Object Files"), ELF64 for x86_64 and ELF32 for i386.
struct ElfFile {
    /// The largest address range of one section; Debian's .bss has 5 MiB.
    static let sectionSizeMax = 1 << 30

    let reader: ByteReader
    let mode: ProcessorMode
    /// In the file's order.
    let sections: [ElfSection]

    static let magic: [UInt8] = [0x7f, 0x45, 0x4c, 0x46]

    init(_ reader: ByteReader) throws(KernelImageError) {
        self.reader = reader
        mode = try Self.readMode(reader)
        sections = try Self.readSections(reader, mode)
    }

    func section(_ name: String) -> ElfSection? {
        sections.first { $0.name == name }
    }

    private static func readMode(_ reader: ByteReader) throws(KernelImageError) -> ProcessorMode {
        let structure = "ELF header"
        guard reader.has(magic, at: 0) else {
            throw KernelImageError(.unknownFormat, structure, at: 0, "doesn't start with 7f 45 4c 46")
        }
        let elfClass = try reader.load(4, as: UInt8.self, structure)
        let order = try reader.load(5, as: UInt8.self, structure)
        let type = try reader.load(16, as: UInt16.self, structure)
        let machine = try reader.load(18, as: UInt16.self, structure)
        guard order == 1 else {
            throw KernelImageError(.invalid, structure, at: 5, "byte order \(order); x86 is 1, little-endian")
        }
        // EXEC, or DYN should a kernel be linked position-independent. A module (REL) has no addresses.
        guard type == 2 || type == 3 else {
            let module = type == 1 ? " (this is a relocatable object, perhaps a module)" : ""
            throw KernelImageError(.invalid, structure, at: 16, "type \(type)\(module); a vmlinux is 2, executable")
        }
        switch (elfClass, machine) {
        case (2, 62): return .x86_64
        case (1, 3): return .i386
        default:
            throw KernelImageError(
                .invalid, structure, at: 4,
                "class \(elfClass) for machine \(machine); ELF64 for 62 (x86_64) and ELF32 for 3 (i386) are known")
        }
    }

    private static func readSections(
        _ reader: ByteReader, _ mode: ProcessorMode
    ) throws(KernelImageError) -> [ElfSection] {
        let wide = mode == .x86_64
        let table = try reader.loadWord(wide ? 40 : 32, size: mode.wordSize, "ELF header")
        let entrySize = Int(try reader.load(wide ? 58 : 46, as: UInt16.self, "ELF header"))
        let count = Int(try reader.load(wide ? 60 : 48, as: UInt16.self, "ELF header"))
        let namesIndex = Int(try reader.load(wide ? 62 : 50, as: UInt16.self, "ELF header"))
        guard count > 0, table > 0 else {
            throw KernelImageError(.missing, "section header table", "the ELF header names none; a vmlinux has one")
        }
        guard entrySize == (wide ? 64 : 40) else {
            throw KernelImageError(
                .invalid, "ELF header", at: wide ? 58 : 46,
                "section headers of \(entrySize) bytes; they have \(wide ? 64 : 40)")
        }
        guard let start = Int(exactly: table) else {
            throw KernelImageError(.truncated, "section header table", "starts at 0x\(String(table, radix: 16))")
        }
        try reader.check(start, count * entrySize, "section header table")
        guard namesIndex < count else {
            throw KernelImageError(
                .invalid, "ELF header", at: wide ? 62 : 50, "section names in section \(namesIndex) of \(count)")
        }
        let names = try sectionHeader(reader, mode, start + namesIndex * entrySize, namesIndex)
        try reader.check(names.offset, names.size, "section name table")
        var sections: [ElfSection] = []
        for index in 0..<count {
            let place = start + index * entrySize
            let raw = try sectionHeader(reader, mode, place, index)
            guard raw.nameOffset < names.size,
                let name = reader.string(names.offset + raw.nameOffset, countMax: 255)
            else {
                throw KernelImageError(.invalid, "section header \(index)", at: place, "its name is outside the names")
            }
            let section = ElfSection(
                name: name, type: raw.type, flags: raw.flags, address: raw.address, offset: raw.offset,
                size: raw.size, link: raw.link)
            try check(section, reader, place, mode)
            sections.append(section)
        }
        return sections
    }

    private struct RawHeader {
        let nameOffset: Int
        let type: UInt32
        let flags: UInt64
        let address: UInt64
        let offset: Int
        let size: Int
        let link: Int
    }

    private static func sectionHeader(
        _ reader: ByteReader, _ mode: ProcessorMode, _ place: Int, _ index: Int
    ) throws(KernelImageError) -> RawHeader {
        let word = mode.wordSize
        let structure = "section header \(index)"
        // Elf32_Shdr and Elf64_Shdr differ only in the width of flags, address, offset and size.
        let offset = try reader.loadWord(place + 8 + 2 * word, size: word, structure)
        let size = try reader.loadWord(place + 8 + 3 * word, size: word, structure)
        guard let offset = Int(exactly: offset), let size = Int(exactly: size) else {
            throw KernelImageError(.truncated, structure, at: place, "its bytes lie beyond the file")
        }
        return RawHeader(
            nameOffset: Int(try reader.load(place, as: UInt32.self, structure)),
            type: try reader.load(place + 4, as: UInt32.self, structure),
            flags: try reader.loadWord(place + 8, size: word, structure),
            address: try reader.loadWord(place + 8 + word, size: word, structure),
            offset: offset, size: size,
            link: Int(try reader.load(place + 8 + 4 * word, as: UInt32.self, structure)))
    }

    private static func check(
        _ section: ElfSection, _ reader: ByteReader, _ place: Int, _ mode: ProcessorMode
    ) throws(KernelImageError) {
        let structure = "section \(section.name)"
        if section.hasBytes {
            try reader.check(section.offset, section.size, structure)
        }
        guard section.isAllocated else { return }
        guard section.size <= sectionSizeMax else {
            throw KernelImageError(
                .tooLarge, structure, at: place, "has \(section.size) bytes; at most \(sectionSizeMax) are loaded")
        }
        let limit = mode == .x86_64 ? UInt64.max : UInt64(UInt32.max)
        guard UInt64(section.size) <= limit - section.address else {
            throw KernelImageError(.invalid, structure, at: place, "wraps around the end of the address space")
        }
    }
}
