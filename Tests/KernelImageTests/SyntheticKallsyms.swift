/// kallsyms tables as scripts/kallsyms.c writes them, in each layout and with each rule of addresses.
struct SyntheticKallsyms {
    enum Layout: CaseIterable {
        /// offsets, base, count, names, markers, tokens (up to 6.1).
        case early
        /// The same with seqs_of_names before the tokens (late 6.1.y, 6.2, 6.3).
        case earlyWithSequences
        /// count, names, markers, tokens, offsets, base, seqs_of_names (since 6.4).
        case late
    }

    struct Symbol {
        let address: UInt64
        let type: Character
        let name: String
    }

    var layout: Layout
    /// CONFIG_KALLSYMS_ABSOLUTE_PERCPU.
    var isAbsolutePerCPU: Bool
    var wordSize: Int
    /// Ascending.
    var symbols: [Symbol]

    /// Tokens of more than one byte stand at values that no name uses as a byte.
    private static let phrases = [
        "T__", "t__", "function_", "__SCT__", "__SCK__", "__st", "op_", "sy", "mp", "ca", "ll",
    ]

    private var tokens: [[UInt8]] {
        var tokens = (0..<256).map { byte in (0x21...0x7e).contains(byte) ? [UInt8(byte)] : [] }
        for (index, phrase) in Self.phrases.enumerated() { tokens[0x80 + index] = Array(phrase.utf8) }
        return tokens
    }

    private func compress(_ symbol: Symbol, _ tokens: [[UInt8]]) -> [UInt8] {
        var rest = Array((String(symbol.type) + symbol.name).utf8)[...]
        var packed: [UInt8] = []
        while let first = rest.first {
            let best = (0x80..<0x80 + Self.phrases.count).filter { rest.starts(with: tokens[$0]) }
                .max { tokens[$0].count < tokens[$1].count }
            packed.append(best.map { UInt8($0) } ?? first)
            rest = rest.dropFirst(best.map { tokens[$0].count } ?? 1)
        }
        return packed
    }

    /// The tables, to stand at an address that is a multiple of the word size.
    func build() -> [UInt8] {
        var writer = ByteWriter()
        if layout != .late { appendAddresses(&writer) }
        writer.append(UInt32(symbols.count))
        writer.align(wordSize)
        let start = writer.count
        let tokens = tokens
        var markers: [UInt32] = []
        for (index, symbol) in symbols.enumerated() {
            if index % 256 == 0 { markers.append(UInt32(writer.count - start)) }
            let packed = compress(symbol, tokens)
            if packed.count < 0x80 {
                writer.append(UInt8(packed.count))
            } else {
                writer.append([UInt8(packed.count & 0x7f) | 0x80, UInt8(packed.count >> 7)])
            }
            writer.append(packed)
        }
        writer.align(wordSize)
        for marker in markers { writer.append(marker) }
        writer.align(wordSize)
        if layout == .earlyWithSequences { appendSequences(&writer) }
        var offsets: [UInt16] = []
        let tokenStart = writer.count
        for token in tokens {
            offsets.append(UInt16(writer.count - tokenStart))
            writer.append(token)
            writer.append(UInt8(0))
        }
        writer.align(wordSize)
        for offset in offsets { writer.append(offset) }
        writer.align(wordSize)
        if layout == .late {
            appendAddresses(&writer)
            appendSequences(&writer)
        }
        return writer.bytes
    }

    private var base: UInt64 {
        symbols.first { !isAbsolutePerCPU || $0.address > 0xffff_ffff }!.address
    }

    private func appendAddresses(_ writer: inout ByteWriter) {
        for symbol in symbols {
            if isAbsolutePerCPU {
                let isAbsolute = symbol.address <= 0x7fff_ffff
                let value = isAbsolute ? Int64(symbol.address) : Int64(bitPattern: base &- 1 &- symbol.address)
                writer.append(Int32(value))
            } else {
                writer.append(UInt32(truncatingIfNeeded: symbol.address &- base))
            }
        }
        writer.align(wordSize)
        writer.word(base, wordSize)
    }

    /// seqs_of_names: the order by name, 3 bytes each, most significant first.
    private func appendSequences(_ writer: inout ByteWriter) {
        let order = symbols.indices.sorted { (symbols[$0].name, $0) < (symbols[$1].name, $1) }
        for index in order {
            writer.append([UInt8(index >> 16 & 0xff), UInt8(index >> 8 & 0xff), UInt8(index & 0xff)])
        }
        writer.align(wordSize)
    }
}
