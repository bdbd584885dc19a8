/// How stale and how torn an instruction fetch may be; docs/MODEL.md explains each.
public enum FetchModel: String, Sendable, Hashable, CaseIterable {
    /// Every fetch sees the newest bytes.
    case coherent
    /// One cache line of 64 bytes is fetched as one; monotone.
    case line
    /// 16 bytes are fetched as one; monotone. The default.
    case chunk16
    /// 8 bytes are fetched as one; monotone.
    case chunk8
    /// Each byte ages by itself; monotone.
    case byte
    /// Each byte, at each fetch anew, in any version since the last serialization.
    case unordered

    /// log2 of the bytes that are fetched as one.
    @inlinable
    public var chunkShift: UInt64 {
        switch self {
        case .coherent, .line: 6
        case .chunk16: 4
        case .chunk8: 3
        case .byte, .unordered: 0
        }
    }

    /// A chunk never goes back to an older version.
    @inlinable
    public var isMonotone: Bool {
        self != .unordered
    }
}
