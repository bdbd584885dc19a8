/// One line of a directory's listing.
public struct KernelFileEntry: Sendable, Hashable {
    public let name: String
    public let isDirectory: Bool
    /// The nine permission bits.
    public let mode: UInt16

    public init(name: String, isDirectory: Bool, mode: UInt16) {
        self.name = name
        self.isDirectory = isDirectory
        self.mode = mode
    }

    /// As ls shows them, without the type: `rw-r-----`.
    public var permissions: String {
        var text = ""
        for bit in stride(from: 8, through: 0, by: -1) {
            text.append(mode >> UInt16(bit) & 1 == 0 ? "-" : ["x", "w", "r"][bit % 3])
        }
        return text
    }
}
