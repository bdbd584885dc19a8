import X86

extension KernelImage {
    /// Reads, decompresses, indexes and boots the kernel at `path`: a vmlinux (ELF64 x86_64 or ELF32 i386, with
    /// .symtab or without) or a bzImage with any compression that the kernel knows.
    ///
    /// Throws `KernelImageError` with the structure and the offset at fault, whatever the file holds.
    public static func load(
        path: String, bootUpdates: BootUpdates = .builtIn
    ) throws(KernelImageError) -> KernelImage {
        try load(ImageBuffer.read(path: path), name: path, bootUpdates)
    }

    /// The same for a file that somebody has opened; `descriptor` stays open.
    public static func load(
        descriptor: Int32, name: String, bootUpdates: BootUpdates = .builtIn
    ) throws(KernelImageError) -> KernelImage {
        try load(ImageBuffer.read(descriptor: descriptor, name: name), name: name, bootUpdates)
    }

    /// The same for bytes in memory, which are copied where the image needs them.
    public static func load(
        bytes: ImageBytes, name: String, bootUpdates: BootUpdates = .builtIn
    ) throws(KernelImageError) -> KernelImage {
        defer { withExtendedLifetime(bytes) {} }
        let reader = ByteReader(bytes: bytes.buffer)
        let buffer = BzImage.isBzImage(reader) ? try decompress(reader) : ImageBuffer(copying: bytes.buffer)
        return try load(buffer, name: name, bootUpdates)
    }

    /// The vmlinux inside the bzImage at `path`, or the file itself where it isn't one; nothing is patched.
    public static func extractVmlinux(path: String) throws(KernelImageError) -> ImageBytes {
        let file = try ImageBuffer.read(path: path)
        defer { withExtendedLifetime(file) {} }
        return BzImage.isBzImage(file.reader) ? try decompress(file.reader).freeze() : file.freeze()
    }

    private static func decompress(_ reader: ByteReader) throws(KernelImageError) -> ImageBuffer {
        let image = try BzImage(reader)
        return try image.compression.decompress(
            UnsafeRawBufferPointer(rebasing: reader.bytes[image.payload]), at: image.payload.lowerBound,
            sizeHint: image.sizeHint)
    }

    private static func load(
        _ file: ImageBuffer, name: String, _ updates: BootUpdates
    ) throws(KernelImageError) -> KernelImage {
        defer { withExtendedLifetime(file) {} }
        if file.reader.has(ElfFile.magic, at: 0) { return try loadVmlinux(file, name: name, updates) }
        guard BzImage.isBzImage(file.reader) else {
            throw KernelImageError(
                .unknownFormat, name, at: 0,
                "neither an ELF file (7f 45 4c 46 at 0) nor a bzImage (\"HdrS\" at 0x202)")
        }
        let vmlinux = try decompress(file.reader)
        guard vmlinux.reader.has(ElfFile.magic, at: 0) else {
            throw KernelImageError(
                .unknownFormat, "bzImage payload", at: 0, "decompresses to something that isn't an ELF file")
        }
        return try loadVmlinux(vmlinux, name: name, updates)
    }

    private static func loadVmlinux(
        _ file: ImageBuffer, name: String, _ updates: BootUpdates
    ) throws(KernelImageError) -> KernelImage {
        defer { withExtendedLifetime(file) {} }
        let elf = try ElfFile(file.reader)
        let map = try AddressMap(elf)
        let elfSymbols = try elf.symbols(map)
        let symbols = try kernelSymbols(map, elfSymbols)
        let named = NamedAddresses(symbols: symbols, elfSymbols: elfSymbols)
        let banner = try Banner.find(map, named)
        let tables = try SiteTables(map, named)
        let keys = BootKeys(updates, release: banner.release, map, named)
        let stage = try BootStage(map, tables, symbols, named, keys)
        let kept = KeptSections(map, named)
        let addressTaken = kept.addressTakenFunctions(symbols, map)
        let report = stage.apply(to: file)
        // The last line that touches the buffer: everything above has read what it needs.
        let bytes = file.freeze()
        return KernelImage(
            name: name, banner: banner.text, mode: elf.mode, regions: kept.regions(bytes), symbols: symbols,
            mcountSites: tables.mcount.map { VirtualAddress($0) }, mcountSitesInFile: tables.mcountInFile,
            staticCallSites: tables.staticCalls.map {
                StaticCallSite(
                    address: VirtualAddress($0.address), key: VirtualAddress($0.key), isTail: $0.isTail)
            },
            jumpEntries: tables.jumps.map {
                JumpEntry(
                    code: VirtualAddress($0.code), target: VirtualAddress($0.target), key: VirtualAddress($0.key),
                    isBranch: $0.isBranch, length: $0.length)
            },
            addressTakenFunctions: addressTaken, bootReport: report, staticCallFunctions: stage.staticCallFunctions,
            enabledKeys: stage.enabledKeys)
    }

    /// kallsyms; where the kernel was built without them, .symtab.
    private static func kernelSymbols(
        _ map: AddressMap, _ elfSymbols: SymbolTable?
    ) throws(KernelImageError) -> SymbolTable {
        do {
            let found = try Kallsyms.find(map)
            return SymbolTable(
                names: found.names, nameOffsets: found.nameOffsets, types: found.types, addresses: found.addresses)
        } catch {
            if error.kind == .missing, let elfSymbols { return elfSymbols }
            throw error
        }
    }
}
