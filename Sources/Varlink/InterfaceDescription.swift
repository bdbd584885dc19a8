/// A parsed interface description (*.varlink).
public struct InterfaceDescription: Sendable, Hashable {
    public let name: String
    public let types: [NamedType]
    public let methods: [Method]
    public let errors: [NamedType]

    public struct NamedType: Sendable, Hashable {
        public let name: String
        /// A structure or an enumeration; errors are structures.
        public let type: VarlinkType
        /// The comment above it, without `#`.
        public let comment: String
    }

    public struct Method: Sendable, Hashable {
        public let name: String
        public let parameters: [Field]
        public let reply: [Field]
        public let comment: String
    }

    public struct Field: Sendable, Hashable {
        public let name: String
        public let type: VarlinkType
    }

    /// The type of that name, or nil.
    public func type(named name: String) -> VarlinkType? {
        types.first { $0.name == name }?.type
    }
}

public indirect enum VarlinkType: Sendable, Hashable {
    case bool
    case int
    case float
    case string
    case object
    case named(String)
    case optional(VarlinkType)
    case array(VarlinkType)
    case dictionary(VarlinkType)
    case structure([InterfaceDescription.Field])
    case enumeration([String])
}

public struct InterfaceDescriptionError: Error, Sendable, Hashable, CustomStringConvertible {
    /// 1-based.
    public let line: Int
    public let message: String

    public var description: String { "line \(line): \(message)" }
}
