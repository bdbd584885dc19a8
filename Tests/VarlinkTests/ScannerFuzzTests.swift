import FoundationEssentials
import Testing

@testable import Varlink

/// A JSON text as the JSON library sees it.
private enum Tree: Decodable, Equatable {
    case null
    case bool(Bool)
    case number
    /// Out of a type's range, or no number: the library does not say which.
    case doubtful
    case string(String)
    case array([Tree])
    case object([String: Tree])

    init(from decoder: any Decoder) throws {
        if let container = try Self.unlessOther({ try decoder.container(keyedBy: MemberName.self) }) {
            var members: [String: Tree] = [:]
            for key in container.allKeys { members[key.stringValue] = try container.decode(Tree.self, forKey: key) }
            self = .object(members)
            return
        }
        if var container = try Self.unlessOther({ try decoder.unkeyedContainer() }) {
            var elements: [Tree] = []
            while !container.isAtEnd { elements.append(try container.decode(Tree.self)) }
            self = .array(elements)
            return
        }
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try Self.unlessOther({ try container.decode(Bool.self) }) {
            self = .bool(value)
        } else if let value = try Self.unlessOther({ try container.decode(String.self) }) {
            self = .string(value)
        } else {
            self = (try? container.decode(Double.self)) == nil ? .doubtful : .number
        }
    }

    /// Nil where the value is of another type.
    private static func unlessOther<Value>(_ body: () throws -> Value) throws -> Value? {
        do {
            return try body()
        } catch DecodingError.typeMismatch, DecodingError.valueNotFound {
            return nil
        }
    }

    var isDoubtful: Bool {
        switch self {
        case .doubtful: true
        case .array(let elements): elements.contains { $0.isDoubtful }
        case .object(let members): members.values.contains { $0.isDoubtful }
        default: false
        }
    }

    private struct MemberName: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }
}

/// What the JSON library makes of a call.
private enum Reading: Equatable {
    case noJSON
    case noCall
    /// It depends on what the library leaves open.
    case doubtful
    case call(CallHead)
}

/// Whether a control character stands unescaped in a string: RFC 8259, 7, forbids it, and the library lets a tab pass.
private func hasRawControl(_ bytes: [UInt8]) -> Bool {
    var isInString = false
    var isEscaped = false
    for byte in bytes {
        if isEscaped {
            isEscaped = false
        } else if byte == UInt8(ascii: "\"") {
            isInString.toggle()
        } else if isInString, byte == UInt8(ascii: "\\") {
            isEscaped = true
        } else if isInString, byte < 0x20 {
            return true
        }
    }
    return false
}

private func reading(_ bytes: [UInt8]) -> Reading {
    if hasRawControl(bytes) { return .doubtful }
    guard let tree = try? JSONDecoder().decode(Tree.self, from: Data(bytes)) else { return .noJSON }
    if tree.isDoubtful { return .doubtful }
    guard case .object(let members) = tree, case .string(let method)? = members["method"] else { return .noCall }
    var head = CallHead()
    head.method = method
    for (name, flag) in [("more", \CallHead.more), ("oneway", \.oneway), ("upgrade", \.upgrade)] {
        switch members[name] {
        case nil, .null: break
        case .bool(let value): head[keyPath: flag] = value
        default: return .noCall
        }
    }
    switch members["parameters"] {
    case nil, .null: break
    case .object(let parameters): head.parameterNames = parameters.keys.sorted()
    default: return .noCall
    }
    return .call(head)
}

@Suite struct ScannerFuzzTests {
    static let words = [
        "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u00e4", "\\ud83d\\ude00", "\\ud800", "\\u", "null", "true",
        "false", "0",
        "-1", "1.5e300", "1e999", "01", "99999999999999999999", "method", "parameters", "\"more\":true",
        "\"oneway\":null",
        "upgrade", " ", "\t", "\n", "\r", "ä", "\u{2028}", "\u{feff}", "\u{0}", "\u{1}", "\"m\\u0065thod\":\"a\"", "/*",
        "NaN",
        "[[[[[[[[", "{\"a\":{\"a\":{\"a\":",
    ]

