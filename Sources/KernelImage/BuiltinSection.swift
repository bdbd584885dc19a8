import X86

/// A section of the built-in kernel while its symbols are laid out one after the other.
struct BuiltinSection {
    /// A word that will hold an address.
    struct Pointer {
        let offset: Int
        let target: String
    }

    let name: String
    let base: VirtualAddress
    let isWritable: Bool
    /// NOBITS: the bytes are all zero and not kept.
    let isZero: Bool
    private(set) var bytes: [UInt8] = []
    private(set) var size = 0
    private(set) var symbols: [Symbol] = []
    private(set) var pointers: [Pointer] = []

    init(name: String, base: UInt64, isWritable: Bool, isZero: Bool = false) {
        self.name = name
        self.base = VirtualAddress(base)
        self.isWritable = isWritable
        self.isZero = isZero
    }

    /// A symbol at the next free place, without room of its own.
    mutating func mark(_ name: String, type: Unicode.Scalar) {
        symbols.append(Symbol(name: name, address: base + size, type: UInt8(ascii: type)))
    }

    mutating func reserve(_ name: String, type: Unicode.Scalar, bytes count: Int, alignment: Int = 8) {
        append([], count: (size + alignment - 1) / alignment * alignment - size)
        mark(name, type: type)
        append([], count: count)
    }

    mutating func define(_ name: String, type: Unicode.Scalar, bytes content: [UInt8], alignment: Int = 8) {
        precondition(!isZero, "a NOBITS section has no content")
        reserve(name, type: type, bytes: 0, alignment: alignment)
        append(content, count: content.count)
    }

    mutating func define(_ name: String, type: Unicode.Scalar, words: [UInt64]) {
        define(name, type: type, bytes: words.flatMap { word in (0..<8).map { UInt8(word >> ($0 * 8) & 0xff) } })
    }

    /// A symbol whose words are addresses; nil is NULL.
    mutating func define(_ name: String, type: Unicode.Scalar, pointers targets: [String?]) {
        reserve(name, type: type, bytes: 0)
        for target in targets {
            if let target { pointers.append(Pointer(offset: size, target: target)) }
            append([], count: 8)
        }
    }

    private mutating func append(_ content: [UInt8], count: Int) {
        size += count
        if !isZero {
            bytes.append(contentsOf: content)
            bytes.append(contentsOf: repeatElement(0, count: count - content.count))
        }
    }

    /// Writes the pointers' values once all symbols have addresses.
    mutating func resolve(_ address: (String) -> VirtualAddress) {
        for pointer in pointers {
            let value = address(pointer.target).rawValue
            for index in 0..<8 {
                bytes[pointer.offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(index * 8))
            }
        }
    }

    /// The region, rounded up to whole pages.
    var region: ImageRegion {
        let pages = (size + 4095) / 4096 * 4096
        return ImageRegion(
            name: name, address: base, size: pages,
            bytes: isZero ? nil : ImageBytes(bytes + Array(repeating: 0, count: pages - size)), offset: 0,
            isWritable: isWritable, isExecutable: false)
    }
}
