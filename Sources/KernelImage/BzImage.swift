/// A bzImage's setup header (Documentation/arch/x86/boot.rst): where the compressed vmlinux stands.
struct BzImage {
    /// The compressed bytes, without the uncompressed size that the build appends to all formats but gzip.
    let payload: Range<Int>
    let compression: Compression
    /// What the file says of the uncompressed size; never trusted beyond the size of a first allocation.
    let sizeHint: Int?

    /// "HdrS" at 0x202.
    static func isBzImage(_ reader: ByteReader) -> Bool {
        reader.has([0x48, 0x64, 0x72, 0x53], at: 0x202)
    }

    init(_ reader: ByteReader) throws(KernelImageError) {
        let structure = "bzImage header"
        let version = try reader.load(0x206, as: UInt16.self, structure)
        guard version >= 0x208 else {
            throw KernelImageError(
                .invalid, structure, at: 0x206,
                "boot protocol \(hex(UInt64(version))); payload_offset is there since 0x208 (Linux 2.6.24)")
        }
        let setupSectors = Int(try reader.load(0x1f1, as: UInt8.self, structure))
        let offset = Int(try reader.load(0x248, as: UInt32.self, structure))
        let length = Int(try reader.load(0x24c, as: UInt32.self, structure))
        // 0 means 4, for the oldest loaders.
        let start = ((setupSectors == 0 ? 4 : setupSectors) + 1) * 512 + offset
        guard length > 8 else {
            throw KernelImageError(
                .invalid, structure, at: 0x24c, "payload_length \(length); a compressed kernel is longer")
        }
        try reader.check(start, length, "bzImage payload")
        guard let compression = Compression.of(reader, at: start) else {
            let head = (start..<start + 6).map { hex(UInt64(reader.bytes[$0])) }.joined(separator: " ")
            throw KernelImageError(
                .unknownFormat, "bzImage payload", at: start,
                "starts with \(head); gzip, bzip2, lzma, xz, lzo, lz4 and zstd are known")
        }
        self.compression = compression
        // gzip ends in the size by itself; the others have it appended (size_append in scripts/Makefile.lib).
        let trailer = compression == .gzip ? 0 : 4
        payload = start..<start + length - trailer
        sizeHint = Int(try reader.load(start + length - 4, as: UInt32.self, structure))
    }
}
