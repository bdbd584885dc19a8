import X86

/// The loaded sections by address: where in the file the bytes at a virtual address stand.
struct AddressMap {
    let elf: ElfFile
    /// The allocated, non-empty sections, ascending and without overlap.
    let sections: [ElfSection]
    let text: ElfSection
    private let starts: [UInt64]

    var reader: ByteReader { elf.reader }
    var wordSize: Int { elf.mode.wordSize }
    /// The addresses that a relative field can form: its sums wrap at the kernel's own width.
    var addressMask: UInt64 { elf.mode == .x86_64 ? .max : UInt64(UInt32.max) }

    init(_ elf: ElfFile) throws(KernelImageError) {
        self.elf = elf
        // Only the per-CPU template of x86_64 is linked at 0; anything else there isn't mapped.
        let loaded = elf.sections.filter {
            $0.isAllocated && $0.size > 0 && ($0.address != 0 || $0.name == ".data..percpu")
        }
        sections = loaded.sorted { $0.address < $1.address }
        starts = sections.map(\.address)
        for (low, high) in zip(sections, sections.dropFirst()) where low.end > high.address {
            throw KernelImageError(.invalid, "section \(high.name)", at: high.offset, "overlaps \(low.name)")
        }
        guard let text = sections.first(where: { $0.name == ".text" }), text.isExecutable, text.hasBytes else {
            throw KernelImageError(.missing, "section .text", "no executable section of that name; a vmlinux has one")
        }
        self.text = text
    }

    func section(at address: UInt64) -> ElfSection? {
        var low = 0
        var high = starts.count
        while low < high {
            let middle = (low + high) / 2
            if starts[middle] <= address { low = middle + 1 } else { high = middle }
        }
        guard low > 0, address < sections[low - 1].end else { return nil }
        return sections[low - 1]
    }

    func section(_ name: String) -> ElfSection? {
        sections.first { $0.name == name }
    }

    /// The file offset of `count` bytes at `address`; nil where they aren't in one section with bytes.
    func fileOffset(_ address: UInt64, count: Int) -> Int? {
        guard let section = section(at: address), section.hasBytes,
            UInt64(count) <= section.end - address
        else { return nil }
        return section.offset + Int(address - section.address)
    }

    /// Whether `count` bytes at `address` lie in .text.
    func isText(_ address: UInt64, count: Int) -> Bool {
        address >= text.address && address < text.end && UInt64(count) <= text.end - address
    }

    /// Whether `address` lies in any executable section, .init.text included.
    func isExecutable(_ address: UInt64, count: Int) -> Bool {
        if isText(address, count: count) { return true }
        guard let section = section(at: address), section.isExecutable else { return false }
        return UInt64(count) <= section.end - address
    }

    /// The word at `address`, zero in a section without bytes; nil where nothing is mapped.
    func word(_ address: UInt64) -> UInt64? {
        guard let section = section(at: address), UInt64(wordSize) <= section.end - address else { return nil }
        guard section.hasBytes else { return 0 }
        let offset = section.offset + Int(address - section.address)
        return wordSize == 8
            ? reader.bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            : UInt64(reader.bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    /// The signed 32-bit word at `address`, zero in a section without bytes; nil where nothing is mapped.
    func int32(_ address: UInt64) -> Int32? {
        guard let section = section(at: address), section.end - address >= 4 else { return nil }
        guard section.hasBytes else { return 0 }
        return reader.bytes.loadUnaligned(
            fromByteOffset: section.offset + Int(address - section.address), as: Int32.self)
    }
}
