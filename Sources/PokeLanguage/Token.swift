/// A word, number, string or sign of a design file.
struct Token: Sendable {
    enum Kind: Sendable, Hashable {
        case word(String)
        case number(Int)
        /// Without its quotes.
        case string(String)
        /// The text between the braces of `asm { }`.
        case assembly(String)
        case sign(Sign)
        case end
    }

    let kind: Kind
    /// Bytes of the file.
    let range: Range<Int>
    /// A comment that stands on lines of its own before the token, or behind the one before.
    var comments: [Comment] = []
    /// An empty line stands before it.
    var followsEmptyLine = false

    struct Comment: Sendable, Hashable {
        let text: String
        /// Stands behind code on the same line.
        let isTrailing: Bool
    }
}

/// Signs, longest first where one begins with another.
enum Sign: String, Sendable, Hashable, CaseIterable {
    case arrow = "->"
    case dots = ".."
    case equal = "=="
    case notEqual = "!="
    case lessOrEqual = "<="
    case greaterOrEqual = ">="
    case shiftLeft = "<<"
    case shiftRight = ">>"
    case and = "&&"
    case or = "||"
    case plusAssign = "+="
    case minusAssign = "-="
    case assign = "="
    case less = "<"
    case greater = ">"
    case plus = "+"
    case minus = "-"
    case times = "*"
    case divide = "/"
    case remainder = "%"
    case bitAnd = "&"
    case bitOr = "|"
    case bitExclusiveOr = "^"
    case not = "!"
    case bitNot = "~"
    case leftBrace = "{"
    case rightBrace = "}"
    case leftParenthesis = "("
    case rightParenthesis = ")"
    case leftBracket = "["
    case rightBracket = "]"
    case comma = ","
    case colon = ":"
    case dot = "."
    case at = "@"
}

extension Token.Kind {
    /// As a message names what it found.
    var description: String {
        switch self {
        case .word(let word): "\"\(word)\""
        case .number(let number): "the number \(number)"
        case .string: "a string"
        case .assembly: "assembly text"
        case .sign(let sign): "\"\(sign.rawValue)\""
        case .end: "the end of the file"
        }
    }
}
