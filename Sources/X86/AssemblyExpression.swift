/// A constant expression of the source text.
indirect enum AssemblyExpression: Sendable {
    case number(Int64)
    /// A label, a `.set` constant or a name given from outside.
    case symbol(String, AssemblyPlace)
    /// `1f` or `1b`, seen from a statement.
    case numericLabel(Int, isForward: Bool, statement: Int, AssemblyPlace)
    /// `.`, the address of the statement.
    case here(statement: Int)
    case unary(UnaryOperator, AssemblyExpression)
    case binary(BinaryOperator, AssemblyExpression, AssemblyExpression, AssemblyPlace)

    enum UnaryOperator: String, Sendable {
        case negate = "-"
        case complement = "~"
        case plus = "+"
    }

    enum BinaryOperator: String, Sendable {
        case multiply = "*"
        case divide = "/"
        case remainder = "%"
        case shiftLeft = "<<"
        case shiftRight = ">>"
        case or = "|"
        case and = "&"
        case exclusiveOr = "^"
        case add = "+"
        case subtract = "-"

        /// As `as` ranks them: `*` binds most, then the bitwise ones, then `+` and `-`.
        var rank: Int {
            switch self {
            case .multiply, .divide, .remainder, .shiftLeft, .shiftRight: 3
            case .or, .and, .exclusiveOr: 2
            case .add, .subtract: 1
            }
        }
    }

    /// Parentheses and operators that may stand inside each other.
    static let depthMax = 64
}

/// What an expression comes to: a number, or an address if `addresses` is 1.
struct AssemblyValue: Hashable, Sendable {
    var number: Int64
    /// Addresses added less addresses subtracted: the difference of two labels is a number again.
    var addresses: Int

    static func combine(
        _ operation: AssemblyExpression.BinaryOperator, _ left: AssemblyValue, _ right: AssemblyValue,
        _ place: AssemblyPlace
    ) throws(AssemblerError) -> AssemblyValue {
        switch operation {
        case .add:
            return AssemblyValue(number: left.number &+ right.number, addresses: left.addresses + right.addresses)
        case .subtract:
            return AssemblyValue(number: left.number &- right.number, addresses: left.addresses - right.addresses)
        default: break
        }
        guard left.addresses == 0, right.addresses == 0 else {
            throw AssemblerError(place, operation.rawValue, .notANumber)
        }
        let (a, b) = (left.number, right.number)
        if operation == .divide || operation == .remainder, b == 0 {
            throw AssemblerError(place, operation.rawValue, .outOfRange("division by zero"))
        }
        let number: Int64 =
            switch operation {
            case .multiply: a &* b
            case .divide: a.dividedReportingOverflow(by: b).partialValue
            case .remainder: a.remainderReportingOverflow(dividingBy: b).partialValue
            case .shiftLeft: a << b
            case .shiftRight: Int64(bitPattern: UInt64(bitPattern: a) >> b)
            case .or: a | b
            case .and: a & b
            case .exclusiveOr: a ^ b
            case .add, .subtract: 0
            }
        return AssemblyValue(number: number, addresses: 0)
    }
}
