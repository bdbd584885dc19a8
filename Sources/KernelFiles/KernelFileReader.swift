/// An open file: a snapshot of what it shows, turned into text while it is read.
public struct KernelFileReader: Sendable {
    private var source: any LineSource
    /// Text that has been made and not yet been read: `buffer[start...]`.
    private var buffer: [UInt8] = []
    private var start = 0
    private var isExhausted = false
    /// Bytes read so far.
    public private(set) var position = 0

    init(_ source: any LineSource) {
        self.source = source
    }

    /// The next `count` bytes; fewer only at the end.
    public mutating func read(count: Int) -> [UInt8] {
        precondition(count >= 0, "a read asks for a number of bytes")
        fill(to: count)
        let end = start + min(count, buffer.count - start)
        let result = Array(buffer[start..<end])
        start = end
        position += result.count
        return result
    }

    /// Reads past `count` bytes without returning them.
    public mutating func skip(count: Int) {
        var left = count
        while left > 0 {
            let skipped = read(count: min(left, 65_536)).count
            if skipped == 0 { return }
            left -= skipped
        }
    }

    /// Whether everything has been read.
    public mutating func isAtEnd() -> Bool {
        fill(to: 1)
        return start == buffer.count
    }

    private mutating func fill(to count: Int) {
        guard !isExhausted, buffer.count - start < count else { return }
        buffer.removeSubrange(0..<start)
        start = 0
        while buffer.count < count {
            guard source.appendNext(to: &buffer) else {
                isExhausted = true
                return
            }
        }
    }
}
