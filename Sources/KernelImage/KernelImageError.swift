/// Why a file could not become a kernel image: what is wrong, where, and what would be right.
public struct KernelImageError: Error, Equatable, Sendable {
    /// The kind of failure, for callers that answer each kind in their own way.
    public enum Kind: String, Sendable, CaseIterable {
        /// The file can't be opened or read.
        case unreadable
        /// The file is no kernel image of a format that this room knows.
        case unknownFormat
        /// A structure reaches beyond the bytes that are there.
        case truncated
        /// A structure is there but says something that can't be true.
        case invalid
        /// A structure that a simulated kernel needs isn't there, such as a kernel without ftrace.
        case missing
        /// The file, or what it decompresses to, exceeds a limit of this room.
        case tooLarge
        /// The compressed payload can't be decompressed.
        case decompression
    }

    public let kind: Kind
    /// The structure in words: `ELF header`, `section header 12`, `__jump_table entry 7`.
    public let structure: String
    /// Bytes from the start of the file (of the decompressed file, inside a bzImage); nil where no place is known.
    public let offset: Int?
    /// What was found and what would be right.
    public let message: String

    public init(_ kind: Kind, _ structure: String, at offset: Int? = nil, _ message: String) {
        self.kind = kind
        self.structure = structure
        self.offset = offset
        self.message = message
    }
}

extension KernelImageError: CustomStringConvertible {
    /// `section header 12 at offset 0x3204b0: ends at ...; ...`, one line.
    public var description: String {
        let place = offset.map { " at offset 0x" + String($0, radix: 16) } ?? ""
        return "\(structure)\(place): \(message)"
    }
}
