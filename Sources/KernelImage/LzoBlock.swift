/// One block of LZO1X, decoded as Documentation/staging/lzo.rst describes the stream: instructions that copy from
/// what has been written, each followed by 0 to 3 literals that its low bits count.
struct LzoBlock {
    private let input: UnsafeRawBufferPointer
    private let output: GrowingBuffer
    private let sizeMax: Int
    private let place: Int
    private let start: Int
    private var next = 0

    init(input: UnsafeRawBufferPointer, output: GrowingBuffer, sizeMax: Int, at place: Int) {
        self.input = input
        self.output = output
        self.sizeMax = sizeMax
        self.place = place
        start = output.count
    }

    mutating func decompress() throws(KernelImageError) {
        // What the last instruction left: 0 literals, 1 to 3 literals, or 4 for a long literal run.
        var state = 0
        let first = try peek()
        if first > 17 {
            next += 1
            try literals(Int(first) - 17)
            state = first < 21 ? Int(first) - 17 : 4
        }
        while true {
            let code = Int(try byte())
            let count: Int
            let distance: Int
            let low: Int
            switch code {
            case 0..<16 where state == 0:
                try literals(3 + (try length(code, bits: 4)))
                state = 4
                continue
            case 0..<16:
                let high = Int(try byte())
                // The two short forms: 2 bytes from up to 1 KiB, or 3 bytes from 2 KiB on after a literal run.
                count = state == 4 ? 3 : 2
                distance = (high << 2) + (code >> 2) + (state == 4 ? 2049 : 1)
                low = code & 3
            case 16..<32:
                count = 2 + (try length(code & 7, bits: 3))
                let word = try word()
                let back = (code & 8) << 11 + word >> 2
                if back == 0 { return try finish() }
                distance = 16384 + back
                low = word & 3
            case 32..<64:
                count = 2 + (try length(code & 31, bits: 5))
                let word = try word()
                distance = (word >> 2) + 1
                low = word & 3
            default:
                let high = Int(try byte())
                count = code < 128 ? 3 + (code >> 5 & 1) : 5 + (code >> 5 & 3)
                distance = (high << 3) + (code >> 2 & 7) + 1
                low = code & 3
            }
            try copy(count, distance)
            try literals(low)
            state = low
        }
    }

    private func finish() throws(KernelImageError) {
        guard output.count - start == sizeMax else {
            throw failure("ends after \(output.count - start) of \(sizeMax) bytes")
        }
    }

    private func peek() throws(KernelImageError) -> UInt8 {
        guard next < input.count else { throw failure("ends within an instruction") }
        return input[next]
    }

    private mutating func byte() throws(KernelImageError) -> UInt8 {
        let byte = try peek()
        next += 1
        return byte
    }

    private mutating func word() throws(KernelImageError) -> Int {
        Int(try byte()) | Int(try byte()) << 8
    }

    /// A length in the code's low bits; 0 there means that bytes follow: each 0 is 255 more, the first other one ends.
    private mutating func length(_ value: Int, bits: Int) throws(KernelImageError) -> Int {
        guard value == 0 else { return value }
        var length = (1 << bits) - 1
        while true {
            let byte = Int(try byte())
            if byte != 0 { return length + byte }
            length += 255
            guard length <= sizeMax else { throw failure("a length of more than the block's \(sizeMax) bytes") }
        }
    }

    private mutating func literals(_ count: Int) throws(KernelImageError) {
        guard count <= input.count - next else {
            throw failure("\(count) literals, but \(input.count - next) bytes left")
        }
        try checkRoom(count)
        try Self.append(UnsafeRawBufferPointer(rebasing: input[next..<next + count]), to: output, at: place)
        next += count
    }

    private func copy(_ count: Int, _ distance: Int) throws(KernelImageError) {
        try checkRoom(count)
        guard distance <= output.count - start else {
            throw failure("a copy from \(distance) bytes back after \(output.count - start) bytes")
        }
        var left = count
        while left > 0 {
            let room = try output.room(named: "lzop block", at: place)
            let written = output.written
            // The source may overlap what is being written, and then repeats itself: byte by byte.
            let part = min(left, room.count)
            for index in 0..<part {
                let source = written.count + index - distance
                room[index] = source < written.count ? written[source] : room[source - written.count]
            }
            output.advance(by: part)
            left -= part
        }
    }

    private func checkRoom(_ count: Int) throws(KernelImageError) {
        guard count <= sizeMax - (output.count - start) else {
            throw failure("writes beyond the \(sizeMax) bytes that its header names")
        }
    }

    static func append(
        _ bytes: UnsafeRawBufferPointer, to output: GrowingBuffer, at place: Int
    ) throws(KernelImageError) {
        var rest = bytes
        while !rest.isEmpty {
            let room = try output.room(named: "lzop block", at: place)
            let part = min(rest.count, room.count)
            UnsafeMutableRawBufferPointer(rebasing: room[..<part])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: rest[..<part]))
            output.advance(by: part)
            rest = UnsafeRawBufferPointer(rebasing: rest[part...])
        }
    }

    private func failure(_ message: String) -> KernelImageError {
        KernelImageError(.decompression, "LZO block", at: place, message)
    }
}
