internal import CArchive

/// The compressions that a kernel build knows (CONFIG_KERNEL_GZIP and its siblings), by their first bytes.
enum Compression: String, CaseIterable {
    case gzip
    case bzip2
    case lzma
    case xz
    case lzo
    case lz4
    case zstd

    /// The largest vmlinux that is decompressed. Debian's largest has about 60 MB; a kernel must fit below 1 GiB of
    /// addresses, and a few kilobytes can decompress to anything.
    static let decompressedSizeMax = 512 << 20

    var magic: [UInt8] {
        switch self {
        case .gzip: [0x1f, 0x8b]
        case .bzip2: [0x42, 0x5a, 0x68]
        case .lzma: [0x5d, 0x00, 0x00]
        case .xz: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]
        case .lzo: [0x89, 0x4c, 0x5a, 0x4f, 0x00, 0x0d, 0x0a, 0x1a, 0x0a]
        // The legacy frame, which is what `lz4 -l` writes.
        case .lz4: [0x02, 0x21, 0x4c, 0x18]
        case .zstd: [0x28, 0xb5, 0x2f, 0xfd]
        }
    }

    static func of(_ reader: ByteReader, at offset: Int) -> Compression? {
        allCases.first { reader.has($0.magic, at: offset) }
    }

    /// Decompresses `input`, whose place in the file is `offset` (for messages). `sizeHint` bytes are allocated at
    /// first; more than `countMax` bytes are refused.
    func decompress(
        _ input: UnsafeRawBufferPointer, at offset: Int, sizeHint: Int?, countMax: Int = decompressedSizeMax
    ) throws(KernelImageError) -> ImageBuffer {
        // A hint that is too small costs a copy, one that is too large only address space until it is written.
        let hint = max(1 << 16, min(sizeHint ?? 0, countMax))
        let output = GrowingBuffer(capacity: hint, countMax: countMax)
        if self == .lzo {
            try LzopFile(ByteReader(bytes: input), at: offset).decompress(into: output)
        } else {
            try decompressByLibarchive(input, at: offset, into: output)
        }
        guard output.count <= countMax else {
            throw KernelImageError(
                .tooLarge, "\(rawValue) payload", at: offset, "decompresses to more than \(countMax) bytes")
        }
        guard output.count > 0 else {
            throw KernelImageError(.decompression, "\(rawValue) payload", at: offset, "decompresses to nothing")
        }
        return output.take()
    }

    private func decompressByLibarchive(
        _ input: UnsafeRawBufferPointer, at offset: Int, into output: GrowingBuffer
    ) throws(KernelImageError) {
        guard let archive = archive_read_new() else {
            throw failure(nil, offset, "no memory for libarchive")
        }
        defer { archive_read_free(archive) }
        let (status, code) = enable(archive)
        // ARCHIVE_WARN says that libarchive would run an external program, which a kernel image must not decide.
        guard status == ARCHIVE_OK else {
            throw failure(nil, offset, "this libarchive was built without \(rawValue)")
        }
        guard archive_read_support_format_raw(archive) == ARCHIVE_OK,
            archive_read_open_memory(archive, input.baseAddress, input.count) == ARCHIVE_OK
        else { throw failure(archive, offset, "can't be opened") }
        var entry: OpaquePointer?
        guard archive_read_next_header(archive, &entry) == ARCHIVE_OK else {
            throw failure(archive, offset, "can't be opened")
        }
        // Where no filter recognises the stream, the raw format would hand the compressed bytes through.
        guard archive_filter_code(archive, 0) == code else {
            throw failure(nil, offset, "isn't a \(rawValue) stream in spite of its first bytes")
        }
        while true {
            let room = try output.room(named: "\(rawValue) payload", at: offset)
            let got = archive_read_data(archive, room.baseAddress, room.count)
            if got == 0 { return }
            guard got > 0 else { throw failure(archive, offset, "is damaged after \(output.count) bytes") }
            output.advance(by: got)
        }
    }

    /// Switches on this filter alone: every further one would be another parser of untrusted bytes.
    private func enable(_ archive: OpaquePointer) -> (status: Int32, code: Int32) {
        switch self {
        case .gzip: (archive_read_support_filter_gzip(archive), ARCHIVE_FILTER_GZIP)
        case .bzip2: (archive_read_support_filter_bzip2(archive), ARCHIVE_FILTER_BZIP2)
        case .lzma: (archive_read_support_filter_lzma(archive), ARCHIVE_FILTER_LZMA)
        case .xz: (archive_read_support_filter_xz(archive), ARCHIVE_FILTER_XZ)
        case .lz4: (archive_read_support_filter_lz4(archive), ARCHIVE_FILTER_LZ4)
        case .zstd: (archive_read_support_filter_zstd(archive), ARCHIVE_FILTER_ZSTD)
        case .lzo: preconditionFailure("lzop files are decompressed without libarchive")
        }
    }

    private func failure(_ archive: OpaquePointer?, _ offset: Int, _ message: String) -> KernelImageError {
        let detail = archive.flatMap { archive_error_string($0) }.map { " (" + String(cString: $0) + ")" } ?? ""
        return KernelImageError(.decompression, "\(rawValue) payload", at: offset, message + detail)
    }
}
