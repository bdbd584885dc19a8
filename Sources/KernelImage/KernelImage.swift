public import X86

/// Immutable bytes that outlive every world made from them; shared, never copied.
public final class ImageBytes: @unchecked Sendable {
    // Sendable: the memory is written only before init returns.
    public let pointer: UnsafeRawPointer
    public let count: Int

    public init(_ bytes: some Collection<UInt8>) {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max(bytes.count, 1), alignment: 64)
        memory.copyBytes(from: bytes)
        pointer = UnsafeRawPointer(memory.baseAddress!)
        count = bytes.count
    }

    /// Takes over `buffer`, which must have been allocated by UnsafeMutableRawBufferPointer.allocate.
    public init(adopting buffer: UnsafeMutableRawBufferPointer) {
        pointer = UnsafeRawPointer(buffer.baseAddress!)
        count = buffer.count
    }

    deinit {
        pointer.deallocate()
    }

    /// Valid as long as this object is: a caller that holds only the pointer keeps the object alive with
    /// `withExtendedLifetime`, because the compiler may release it after its last mention.
    public var buffer: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: pointer, count: count)
    }
}

/// A run of the kernel's address space as it stands after boot.
public struct ImageRegion: Sendable {
    /// The section's name, `.text`, `.rodata`, `.data`, `.data..percpu`, ...
    public let name: String
    public let address: VirtualAddress
    public let size: Int
    /// The bytes; nil for NOBITS (.bss, .brk).
    public let bytes: ImageBytes?
    /// Where in `bytes` the region starts.
    public let offset: Int
    public let isWritable: Bool
    public let isExecutable: Bool

    public init(
        name: String, address: VirtualAddress, size: Int, bytes: ImageBytes?, offset: Int, isWritable: Bool,
        isExecutable: Bool
    ) {
        self.name = name
        self.address = address
        self.size = size
        self.bytes = bytes
        self.offset = offset
        self.isWritable = isWritable
        self.isExecutable = isExecutable
    }

    /// Calls `body` with exactly the region's bytes, alive until it returns. Nil for NOBITS.
    public func withBytes<Result, Failure>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result? {
        guard let bytes else { return nil }
        defer { withExtendedLifetime(bytes) {} }
        return try body(UnsafeRawBufferPointer(start: bytes.pointer + offset, count: size))
    }
}

/// A static_call() site of `.static_call_sites`.
public struct StaticCallSite: Sendable, Hashable {
    public let address: VirtualAddress
    public let key: VirtualAddress
    public let isTail: Bool

    public init(address: VirtualAddress, key: VirtualAddress, isTail: Bool) {
        self.address = address
        self.key = key
        self.isTail = isTail
    }
}

/// A static_branch() site of `__jump_table` (struct jump_entry).
public struct JumpEntry: Sendable, Hashable {
    public let code: VirtualAddress
    public let target: VirtualAddress
    public let key: VirtualAddress
    /// Bit 0 of the key field: the branch is taken when the key is false.
    public let isBranch: Bool
    /// 2 or 5 bytes.
    public let length: Int

    public init(code: VirtualAddress, target: VirtualAddress, key: VirtualAddress, isBranch: Bool, length: Int) {
        self.code = code
        self.target = target
        self.key = key
        self.isBranch = isBranch
        self.length = length
    }
}

/// What the early-boot stage did to the file's text, by the table that explains it.
public struct BootReport: Sendable {
    /// Sites per kind, e.g. "mcount": 35609.
    public var sitesByKind: [String: Int]
    /// Bytes that differ between the file and the booted text, per kind.
    public var bytesByKind: [String: Int]
    /// Tables that were found but not applied, with their number of entries ("alternatives", "paravirt", ...).
    public var notApplied: [String: Int]

    public init(sitesByKind: [String: Int] = [:], bytesByKind: [String: Int] = [:], notApplied: [String: Int] = [:]) {
        self.sitesByKind = sitesByKind
        self.bytesByKind = bytesByKind
        self.notApplied = notApplied
    }
}

/// A kernel as it stands in memory after boot: text, data, symbols and the tables of patchable sites.
public struct KernelImage: Sendable {
    /// `builtin`, or the path it was loaded from.
    public let name: String
    /// linux_banner without its newline: `Linux version 6.1.0-56-cloud-amd64 (...) ...`.
    public let banner: String
    public let mode: ProcessorMode
    /// All regions, ascending, .init sections left out. Exactly one is executable: `.text`, booted.
    public let regions: [ImageRegion]
    public let symbols: SymbolTable
    /// __start_mcount_loc, ascending, without the sites in .init.text.
    public let mcountSites: [VirtualAddress]
    /// Entries of __mcount_loc before .init.text was dropped.
    public let mcountSitesInFile: Int
    public let staticCallSites: [StaticCallSite]
    public let jumpEntries: [JumpEntry]
    /// Functions of .text whose address stands in some data word: what an indirect call can reach. Ascending.
    public let addressTakenFunctions: [VirtualAddress]
    public let bootReport: BootReport
    /// The function of each static call key that has a site, after boot; 0 is NULL.
    public let staticCallFunctions: [VirtualAddress: VirtualAddress]
    /// The static branch keys that are true after boot, of those that have a site.
    public let enabledKeys: Set<VirtualAddress>

    public init(
        name: String, banner: String, mode: ProcessorMode, regions: [ImageRegion], symbols: SymbolTable,
        mcountSites: [VirtualAddress], mcountSitesInFile: Int, staticCallSites: [StaticCallSite],
        jumpEntries: [JumpEntry], addressTakenFunctions: [VirtualAddress], bootReport: BootReport,
        staticCallFunctions: [VirtualAddress: VirtualAddress] = [:], enabledKeys: Set<VirtualAddress> = []
    ) {
        precondition(regions.filter(\.isExecutable).count == 1, "a booted image has one executable region, .text")
        self.name = name
        self.banner = banner
        self.mode = mode
        self.regions = regions
        self.symbols = symbols
        self.mcountSites = mcountSites
        self.mcountSitesInFile = mcountSitesInFile
        self.staticCallSites = staticCallSites
        self.jumpEntries = jumpEntries
        self.addressTakenFunctions = addressTakenFunctions
        self.bootReport = bootReport
        self.staticCallFunctions = staticCallFunctions
        self.enabledKeys = enabledKeys
    }

    /// The booted text.
    public var text: ImageRegion {
        regions.first(where: \.isExecutable)!
    }
}
