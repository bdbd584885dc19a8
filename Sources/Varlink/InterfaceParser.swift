extension InterfaceDescription {
    public init(parsing text: String) throws(InterfaceDescriptionError) {
        var parser = InterfaceParser(text)
        self = try parser.interface()
    }
}

/// Reads the interface definition language: https://varlink.org/Interface-Definition.
struct InterfaceParser {
    /// Types nested deeper than this are refused: the parser recurses.
    static let depthMax = 32

    private let text: [UInt8]
    private var position = 0
    private var line = 1
    /// Comment lines since the last declaration.
    private var comment: [String] = []
    private var depth = 0

    init(_ text: String) {
        self.text = Array(text.utf8)
    }

    mutating func interface() throws(InterfaceDescriptionError) -> InterfaceDescription {
        try expectWord("interface")
        let name = try interfaceName()
        var types: [InterfaceDescription.NamedType] = []
        var methods: [InterfaceDescription.Method] = []
        var errors: [InterfaceDescription.NamedType] = []
        comment = []
        skipBlank()
        while position < text.count {
            let keyword = word()
            let comment = takeComment()
            switch keyword {
            case "type":
                types.append(.init(name: try typeName(), type: try structureOrEnumeration(), comment: comment))
            case "error":
                errors.append(.init(name: try typeName(), type: .structure(try fields()), comment: comment))
            case "method":
                let name = try typeName()
                let parameters = try fields()
                try expect("->")
                methods.append(.init(name: name, parameters: parameters, reply: try fields(), comment: comment))
            default:
                throw error("expected type, method or error, not \"\(keyword)\"")
            }
            self.comment = []
            skipBlank()
        }
        let description = InterfaceDescription(name: name, types: types, methods: methods, errors: errors)
        try checkNames(description)
        return description
    }

    /// Names are declared once, and every type that is named exists.
    private func checkNames(_ description: InterfaceDescription) throws(InterfaceDescriptionError) {
        var seen: Set<String> = []
        let names = description.types.map(\.name) + description.methods.map(\.name) + description.errors.map(\.name)
        for name in names where !seen.insert(name).inserted { throw error("\(name) is declared twice") }
        var used = description.types.map(\.type) + description.errors.map(\.type)
        used += description.methods.map { .structure($0.parameters) } + description.methods.map { .structure($0.reply) }
        while let type = used.popLast() {
            switch type {
            case .named(let name):
                if description.type(named: name) == nil { throw error("there is no type \(name)") }
            case .optional(let inner), .array(let inner), .dictionary(let inner): used.append(inner)
            case .structure(let fields): used += fields.map(\.type)
            case .bool, .int, .float, .string, .object, .enumeration: break
            }
        }
    }

    private mutating func type() throws(InterfaceDescriptionError) -> VarlinkType {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthMax else { throw error("types are nested deeper than \(Self.depthMax)") }
        skipBlank()
        if take("?") {
            let inner = try type()
            if case .optional = inner { throw error("?? is no type") }
            return .optional(inner)
        }
        if take("[]") { return .array(try type()) }
        if take("[string]") { return .dictionary(try type()) }
        if peek(UInt8(ascii: "(")) { return try structureOrEnumeration() }
        let name = word()
        switch name {
        case "bool": return .bool
        case "int": return .int
        case "float": return .float
        case "string": return .string
        case "object": return .object
        default:
            guard isTypeName(name) else { throw error("expected a type, not \"\(name)\"") }
            return .named(name)
        }
    }

    /// `(a: int, b: string)` or `(a, b)`; `()` is a structure.
    private mutating func structureOrEnumeration() throws(InterfaceDescriptionError) -> VarlinkType {
        let start = (position, line)
        try expect("(")
        skipBlank()
        let first = word()
        skipBlank()
        let isEnumeration = !first.isEmpty && (peek(UInt8(ascii: ",")) || peek(UInt8(ascii: ")")))
        (position, line) = start
        guard isEnumeration else { return .structure(try fields()) }
        try expect("(")
        var cases: [String] = []
        repeat {
            let name = try fieldName()
            if cases.contains(name) { throw error("\(name) stands twice") }
            cases.append(name)
            skipBlank()
        } while take(",")
        try expect(")")
        return .enumeration(cases)
    }