    @Test("What the envelope scanner takes the JSON library takes too, and reads the same from it")
    func theScannerReadsWhatTheLibraryReads() throws {
        let mutator = Mutator(seeds: seeds("varlink"), words: Self.words)
        try #require(mutator.seeds.count > 5)
        var run = FuzzRun(iterations: 40_000)
        var generator = FuzzGenerator(seed: run.seed)
        var accepted = 0
        while run.goesOn() {
            // A frame holds no NUL: it ends there.
            let bytes = mutator.mutated(&generator).filter { $0 != 0 }
            let (isCall, difference) = compare(bytes)
            accepted += isCall ? 1 : 0
            try #require(difference == nil, "\(difference!): \(String(decoding: bytes, as: UTF8.self))")
        }
        // Inputs that are all refused would compare little.
        #expect(accepted * 20 > run.iterations)
        run.report("scanner")
    }

    /// Whether the scanner takes it for a call, and how that differs from what the library says.
    private func compare(_ bytes: [UInt8]) -> (isCall: Bool, difference: String?) {
        var expected = reading(bytes)
        // The library skips a byte order mark, and what stands in a string that nobody asks for need not be UTF-8.
        if String(validating: bytes, as: UTF8.self) == nil || bytes.starts(with: [0xef, 0xbb, 0xbf]) {
            expected = .noJSON
        }
        do {
            var head = try bytes.withUnsafeBytes { try CallScanner.scan($0) }
            if expected == .doubtful { return (true, nil) }
            guard case .call(var other) = expected else { return (true, "taken, but it is \(expected)") }
            let names = head.parameterNames
            if let range = head.parameters {
                guard (try? JSONDecoder().decode(Tree.self, from: Data(bytes[range]))) != nil else {
                    return (true, "the parameters stand elsewhere")
                }
            }
            // The library forgets the order, and that a name came twice.
            (head.parameterNames, head.parameters) = (Set(names).sorted(), nil)
            other.parameterNames.sort()
            return (true, head == other ? nil : "read \(head), not \(other)")
        } catch {
            return (false, difference(error, expected))
        }
    }

    private func difference(_ error: any Error, _ expected: Reading) -> String? {
        guard let message = (error as? MalformedCall)?.message, !message.isEmpty else { return "threw \(error)" }
        let isNoJSON = ["JSON", "UTF-8", "in one another"].contains { message.contains($0) }
        switch expected {
        case .doubtful: return nil
        case .noJSON: return isNoJSON ? nil : message
        case .noCall: return isNoJSON ? message : nil
        // The library lets pass what RFC 8259 forbids: tabs in strings, a comma before a brace, a member given twice.
        case .call: return nil
        }
    }

    @Test("Of all short texts of digits, signs, points and exponents, numbers are those of the grammar")
    func numbersAreThoseOfTheGrammar() throws {
        let alphabet = Array("01-+.e".utf8)
        let grammar = /-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/
        var texts: [[UInt8]] = [[]]
        for _ in 0..<5 {
            texts = texts.flatMap { text in alphabet.map { text + [$0] } }
            for text in texts {
                let frame = Array(#"{"method":"a.b.C","x":"#.utf8) + text + Array("}".utf8)
                let isNumber = (try? frame.withUnsafeBytes { try CallScanner.scan($0) }) != nil
                let isExpected = String(decoding: text, as: UTF8.self).wholeMatch(of: grammar) != nil
                try #require(isNumber == isExpected, "\(String(decoding: text, as: UTF8.self))")
            }
        }
    }

    @Test("An interface description is read or refused with a line of the text, whatever it holds")
    func theInterfaceParserAlwaysAnswers() throws {
        let words = [
            "interface", "method", "type", "error", "(", ")", "->", ":", ",", "?", "[]", "[string]", "int", "string",
            "object",
            "#", "\n", "A", "a", "org.example", "((((((((", "[][][][]", "_", "-", ".", "ä", "\u{0}",
        ]
        let mutator = Mutator(seeds: seeds("idl"), words: words)
        try #require(mutator.seeds.count > 3)
        var run = FuzzRun(iterations: 20_000)
        var generator = FuzzGenerator(seed: run.seed)
        while run.goesOn() {
            let text = String(decoding: mutator.mutated(&generator), as: UTF8.self)
            do {
                let description = try InterfaceDescription(parsing: text)
                // Whatever is told of a number, the types are walked through.
                let types = ParameterTypes(description.methods.flatMap(\.parameters), of: description)
                _ = types.misfit(in: Data(#"{"a":[1],"node":{"next":{"next":null},"children":[{}]}}"#.utf8))
                try #require(!description.name.isEmpty)
            } catch let error as InterfaceDescriptionError {
                let lines = text.utf8.count { $0 == UInt8(ascii: "\n") } + 1
                try #require((1...lines).contains(error.line) && !error.message.isEmpty, "\(error): \(text)")
            }
        }
        run.report("interface parser")
    }
}
