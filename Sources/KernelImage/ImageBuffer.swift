import Glibc

/// The writable bytes of an image while it is being loaded; becomes `ImageBytes` when all is written.
final class ImageBuffer {
    /// The largest file that is read. A vmlinux with debug information has about 800 MB.
    static let fileSizeMax = 2 << 30

    let memory: UnsafeMutableRawBufferPointer
    private var isOwned = true

    /// Uninitialised memory of `count` bytes.
    init(count: Int) {
        memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max(count, 1), alignment: 64)
    }

    /// Takes over the first `count` bytes of `buffer`, which must have been allocated by
    /// UnsafeMutableRawBufferPointer.allocate.
    init(adopting buffer: UnsafeMutableRawBufferPointer, count: Int) {
        memory = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
    }

    /// A copy.
    init(copying bytes: UnsafeRawBufferPointer) {
        memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max(bytes.count, 1), alignment: 64)
        memory.copyMemory(from: bytes)
    }

    deinit {
        if isOwned { memory.deallocate() }
    }

    /// Reads borrow the memory: whoever uses a reader keeps the buffer alive with `withExtendedLifetime`, because the
    /// compiler may release it after its last mention, with the reader still in use.
    var reader: ByteReader { ByteReader(bytes: UnsafeRawBufferPointer(memory)) }

    /// Hands the memory over; nothing may be written afterwards.
    func freeze() -> ImageBytes {
        precondition(isOwned, "an image buffer is handed over once")
        isOwned = false
        return ImageBytes(adopting: memory)
    }

    /// Reads the whole of `path`. Read, not mapped: a mapped file that somebody truncates would kill the process.
    static func read(path: String) throws(KernelImageError) -> ImageBuffer {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw unreadable(path, "open") }
        defer { close(descriptor) }
        return try read(descriptor: descriptor, name: path)
    }

    /// Reads the file behind `descriptor` from its start, which stays open and keeps its position.
    static func read(descriptor: Int32, name: String) throws(KernelImageError) -> ImageBuffer {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw unreadable(name, "fstat") }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw KernelImageError(.unreadable, name, "is not a regular file")
        }
        guard status.st_size <= fileSizeMax else {
            throw KernelImageError(
                .tooLarge, name, "has \(status.st_size) bytes; at most \(fileSizeMax) bytes are read")
        }
        guard status.st_size > 0 else { throw KernelImageError(.truncated, name, "is empty") }
        let buffer = ImageBuffer(count: Int(status.st_size))
        var done = 0
        while done < buffer.memory.count {
            let got = pread(descriptor, buffer.memory.baseAddress! + done, buffer.memory.count - done, off_t(done))
            if got < 0 && errno == EINTR { continue }
            guard got >= 0 else { throw unreadable(name, "read") }
            guard got > 0 else {
                throw KernelImageError(.unreadable, name, at: done, "shrank while it was being read")
            }
            done += got
        }
        return buffer
    }

    private static func unreadable(_ name: String, _ call: String) -> KernelImageError {
        KernelImageError(.unreadable, name, "\(call): \(String(cString: strerror(errno)))")
    }
}
