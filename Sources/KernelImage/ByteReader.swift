/// Little-endian reads from untrusted bytes: every read is checked against the end, and an error names the structure.
///
/// The bytes belong to somebody else and must outlive the reader.
struct ByteReader {
    let bytes: UnsafeRawBufferPointer

    var count: Int { bytes.count }

    /// Throws unless `count` bytes are there from `offset` on. Neither has to be sane: both may come from the file.
    func check(_ offset: Int, _ count: Int, _ structure: @autoclosure () -> String) throws(KernelImageError) {
        // Written without a sum, which could overflow.
        guard offset >= 0, count >= 0, offset <= bytes.count, count <= bytes.count - offset else {
            throw KernelImageError(
                .truncated, structure(), at: offset, "needs \(count) bytes there, but the file has \(bytes.count)")
        }
    }

    func load<T: FixedWidthInteger>(
        _ offset: Int, as type: T.Type, _ structure: @autoclosure () -> String
    ) throws(KernelImageError) -> T {
        try check(offset, MemoryLayout<T>.size, structure())
        return T(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
    }

    /// A word of the kernel's own size, widened.
    func loadWord(
        _ offset: Int, size: Int, _ structure: @autoclosure () -> String
    ) throws(KernelImageError) -> UInt64 {
        size == 8
            ? try load(offset, as: UInt64.self, structure())
            : UInt64(try load(offset, as: UInt32.self, structure()))
    }

    /// The NUL-terminated string at `offset`, at most `countMax` bytes without its NUL; nil where it doesn't end in
    /// time.
    func string(_ offset: Int, countMax: Int) -> String? {
        guard offset >= 0, offset < bytes.count else { return nil }
        let window = bytes[offset..<min(bytes.count, offset + countMax + 1)]
        guard let end = window.firstIndex(of: 0) else { return nil }
        return String(decoding: window[offset..<end], as: UTF8.self)
    }

    /// Whether `pattern` stands at `offset`.
    func has(_ pattern: [UInt8], at offset: Int) -> Bool {
        guard offset >= 0, offset <= bytes.count, pattern.count <= bytes.count - offset else { return false }
        for index in pattern.indices where bytes[offset + index] != pattern[index] {
            return false
        }
        return true
    }
}
