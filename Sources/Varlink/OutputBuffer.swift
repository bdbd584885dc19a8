internal import Glibc

/// Bytes on their way to a socket. Replies that are answered at once are written into it as JSON, without a copy on the way.
public struct OutputBuffer: ~Copyable {
    /// Characters of the longest integer, and its sign.
    private static let digitsMax = 20
    /// Smallest allocation.
    private static let capacityMin = 4096
    /// An empty buffer that is larger than this is given back: one long reply should not cost its memory for ever.
    private static let capacityKept = 4 * readChunkBytes

    private var base: UnsafeMutablePointer<UInt8>?
    private var capacity = 0
    /// Bytes of the allocation that are in use, sent ones among them.
    private(set) var end = 0
    /// Bytes that have been sent.
    private var head = 0

    init() {}

    deinit {
        base?.deallocate()
    }

    /// Bytes that have not been sent.
    var count: Int { end - head }

    var unsent: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: base.map { $0 + head }, count: count)
    }

    mutating func consume(_ sent: Int) {
        head += sent
        guard head == end else { return }
        (head, end) = (0, 0)
        if capacity > Self.capacityKept { removeAll() }
    }

    mutating func removeAll() {
        base?.deallocate()
        (base, capacity, head, end) = (nil, 0, 0, 0)
    }

    /// Takes back what was written since `end` was `mark`; nothing may have been sent between.
    mutating func truncate(to mark: Int) {
        end = mark
    }

    private mutating func grow(for more: Int) {
        // Sent bytes at the front are room, too, where they are the larger part.
        if head > end / 2, let base {
            memmove(base, base + head, count)
            (head, end) = (0, count)
            if capacity - end >= more { return }
        }
        let wanted = max(capacity * 2, end + more, Self.capacityMin)
        let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: wanted)
        if let base {
            memcpy(larger, base, end)
            base.deallocate()
        }
        (base, capacity) = (larger, wanted)
    }

    @inline(__always)
    private mutating func reserve(_ more: Int) -> UnsafeMutablePointer<UInt8> {
        if capacity - end < more { grow(for: more) }
        return base! + end
    }

    @inline(__always)
    mutating func append(_ byte: UInt8) {
        reserve(1).pointee = byte
        end += 1
    }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress else { return }
        memcpy(reserve(bytes.count), start, bytes.count)
        end += bytes.count
    }

    mutating func append(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { append($0) }
    }

    mutating func append(_ text: StaticString) {
        append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

}

/// JSON, a member at a time. Members come between `beginObject` and `endObject`; commas are set by themselves.
extension OutputBuffer {
    public mutating func beginObject() {
        append(UInt8(ascii: "{"))
    }

    public mutating func endObject() {
        append(UInt8(ascii: "}"))
    }

    /// The name of a member, whose value is to follow. It must need no escapes.
    public mutating func member(_ name: StaticString) {
        let count = name.utf8CodeUnitCount
        var place = reserve(count + 4)
        if !isFirst {
            place.pointee = UInt8(ascii: ",")
            place += 1
        }
        place.pointee = UInt8(ascii: "\"")
        memcpy(place + 1, name.utf8Start, count)
        place[count + 1] = UInt8(ascii: "\"")
        place[count + 2] = UInt8(ascii: ":")
        end = place + count + 3 - base!
    }

    public mutating func member(_ name: StaticString, _ value: String) {
        member(name)
        write(value)
    }

    public mutating func member(_ name: StaticString, _ value: Int) {
        member(name)
        write(value)
    }

    public mutating func member(_ name: StaticString, _ value: Double) {
        member(name)
        write(value)
    }

    public mutating func member(_ name: StaticString, _ values: [String]) {
        member(name)
        append(UInt8(ascii: "["))
        for value in values {
            if !isFirst { append(UInt8(ascii: ",")) }
            write(value)
        }
        append(UInt8(ascii: "]"))
    }

    /// Nothing stands before in the container.
    private var isFirst: Bool {
        end == head || base![end - 1] == UInt8(ascii: "{") || base![end - 1] == UInt8(ascii: "[")
    }

    mutating func write(_ value: Int) {
        let place = reserve(Self.digitsMax)
        // From the last digit, at the end of the room, to the first.
        var start = Self.digitsMax
        var rest = value.magnitude
        repeat {
            start -= 1
            place[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest > 0
        if value < 0 {
            start -= 1
            place[start] = UInt8(ascii: "-")
        }
        memmove(place, place + start, Self.digitsMax - start)
        end += Self.digitsMax - start
    }

    /// The shortest text that reads as the same number. JSON has no infinities; they are null, which is no number either.
    mutating func write(_ value: Double) {
        guard value.isFinite else { return append("null") }
        var text = value.description
        text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    }

    mutating func write(_ value: String) {
        append(UInt8(ascii: "\""))
        var value = value
        value.withUTF8 { text in
            let bytes = UnsafeRawBufferPointer(text)
            var (start, index) = (0, 0)
            while index < bytes.count {
                let byte = bytes[index]
                if byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
                    append(UnsafeRawBufferPointer(rebasing: bytes[start..<index]))
                    escape(byte)
                    start = index + 1
                }
                index += 1
            }
            append(UnsafeRawBufferPointer(rebasing: bytes[start...]))
        }
        append(UInt8(ascii: "\""))
    }

    private mutating func escape(_ byte: UInt8) {
        append(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\n"): append(UInt8(ascii: "n"))
        case UInt8(ascii: "\t"): append(UInt8(ascii: "t"))
        case UInt8(ascii: "\r"): append(UInt8(ascii: "r"))
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): append(byte)
        default:
            append("u00")
            append(byte < 16 ? UInt8(ascii: "0") : UInt8(ascii: "1"))
            append(hexadecimalDigit(byte & 15))
        }
    }
}

private func hexadecimalDigit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
}
