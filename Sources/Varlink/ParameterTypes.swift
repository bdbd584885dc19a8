internal import FoundationEssentials

/// The types of a method's parameters as the interface's description has them, to say which of them a number does not fit.
struct ParameterTypes: Sendable {
    private var description: InterfaceDescription?
    private var fields: [InterfaceDescription.Field] = []

    init() {}

    init(_ fields: [InterfaceDescription.Field], of description: InterfaceDescription) {
        self.fields = fields
        self.description = description
    }

    /// The first number that its type can't hold: the parameter's path, and a sentence. Nil if no number is to blame.
    func misfit(in parameters: Data) -> (path: String, message: String)? {
        Array(parameters).withUnsafeBytes { bytes in
            var scanner = CallScanner(bytes: bytes)
            return try? scanner.misfit(.structure(fields), types: description, path: "", depth: 1)
        }
    }
}

/// Characters of a number that a message shows.
private let digitsShownMax = 40

extension CallScanner {
    typealias Misfit = (path: String, message: String)

    fileprivate mutating func misfit(
        _ type: VarlinkType, types: InterfaceDescription?, path: String, depth: Int
    ) throws(MalformedCall) -> Misfit? {
        switch type {
        case .optional(let inner): return try misfit(inner, types: types, path: path, depth: depth)
        case .named(let name):
            guard let named = types?.type(named: name) else { break }
            return try misfit(named, types: types, path: path, depth: depth)
        case .int, .float:
            guard isNumber else { break }
            let text = try numberText()
            return Self.problem(text, type).map { (path, $0) }
        case .structure(let fields):
            guard isObject else { break }
            return try memberMisfit(types, path, depth) { name in fields.first { $0.name == name }?.type }
        case .dictionary(let inner):
            guard isObject else { break }
            return try memberMisfit(types, path, depth) { _ in inner }
        case .array(let inner):
            guard isArray else { break }
            var found: Misfit?
            var index = 0
            try elements(depth: depth) { scanner throws(MalformedCall) in
                let place = Self.join(path, "Index \(index)")
                let next = try scanner.misfit(inner, types: types, path: place, depth: depth + 1)
                found = found ?? next
                index += 1
            }
            return found
        case .bool, .string, .object, .enumeration: break
        }
        try value(depth: depth)
        return nil
    }

    private mutating func memberMisfit(
        _ types: InterfaceDescription?, _ path: String, _ depth: Int, type: (String) -> VarlinkType?
    ) throws(MalformedCall) -> Misfit? {
        var found: Misfit?
        try members(depth: depth) { scanner, range throws(MalformedCall) in
            let name = try scanner.text(range)
            guard let type = type(name) else { return try scanner.value(depth: depth + 1) }
            let next = try scanner.misfit(type, types: types, path: Self.join(path, name), depth: depth + 1)
            found = found ?? next
        }
        return found
    }

    private static func join(_ path: String, _ name: String) -> String {
        path.isEmpty ? name : path + "." + name
    }

    /// What is wrong with the number for the type.
    private static func problem(_ text: String, _ type: VarlinkType) -> String? {
        let shown = text.utf8.count > digitsShownMax ? text.prefix(digitsShownMax) + "..." : text[...]
        let value = Double(text) ?? .infinity
        if case .float = type {
            // A number that is not zero but too small for a float would be read as zero.
            let isTooSmall = value == 0 && text.prefix { $0 != "e" && $0 != "E" }.contains { ("1"..."9").contains($0) }
            return value.isFinite && !isTooSmall ? nil : "\(shown) is out of the range of a float"
        }
        if Int(text) != nil { return nil }
        guard value.rounded() == value || !value.isFinite else { return "\(shown) is not of the type int" }
        return Int(exactly: value) != nil && text.contains { $0 == "." || $0 == "e" || $0 == "E" }
            ? nil : "\(shown) is not in \(Int.min) to \(Int.max)"
    }
}
