import CArchive

/// A bzImage around a payload, and payloads as the kernel build makes them.
enum SyntheticBzImage {
    /// The setup header with the fields that tell where the payload is; `payload` as it is in the file, its size
    /// appended.
    static func wrap(_ payload: [UInt8]) -> [UInt8] {
        var writer = ByteWriter(bytes: [UInt8](repeating: 0, count: 1024))
        writer.put(UInt8(1), at: 0x1f1)
        writer.put(UInt16(0xaa55), at: 0x1fe)
        for (index, byte) in "HdrS".utf8.enumerated() { writer.put(byte, at: 0x202 + index) }
        writer.put(UInt16(0x20f), at: 0x206)
        writer.put(UInt32(32), at: 0x248)
        writer.put(UInt32(payload.count), at: 0x24c)
        writer.append([UInt8](repeating: 0x90, count: 32))
        writer.append(payload)
        // What follows the payload is the decompressor's, and must not be read.
        writer.append([UInt8](repeating: 0xcc, count: 64))
        return writer.bytes
    }

    /// What size_append of the kernel build adds to all formats but gzip.
    static func sized(_ packed: [UInt8], _ plainCount: Int) -> [UInt8] {
        var writer = ByteWriter(bytes: packed)
        writer.append(UInt32(plainCount))
        return writer.bytes
    }

    struct Failure: Error {}

    /// Compresses with the writer of libarchive that `filter` adds.
    static func pack(_ plain: [UInt8], _ filter: (OpaquePointer?) -> Int32) throws -> [UInt8] {
        let archive = archive_write_new()
        defer { archive_write_free(archive) }
        var packed = [UInt8](repeating: 0, count: plain.count * 2 + 65536)
        var used = 0
        let entry = archive_entry_new()
        defer { archive_entry_free(entry) }
        archive_entry_set_filetype(entry, 0o100000)
        let isWritten = packed.withUnsafeMutableBytes { packed in
            guard filter(archive) == ARCHIVE_OK, archive_write_set_format_raw(archive) == ARCHIVE_OK,
                archive_write_set_bytes_in_last_block(archive, 1) == ARCHIVE_OK,
                archive_write_open_memory(archive, packed.baseAddress, packed.count, &used) == ARCHIVE_OK,
                archive_write_header(archive, entry) == ARCHIVE_OK,
                archive_write_data(archive, plain, plain.count) == plain.count
            else { return false }
            return archive_write_close(archive) == ARCHIVE_OK
        }
        guard isWritten else { throw Failure() }
        return Array(packed[..<used])
    }

    /// LZ4's legacy frame (`lz4 -l`), each block a single run of literals.
    static func packLegacyLZ4(_ plain: [UInt8]) -> [UInt8] {
        var writer = ByteWriter(bytes: [0x02, 0x21, 0x4c, 0x18])
        // The format's block size is 8 MiB, and only the last block may be shorter.
        for start in stride(from: 0, to: plain.count, by: 8 << 20) {
            let block = plain[start..<min(plain.count, start + 8 << 20)]
            var packed: [UInt8] = [0xf0]
            var rest = block.count - 15
            while rest >= 255 {
                packed.append(255)
                rest -= 255
            }
            packed.append(UInt8(rest))
            packed += block
            writer.append(UInt32(packed.count))
            writer.append(packed)
        }
        return writer.bytes
    }

    /// An lzop file of blocks of 256 KiB, each one a run of literals and the end mark; kept plain where that is
    /// shorter.
    static func packLzop(_ plain: [UInt8]) -> [UInt8] {
        var writer = ByteWriter(bytes: [0x89, 0x4c, 0x5a, 0x4f, 0x00, 0x0d, 0x0a, 0x1a, 0x0a])
        for value in [0x1040, 0x20a0, 0x0940] { writer.append(UInt16(value).bigEndian) }
        writer.append([3, 9])
        for value in [0, 0o100644, 0, 0] { writer.append(UInt32(value).bigEndian) }
        writer.append(UInt8(0))
        writer.append(UInt32(0))
        for start in stride(from: 0, to: plain.count, by: 256 << 10) {
            let block = plain[start..<min(plain.count, start + 256 << 10)]
            writer.append(UInt32(block.count).bigEndian)
            writer.append(UInt32(block.count).bigEndian)
            writer.append(Array(block))
        }
        writer.append(UInt32(0))
        return writer.bytes
    }
}
