import CArchive
import Testing

@testable import KernelImage

@Suite("Compressed kernels")
struct CompressionTests {
    static let plain = SyntheticKernel().build().bytes

    /// Each compression's payload as the kernel build makes it.
    static func payload(_ compression: Compression) throws -> [UInt8] {
        switch compression {
        case .gzip: try SyntheticBzImage.pack(plain, archive_write_add_filter_gzip)
        case .bzip2: try sized(archive_write_add_filter_bzip2)
        case .lzma: try sized(archive_write_add_filter_lzma)
        case .xz: try sized(archive_write_add_filter_xz)
        case .zstd: try sized(archive_write_add_filter_zstd)
        case .lz4: SyntheticBzImage.sized(SyntheticBzImage.packLegacyLZ4(plain), plain.count)
        case .lzo: SyntheticBzImage.sized(SyntheticBzImage.packLzop(plain), plain.count)
        }
    }

    private static func sized(_ filter: (OpaquePointer?) -> Int32) throws -> [UInt8] {
        SyntheticBzImage.sized(try SyntheticBzImage.pack(plain, filter), plain.count)
    }

    @Test(
        "a bzImage with any compression that the kernel build knows loads as its vmlinux does",
        arguments: Compression.allCases)
    func everyCompression(compression: Compression) throws {
        let whole = try KernelImage.load(bytes: ImageBytes(Self.plain), name: "vmlinux")
        let file = SyntheticBzImage.wrap(try Self.payload(compression))
        let found = file.withUnsafeBytes { Compression.of(ByteReader(bytes: $0), at: 1024 + 32) }
        #expect(found == compression)
        let image = try KernelImage.load(bytes: ImageBytes(file), name: "bzImage")
        #expect(image.banner == whole.banner)
        #expect(image.mcountSites == whole.mcountSites)
        #expect(sameBytes(image.text, whole.text))
    }

    @Test("a file that lzop wrote decompresses to what lzop read")
    func lzop() throws {
        let packed = ImageBytes(LzopFixture.bytes)
        defer { withExtendedLifetime(packed) {} }
        let plain = try Compression.lzo.decompress(packed.buffer, at: 0, sizeHint: nil)
        defer { withExtendedLifetime(plain) {} }
        #expect(plain.memory.count == 4391)
        #expect(MD5.hex(Array(plain.memory)) == LzopFixture.plainSum)
    }

    @Test("a stream cut anywhere is an error, and never a shorter kernel", arguments: Compression.allCases)
    func cutStreams(compression: Compression) throws {
        let payload = try Self.payload(compression)
        for part in 1..<40 {
            let cut = payload[..<(payload.count * part / 40)]
            #expect(throws: KernelImageError.self) {
                try KernelImage.load(
                    bytes: ImageBytes(SyntheticBzImage.wrap(Array(cut))), name: "\(compression) cut at \(part)/40")
            }
        }
    }

    @Test("what decompresses to more than the limit is refused before it is held", arguments: Compression.allCases)
    func bombs(compression: Compression) throws {
        let packed = ImageBytes(try Self.payload(compression))
        defer { withExtendedLifetime(packed) {} }
        let error = #expect(throws: KernelImageError.self) {
            try compression.decompress(
                UnsafeRawBufferPointer(rebasing: packed.buffer[..<(packed.count - (compression == .gzip ? 0 : 4))]),
                at: 0,
                sizeHint: 1 << 40, countMax: Self.plain.count - 1)
        }
        #expect(error?.kind == .tooLarge)
        #expect(Compression.decompressedSizeMax == 512 << 20)
    }

    @Test("a stream of zeros that grows a thousandfold stops at the limit")
    func zeros() throws {
        let packed = ImageBytes(
            try SyntheticBzImage.pack([UInt8](repeating: 0, count: 32 << 20), archive_write_add_filter_zstd))
        defer { withExtendedLifetime(packed) {} }
        #expect(packed.count < 32 << 10)
        let error = #expect(throws: KernelImageError.self) {
            try Compression.zstd.decompress(packed.buffer, at: 0, sizeHint: nil, countMax: 16 << 20)
        }
        #expect(error?.kind == .tooLarge)
    }

    @Test("a payload of no known compression, an old boot protocol and a payload beyond the file are refused")
    func wrongHeaders() {
        var unknown = SyntheticBzImage.wrap([UInt8](repeating: 0x41, count: 100))
        #expect(kind(unknown) == .unknownFormat)
        unknown[0x206] = 0x06
        unknown[0x207] = 0x02
        #expect(kind(unknown) == .invalid)
        var beyond = SyntheticBzImage.wrap([UInt8](repeating: 0x41, count: 100))
        beyond[0x24f] = 0x7f
        #expect(kind(beyond) == .truncated)
        #expect(kind(Array(beyond[..<0x206])) == .truncated)
    }

    private func kind(_ bytes: [UInt8]) -> KernelImageError.Kind? {
        do throws(KernelImageError) {
            _ = try KernelImage.load(bytes: ImageBytes(bytes), name: "header")
            return nil
        } catch {
            return error.kind
        }
    }
}
