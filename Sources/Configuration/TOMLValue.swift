/// Where something stands in a file; both count from 1, columns in characters.
public struct SourcePosition: Sendable, Hashable {
    public var line: Int
    public var column: Int

    public init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }
}

/// A value of a TOML file.
public indirect enum TOMLValue: Sendable, Hashable {
    case string(String)
    case integer(Int)
    case float(Double)
    case boolean(Bool)
    /// A date, a time or both, as it was written: no key of this project takes one.
    case dateTime(String)
    case array([TOMLItem])
    case table(TOMLTable)

    /// The kind with its article, for messages.
    public var kind: String {
        switch self {
        case .string: "a string"
        case .integer: "a whole number"
        case .float: "a number with a fraction"
        case .boolean: "a boolean"
        case .dateTime: "a date or time"
        case .array: "a list"
        case .table: "a table"
        }
    }
}

/// A value and where it begins.
public struct TOMLItem: Sendable, Hashable {
    public var value: TOMLValue
    public var position: SourcePosition
}

/// A table of a TOML file, in the file's order.
public struct TOMLTable: Sendable, Hashable {
    public struct Entry: Sendable, Hashable {
        public var key: String
        /// Of the key, or of the header that made a table.
        public var position: SourcePosition
        public var value: TOMLValue
    }

    public var entries: [Entry] = []
    /// Of its header; the file's beginning for the file itself.
    public var position = SourcePosition(line: 1, column: 1)

    public subscript(key: String) -> Entry? {
        entries.first { $0.key == key }
    }
}

/// A place where a text is no TOML.
public struct TOMLSyntaxError: Error, Sendable, Hashable {
    public var position: SourcePosition
    public var message: String
}
