/// Output memory of unknown size with a limit; doubles as it fills.
final class GrowingBuffer {
    private var memory: UnsafeMutableRawBufferPointer
    private(set) var count = 0
    private let countMax: Int

    init(capacity: Int, countMax: Int) {
        // One byte more than asked for, so that a hint which is exact needs no growth to see the end.
        memory = UnsafeMutableRawBufferPointer.allocate(byteCount: min(capacity, countMax) + 1, alignment: 64)
        self.countMax = countMax
    }

    deinit { memory.deallocate() }

    /// The free bytes, at least one. Throws `.tooLarge` when the limit has been passed.
    func room(named structure: @autoclosure () -> String, at offset: Int) throws(KernelImageError)
        -> UnsafeMutableRawBufferPointer
    {
        guard count <= countMax else {
            throw KernelImageError(.tooLarge, structure(), at: offset, "decompresses to more than \(countMax) bytes")
        }
        if count == memory.count {
            let larger = UnsafeMutableRawBufferPointer.allocate(
                byteCount: min(memory.count * 2, countMax + 1), alignment: 64)
            larger.copyMemory(from: UnsafeRawBufferPointer(memory))
            memory.deallocate()
            memory = larger
        }
        return UnsafeMutableRawBufferPointer(rebasing: memory[count...])
    }

    func advance(by bytes: Int) {
        precondition(bytes >= 0 && bytes <= memory.count - count, "no more than there was room for")
        count += bytes
    }

    /// What has been written so far, for decompressors that copy from it.
    var written: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: memory[..<count])
    }

    /// The written bytes as an image of exactly their size.
    func take() -> ImageBuffer {
        let result = ImageBuffer(adopting: memory, count: count)
        memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 1, alignment: 64)
        count = 0
        return result
    }
}
