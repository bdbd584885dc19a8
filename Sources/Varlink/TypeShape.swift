/// The shape of a Decodable type as an interface description would write it, found by letting the type decode itself from
/// a decoder that notes what it is asked for. A test holds Swift types against interface descriptions with it.
public enum TypeShape {
    /// The members of a structure, sorted by name.
    public static func fields(of type: any Decodable.Type) throws -> [InterfaceDescription.Field] {
        guard case .structure(let fields) = try shape(of: type) else { return [] }
        return fields
    }

    /// Named types come out as what they stand for.
    static func shape(of type: any Decodable.Type) throws -> VarlinkType {
        try probe(type).shape
    }

    /// The shape, and some value of the type.
    fileprivate static func probe<Value: Decodable>(_ type: Value.Type) throws -> (shape: VarlinkType, value: Value) {
        if let cases = type as? any CaseIterable.Type, let (names, first) = enumeration(cases) {
            return (.enumeration(names), first as! Value)
        }
        let recorder = ShapeRecorder()
        let value = try Value(from: ShapeDecoder(recorder: recorder, codingPath: []))
        guard case .structure(let fields) = recorder.shape ?? .structure([]) else { return (recorder.shape!, value) }
        return (.structure(fields.sorted { $0.name < $1.name }), value)
    }

    private static func enumeration<Cases: CaseIterable>(_ type: Cases.Type) -> ([String], Any)? {
        let names = type.allCases.compactMap { ($0 as? any RawRepresentable)?.rawValue as? String }
        guard let first = type.allCases.first, names.count == type.allCases.count else { return nil }
        return (names, first)
    }
}

private final class ShapeRecorder {
    var shape: VarlinkType?

    func add(_ name: String, _ type: VarlinkType) {
        guard case .structure(var fields) = shape ?? .structure([]) else { return }
        fields.append(.init(name: name, type: type))
        shape = .structure(fields)
    }
}

private struct ShapeDecoder: Decoder {
    let recorder: ShapeRecorder
    let codingPath: [any CodingKey]
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedDecodingContainer<Key> {
        if recorder.shape == nil { recorder.shape = .structure([]) }
        return KeyedDecodingContainer(ShapeKeyed(recorder: recorder, codingPath: codingPath))
    }

    func unkeyedContainer() -> any UnkeyedDecodingContainer {
        ShapeUnkeyed(recorder: recorder, codingPath: codingPath)
    }

    func singleValueContainer() -> any SingleValueDecodingContainer {
        ShapeSingle(recorder: recorder, codingPath: codingPath)
    }
}

/// What is asked for and can't be made up.
private struct ShapeUnsupported: Error {}

private struct ShapeKeyed<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let recorder: ShapeRecorder
    let codingPath: [any CodingKey]
    var allKeys: [Key] { [] }

    func contains(_ key: Key) -> Bool { true }
    func decodeNil(forKey key: Key) throws -> Bool { false }

    func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
        let (shape, value) = try TypeShape.probe(type)
        recorder.add(key.stringValue, shape)
        return value
    }

    func decodeIfPresent<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value? {
        recorder.add(key.stringValue, .optional(try TypeShape.probe(type).shape))
        return nil
    }

    func decode(_ type: Bool.Type, forKey key: Key) throws -> Bool { note(key, .bool, false) }
    func decode(_ type: Int.Type, forKey key: Key) throws -> Int { note(key, .int, 0) }
    func decode(_ type: Double.Type, forKey key: Key) throws -> Double { note(key, .float, 0) }
    func decode(_ type: String.Type, forKey key: Key) throws -> String { note(key, .string, "") }
    func decodeIfPresent(_ type: Bool.Type, forKey key: Key) throws -> Bool? { note(key, .optional(.bool), nil) }
    func decodeIfPresent(_ type: Int.Type, forKey key: Key) throws -> Int? { note(key, .optional(.int), nil) }
    func decodeIfPresent(_ type: Double.Type, forKey key: Key) throws -> Double? { note(key, .optional(.float), nil) }
    func decodeIfPresent(_ type: String.Type, forKey key: Key) throws -> String? { note(key, .optional(.string), nil) }

    private func note<Value>(_ key: Key, _ type: VarlinkType, _ value: Value) -> Value {
        recorder.add(key.stringValue, type)
        return value
    }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<Nested> { throw ShapeUnsupported() }
    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer { throw ShapeUnsupported() }
    func superDecoder() throws -> any Decoder { throw ShapeUnsupported() }
    func superDecoder(forKey key: Key) throws -> any Decoder { throw ShapeUnsupported() }
}

/// An array of one element.
private struct ShapeUnkeyed: UnkeyedDecodingContainer {
    let recorder: ShapeRecorder
    let codingPath: [any CodingKey]
    var count: Int? { 1 }
    var currentIndex = 0
    var isAtEnd: Bool { currentIndex > 0 }

    mutating func decodeNil() throws -> Bool { false }

    mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        let (shape, value) = try TypeShape.probe(type)
        recorder.shape = .array(shape)
        currentIndex += 1
        return value
    }

    mutating func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type
    ) throws -> KeyedDecodingContainer<Nested> { throw ShapeUnsupported() }
    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer { throw ShapeUnsupported() }
    mutating func superDecoder() throws -> any Decoder { throw ShapeUnsupported() }
}

private struct ShapeSingle: SingleValueDecodingContainer {
    let recorder: ShapeRecorder
    let codingPath: [any CodingKey]

    func decodeNil() -> Bool { false }
    func decode(_ type: Bool.Type) throws -> Bool { note(.bool, false) }
    func decode(_ type: Int.Type) throws -> Int { note(.int, 0) }
    func decode(_ type: Double.Type) throws -> Double { note(.float, 0) }
    func decode(_ type: String.Type) throws -> String { note(.string, "") }

    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        let (shape, value) = try TypeShape.probe(type)
        recorder.shape = shape
        return value
    }

    private func note<Value>(_ type: VarlinkType, _ value: Value) -> Value {
        recorder.shape = type
        return value
    }
}

extension InterfaceDescription {
    /// Fields with every named type replaced by what it stands for, sorted by name, as TypeShape gives them.
    public func resolved(_ fields: [Field]) -> [Field] {
        fields.map { Field(name: $0.name, type: resolved($0.type)) }.sorted { $0.name < $1.name }
    }

    private func resolved(_ type: VarlinkType) -> VarlinkType {
        switch type {
        case .named(let name): resolved(self.type(named: name)!)
        case .optional(let inner): .optional(resolved(inner))
        case .array(let inner): .array(resolved(inner))
        case .dictionary(let inner): .dictionary(resolved(inner))
        case .structure(let fields): .structure(resolved(fields))
        case .bool, .int, .float, .string, .object, .enumeration: type
        }
    }
}
