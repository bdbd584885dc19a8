/// The names of the records, in their order, as kallsyms gives them; `__ftrace_invalid_address___<offset>` for a site that
/// isn't at the start of a symbol.
public struct FtraceNames: Sendable {
    /// FTRACE_INVALID_FUNCTION; the offset follows behind one more underscore.
    public static let invalidPrefix = "__ftrace_invalid_address__"

    private var bytes: [UInt8] = []
    private var ends: [UInt32] = []

    public init() {}

    public mutating func append(_ name: some Collection<UInt8>) {
        bytes.append(contentsOf: name)
        ends.append(UInt32(bytes.count))
    }

    /// The name of a site that lies `offset` bytes behind the start of its symbol.
    public mutating func appendInvalid(offset: Int) {
        append("\(Self.invalidPrefix)_\(offset)".utf8)
    }

    public var count: Int { ends.count }

    public subscript(index: Int) -> ArraySlice<UInt8> {
        bytes[(index == 0 ? 0 : Int(ends[index - 1]))..<Int(ends[index])]
    }

    public func string(at index: Int) -> String {
        String(decoding: self[index], as: UTF8.self)
    }
}
