internal import Glibc

/// Bytes from a socket, cut into messages at each NUL.
struct FrameBuffer {
    private var bytes: [UInt8] = []
    /// Where the next message starts.
    private var head = 0
    /// Up to where no NUL was found; a long message that trickles in is searched once.
    private var searched = 0

    enum Next {
        case frame(ArraySlice<UInt8>)
        case incomplete
        /// The message is, or will be, longer than the limit.
        case tooLarge
    }

    /// Bytes that were received and not yet taken.
    var count: Int { bytes.count - head }

    mutating func append(_ chunk: UnsafeRawBufferPointer) {
        if head == bytes.count {
            bytes.removeAll(keepingCapacity: bytes.capacity <= 4 * readChunkBytes)
            (head, searched) = (0, 0)
        } else if head >= readChunkBytes {
            bytes.removeFirst(head)
            searched -= head
            head = 0
        }
        bytes.append(contentsOf: chunk)
    }

    /// Takes the next message, without its NUL.
    mutating func next(bytesMax: Int) -> Next {
        let end = bytes.withUnsafeBytes { buffer -> Int? in
            guard searched < buffer.count, let base = buffer.baseAddress else { return nil }
            guard let found = memchr(base + searched, 0, buffer.count - searched) else { return nil }
            return UnsafeRawPointer(found) - base
        }
        guard let end else {
            searched = bytes.count
            return count > bytesMax ? .tooLarge : .incomplete
        }
        guard end - head <= bytesMax else { return .tooLarge }
        defer {
            head = end + 1
            searched = head
        }
        return .frame(bytes[head..<end])
    }
}
