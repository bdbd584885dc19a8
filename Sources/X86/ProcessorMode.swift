/// The two widths of kernel that this project knows.
@frozen
public enum ProcessorMode: String, Sendable, Hashable, CaseIterable {
    case x86_64
    case i386

    /// Bytes in a general register, a stack slot and a pointer.
    @inlinable
    public var wordSize: Int {
        self == .x86_64 ? 8 : 4
    }
}
