/// What a key may be set to.
public enum ConfigurationValue: Sendable, Hashable, Encodable {
    case integer(Int)
    case word(String)
    case list([String])

    /// As TOML writes it.
    public var toml: String {
        switch self {
        case .integer(let number): String(number)
        case .word(let word): Self.quoted(word)
        case .list(let words): "[" + words.map(Self.quoted).joined(separator: ", ") + "]"
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .integer(let number): try container.encode(number)
        case .word(let word): try container.encode(word)
        case .list(let words): try container.encode(words)
        }
    }

    /// A basic string of TOML.
    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7f:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
