/// The names of a source text, and what expressions come to.
struct AssemblySymbols {
    private let mode: ProcessorMode
    private let addresses: [String: VirtualAddress]
    private let constants: [String: Int64]
    private var sets: [String: AssemblyExpression] = [:]
    /// The statements that define a label.
    private(set) var labels: [String: Int] = [:]
    private var numericLabels: [Int: [Int]] = [:]

    init(
        _ statements: [AssemblyStatement], mode: ProcessorMode, addresses: [String: VirtualAddress],
        constants: [String: Int64]
    ) throws(AssemblerError) {
        self.mode = mode
        self.addresses = addresses
        self.constants = constants
        var lines: [String: Int] = [:]
        for (index, statement) in statements.enumerated() {
            let name: String
            switch statement.item {
            case .label(let label):
                name = label
                labels[name] = index
            case .set(let symbol, let expression):
                name = symbol
                sets[name] = expression
            case .numericLabel(let number):
                numericLabels[number, default: []].append(index)
                continue
            default: continue
            }
            if name == "." { throw AssemblerError(statement.place, name, .expected("a symbol")) }
            if let line = lines[name] { throw AssemblerError(statement.place, name, .defined(inLine: line)) }
            lines[name] = statement.place.line
        }
    }

    /// `.set` symbols that may stand in each other's expressions.
    private static let chainMax = 16
    /// Terms that one expression may come to when its `.set` symbols are written out.
    private static let termsMax = 256

    /// Whether the expression's value is known before anything has a place. An address from outside is known but may be
    /// any: it is encoded at full width as one from inside.
    func isFixed(_ expression: AssemblyExpression) throws(AssemblerError) -> Bool {
        var terms = 0
        return try isFixed(expression, 0, &terms)
    }

    private func isFixed(
        _ expression: AssemblyExpression, _ chain: Int, _ terms: inout Int
    ) throws(AssemblerError) -> Bool {
        switch expression {
        case .number: return true
        case .numericLabel, .here: return false
        case .unary(_, let inner): return try isFixed(inner, chain, &terms)
        case .binary(_, let left, let right, _):
            let isLeftFixed = try isFixed(left, chain, &terms)
            return try isFixed(right, chain, &terms) && isLeftFixed
        case .symbol(let name, let place):
            terms += 1
            if labels[name] != nil { return false }
            if let set = sets[name] {
                try check(chain, terms, name, place)
                return try isFixed(set, chain + 1, &terms)
            }
            if addresses[name] != nil { return false }
            if constants[name] != nil { return true }
            throw AssemblerError(
                place, name, .noSuchSymbol,
                nearest: NearestWord.nearest(
                    to: name,
                    in: [Array(labels.keys), Array(sets.keys), Array(addresses.keys), Array(constants.keys)].joined()))
        }
    }

    private func check(_ chain: Int, _ terms: Int, _ name: String, _ place: AssemblyPlace) throws(AssemblerError) {
        guard chain < Self.chainMax, terms <= Self.termsMax else {
            throw AssemblerError(
                place, name, .limit("it depends on itself, or on too long a chain of symbols"))
        }
    }

    /// `places` are the addresses of the statements; empty where the expression is fixed.
    func value(_ expression: AssemblyExpression, _ places: [UInt64]) throws(AssemblerError) -> AssemblyValue {
        var terms = 0
        return try value(expression, places, 0, &terms)
    }

    private func value(
        _ expression: AssemblyExpression, _ places: [UInt64], _ chain: Int, _ terms: inout Int
    ) throws(AssemblerError) -> AssemblyValue {
        switch expression {
        case .number(let number): return AssemblyValue(number: number, addresses: 0)
        case .here(let statement): return address(statement, places)
        case .numericLabel(let number, let isForward, let statement, let place):
            let definitions = numericLabels[number] ?? []
            let found = isForward ? definitions.first { $0 >= statement } : definitions.last { $0 < statement }
            guard let found else {
                throw AssemblerError(place, "\(number)\(isForward ? "f" : "b")", .noSuchSymbol)
            }
            return address(found, places)
        case .unary(let operation, let inner):
            let value = try value(inner, places, chain, &terms)
            switch operation {
            case .plus: return value
            case .negate: return AssemblyValue(number: 0 &- value.number, addresses: -value.addresses)
            case .complement: return AssemblyValue(number: ~value.number, addresses: value.addresses)
            }
        case .binary(let operation, let left, let right, let place):
            let leftValue = try value(left, places, chain, &terms)
            return try AssemblyValue.combine(
                operation, leftValue, try value(right, places, chain, &terms), place)
        case .symbol(let name, let place):
            terms += 1
            if let label = labels[name] { return address(label, places) }
            if let set = sets[name] {
                try check(chain, terms, name, place)
                return try value(set, places, chain + 1, &terms)
            }
            if let address = addresses[name] {
                return AssemblyValue(number: Int64(bitPattern: address.rawValue), addresses: 1)
            }
            return AssemblyValue(number: constants[name] ?? 0, addresses: 0)
        }
    }

    private func address(_ statement: Int, _ places: [UInt64]) -> AssemblyValue {
        AssemblyValue(number: Int64(bitPattern: places[min(statement, places.count - 1)]), addresses: 1)
    }
}