    private mutating func fields() throws(InterfaceDescriptionError) -> [InterfaceDescription.Field] {
        try expect("(")
        skipBlank()
        if take(")") { return [] }
        var fields: [InterfaceDescription.Field] = []
        repeat {
            let name = try fieldName()
            if fields.contains(where: { $0.name == name }) { throw error("\(name) stands twice") }
            try expect(":")
            fields.append(.init(name: name, type: try type()))
            skipBlank()
        } while take(",")
        try expect(")")
        return fields
    }

    // Names

    private mutating func interfaceName() throws(InterfaceDescriptionError) -> String {
        skipBlank()
        let name = takeWhile { isLetter($0) || isDigit($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count >= 2, parts.allSatisfy({ !$0.isEmpty && $0.first != "-" && $0.last != "-" }) else {
            throw error("\"\(name)\" is no interface's name (reversed domain, two parts or more)")
        }
        return name
    }

    private mutating func typeName() throws(InterfaceDescriptionError) -> String {
        skipBlank()
        let name = word()
        guard isTypeName(name) else { throw error("expected a name that starts with a capital, not \"\(name)\"") }
        return name
    }

    private mutating func fieldName() throws(InterfaceDescriptionError) -> String {
        skipBlank()
        let name = word()
        guard let first = name.utf8.first, isLetter(first) else { throw error("expected a name, not \"\(name)\"") }
        return name
    }

    private func isTypeName(_ name: String) -> Bool {
        guard let first = name.utf8.first else { return false }
        return first >= UInt8(ascii: "A") && first <= UInt8(ascii: "Z") && !name.utf8.contains(UInt8(ascii: "_"))
    }

    // Characters

    private func error(_ message: String) -> InterfaceDescriptionError {
        InterfaceDescriptionError(line: line, message: message)
    }

    private mutating func takeComment() -> String {
        defer { comment = [] }
        return comment.joined(separator: "\n")
    }

    private mutating func skipBlank() {
        while position < text.count {
            switch text[position] {
            case UInt8(ascii: "\n"):
                line += 1
                position += 1
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"):
                position += 1
            case UInt8(ascii: "#"):
                let body = takeWhile { $0 != UInt8(ascii: "\n") }.drop { $0 == "#" }
                comment.append(String(body.drop { $0 == " " }))
            default:
                return
            }
        }
    }

    private func peek(_ byte: UInt8) -> Bool {
        position < text.count && text[position] == byte
    }

    private mutating func take(_ token: String) -> Bool {
        guard text[position...].starts(with: token.utf8) else { return false }
        position += token.utf8.count
        return true
    }

    private mutating func expect(_ token: String) throws(InterfaceDescriptionError) {
        skipBlank()
        guard take(token) else {
            let found = position < text.count ? "\"\(Character(UnicodeScalar(text[position])))\"" : "the end"
            throw error("expected \"\(token)\", not \(found)")
        }
    }

    private mutating func expectWord(_ expected: String) throws(InterfaceDescriptionError) {
        skipBlank()
        let found = word()
        guard found == expected else { throw error("expected \"\(expected)\", not \"\(found)\"") }
    }

    private mutating func word() -> String {
        takeWhile { isLetter($0) || isDigit($0) || $0 == UInt8(ascii: "_") }
    }

    private mutating func takeWhile(_ belongs: (UInt8) -> Bool) -> String {
        let start = position
        while position < text.count, belongs(text[position]) { position += 1 }
        return String(decoding: text[start..<position], as: UTF8.self)
    }
}

private func isLetter(_ byte: UInt8) -> Bool {
    byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "z") || byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z")
}

private func isDigit(_ byte: UInt8) -> Bool {
    byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
}
