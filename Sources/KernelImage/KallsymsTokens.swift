/// kallsyms_token_table and kallsyms_token_index: 256 strings, one for each byte of a compressed name.
struct KallsymsTokens {
    /// Offset of the first string.
    let start: Int
    /// Offset behind kallsyms_token_index.
    let end: Int
    private let offsets: [UInt16]
    private let lengths: [UInt16]
    private let firstBytes: [UInt8]
    /// Whether a name may start with this token: its first byte is a type letter.
    private let typed: [Bool]

    /// A token is at most a name; a longer one would make 64 KiB of a few bytes.
    static let lengthMax = 512

    /// nm's type letters, as the kernel keeps them.
    static func isType(_ byte: UInt8) -> Bool {
        (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a
    }

    @inline(__always)
    func length(_ token: UInt8) -> Int { Int(lengths[Int(token)]) }

    @inline(__always)
    func firstByte(_ token: UInt8) -> UInt8 { firstBytes[Int(token)] }

    @inline(__always)
    func isTyped(_ token: UInt8) -> Bool { typed[Int(token)] }

    @inline(__always)
    func bytes(_ token: UInt8, in section: UnsafeRawBufferPointer) -> Slice<UnsafeRawBufferPointer> {
        let first = start + Int(offsets[Int(token)])
        return section[first..<first + Int(lengths[Int(token)])]
    }

    /// Takes the 256 strings from `start` on; nil unless their offsets are exactly the table that follows them.
    init?(_ bytes: UnsafeRawBufferPointer, start: Int, alignment: Int) {
        var offsets: [UInt16] = []
        var lengths: [UInt16] = []
        var firstBytes: [UInt8] = []
        var place = start
        for _ in 0..<256 {
            let first = place
            while place < bytes.count, bytes[place] != 0 {
                place += 1
                guard place - first <= Self.lengthMax else { return nil }
            }
            guard place < bytes.count, first - start <= Int(UInt16.max) else { return nil }
            offsets.append(UInt16(first - start))
            lengths.append(UInt16(place - first))
            firstBytes.append(bytes[first])
            place += 1
        }
        let index = (place + alignment - 1) & -alignment
        guard index + 512 <= bytes.count else { return nil }
        for token in 0..<256
        where bytes.loadUnaligned(fromByteOffset: index + token * 2, as: UInt16.self) != offsets[token] {
            return nil
        }
        self.start = start
        end = index + 512
        self.offsets = offsets
        self.lengths = lengths
        self.firstBytes = firstBytes
        typed = firstBytes.map(Self.isType)
    }

    /// Walks the places of a section where token tables could be.
    struct Search {
        /// Places tried before the search gives up. A real image has a few; the bound keeps a file full of digits from
        /// taking minutes.
        static let triesMax = 20_000
        /// Token tables returned before the search gives up; a kernel has one.
        static let foundMax = 16

        private let bytes: UnsafeRawBufferPointer
        private let alignment: Int
        private var place = 0
        private var candidates: [Int] = []
        private var tries = 0
        private var found = 0

        init(_ bytes: UnsafeRawBufferPointer, alignment: Int) {
            self.bytes = bytes
            self.alignment = alignment
        }

        mutating func next() -> KallsymsTokens? {
            while true {
                while let start = candidates.popLast() {
                    tries += 1
                    guard tries <= Self.triesMax, found < Self.foundMax else { return nil }
                    if let tokens = KallsymsTokens(bytes, start: start, alignment: alignment) {
                        found += 1
                        return tokens
                    }
                }
                guard let digits = nextDigits() else { return nil }
                candidates = starts(before: digits)
            }
        }

        /// The next run "0\0" "1\0" ... "9\0": digits stand for themselves because names hold them all.
        private mutating func nextDigits() -> Int? {
            // "0\0" "1\0" "2\0" "3\0" read as one little-endian word.
            let first: UInt64 = 0x0033_0032_0031_0030
            while place + 20 <= bytes.count {
                let at = place
                place += 1
                guard bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self) == first else { continue }
                if (4..<10).allSatisfy({ bytes[at + 2 * $0] == 0x30 + UInt8($0) && bytes[at + 2 * $0 + 1] == 0 }) {
                    return at
                }
            }
            return nil
        }

        /// Aligned offsets from which 48 strings reach up to `digits`, where the token of "0" stands.
        ///
        /// What stands before the table needn't end in NUL, so its last non-zero bytes can look like a part of token 0.
        private func starts(before digits: Int) -> [Int] {
            var place = digits
            for _ in 0..<48 {
                guard place > 0 else { return [] }
                place -= 1
                while place > 0, bytes[place - 1] != 0 { place -= 1 }
            }
            let last = place
            // Token 0 starts anywhere in its string or, being empty, on the terminator itself.
            var end = last
            while end < digits, bytes[end] != 0 { end += 1 }
            let low = max(last, end - KallsymsTokens.lengthMax)
            return stride(from: (low + alignment - 1) & -alignment, through: end, by: alignment).reversed()
        }
    }
}
