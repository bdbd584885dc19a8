/// An lzop file, which is how the kernel build packs LZO (lib/decompress_unlzo.c reads the same fields). Decompressed
/// here because Debian's libarchive has no LZO and would run the program `lzop`.
struct LzopFile {
    private let reader: ByteReader
    /// Where the reader's bytes stand in the file, for messages.
    private let base: Int
    private let firstBlock: Int
    private let flags: UInt32

    /// lzop's largest block, LZO_BLOCK_SIZE of lzop 1.x being 256 KiB.
    static let blockSizeMax = 64 << 20

    init(_ reader: ByteReader, at base: Int) throws(KernelImageError) {
        self.reader = reader
        self.base = base
        var place = Compression.lzo.magic.count
        let version = try Self.bigEndian16(reader, place)
        // Version and library version; with 0.94 the version needed, method and level.
        place += version >= 0x0940 ? 8 : 5
        flags = try Self.bigEndian32(reader, place)
        // F_H_FILTER adds a word; then mode and modification time, whose high half came with 0.94.
        place += 4 + (flags & 0x800 != 0 ? 4 : 0) + 8 + (version >= 0x0940 ? 4 : 0)
        let nameLength = Int(try reader.load(place, as: UInt8.self, "lzop header"))
        firstBlock = place + 1 + nameLength + 4
    }

    func decompress(into output: GrowingBuffer) throws(KernelImageError) {
        var place = firstBlock
        while true {
            let size = Int(try Self.bigEndian32(reader, place))
            if size == 0 { return }
            let packed = Int(try Self.bigEndian32(reader, place + 4))
            guard size <= Self.blockSizeMax, packed <= size, packed > 0 else {
                throw KernelImageError(
                    .decompression, "lzop block", at: base + place,
                    "\(packed) bytes that become \(size); at most \(Self.blockSizeMax), and never longer when packed")
            }
            // Adler-32 and CRC-32 of the plain bytes, and of the packed ones where they differ. Not verified: what is
            // wrong inside an image shows in its tables.
            let sums = [0x01, 0x100].count { flags & UInt32($0) != 0 }
            let packedSums = packed < size ? [0x02, 0x200].count { flags & UInt32($0) != 0 } : 0
            let start = place + 8 + 4 * (sums + packedSums)
            try reader.check(start, packed, "lzop block")
            let input = UnsafeRawBufferPointer(rebasing: reader.bytes[start..<start + packed])
            if packed < size {
                var block = LzoBlock(input: input, output: output, sizeMax: size, at: base + start)
                try block.decompress()
            } else {
                try LzoBlock.append(input, to: output, at: base + start)
            }
            place = start + packed
        }
    }

    private static func bigEndian16(_ reader: ByteReader, _ place: Int) throws(KernelImageError) -> UInt16 {
        UInt16(bigEndian: try reader.load(place, as: UInt16.self, "lzop header"))
    }

    private static func bigEndian32(_ reader: ByteReader, _ place: Int) throws(KernelImageError) -> UInt32 {
        UInt32(bigEndian: try reader.load(place, as: UInt32.self, "lzop block"))
    }
}
