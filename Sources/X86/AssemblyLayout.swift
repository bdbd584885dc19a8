/// Gives every statement its place: branches start short and grow until all of them reach.
struct AssemblyLayout {
    private enum Content {
        case nothing
        case bytes([UInt8])
        case code(EncodedInstruction)
        case branch(short: EncodedInstruction?, near: EncodedInstruction?, isNear: Bool)
        case data(size: Int, [AssemblyExpression])
        case align(boundary: UInt64, fill: UInt8)
        case skip(AssemblyExpression, fill: UInt8)
    }

    private let statements: [AssemblyStatement]
    private let symbols: AssemblySymbols
    private let start: UInt64
    private let mode: ProcessorMode
    private var contents: [Content] = []
    /// Where each statement begins; one more for the end.
    private var places: [UInt64]

    init(
        _ statements: [AssemblyStatement], _ symbols: AssemblySymbols, _ encoder: InstructionEncoder,
        _ address: VirtualAddress
    ) throws(AssemblerError) {
        self.statements = statements
        self.symbols = symbols
        self.mode = encoder.mode
        start = address.rawValue
        places = [UInt64](repeating: start, count: statements.count + 1)
        for statement in statements { contents.append(try content(statement, encoder)) }
    }

    private func content(
        _ statement: AssemblyStatement, _ encoder: InstructionEncoder
    ) throws(AssemblerError) -> Content {
        switch statement.item {
        case .label, .numericLabel: return .nothing
        case .set(_, let expression):
            _ = try symbols.isFixed(expression)
            return .nothing
        case .bytes(let bytes): return .bytes(bytes)
        case .instruction(let instruction):
            switch try encoder.encode(instruction, symbols) {
            case .code(let code): return .code(code)
            case .branch(let short, let near): return .branch(short: short, near: near, isNear: short == nil)
            }
        case .data(let size, let values):
            for value in values { _ = try symbols.isFixed(value) }
            return .data(size: size, values)
        case .align(let expression, let isPower, let fill):
            let number = try number(expression, statement)
            let boundary = isPower ? (0...12).contains(number) ? 1 << number : 0 : max(number, number == 0 ? 1 : number)
            guard boundary > 0, boundary <= Self.boundaryMax, boundary & (boundary - 1) == 0 else {
                throw AssemblerError(
                    statement.place, statement.word, .outOfRange("a power of two up to \(Self.boundaryMax)"))
            }
            return .align(boundary: UInt64(boundary), fill: try byte(fill, statement) ?? 0x90)
        case .skip(let count, let fill):
            _ = try symbols.isFixed(count)
            return .skip(count, fill: try byte(fill, statement) ?? 0)
        }
    }

    private static let boundaryMax: Int64 = 4096

    private func number(
        _ expression: AssemblyExpression, _ statement: AssemblyStatement
    ) throws(AssemblerError) -> Int64 {
        guard try symbols.isFixed(expression) else {
            throw AssemblerError(statement.place, statement.word, .notANumber)
        }
        return try symbols.value(expression, []).number
    }

    private func byte(
        _ expression: AssemblyExpression?, _ statement: AssemblyStatement
    ) throws(AssemblerError) -> UInt8? {
        guard let expression else { return nil }
        return UInt8(truncatingIfNeeded: try number(expression, statement))
    }

    // MARK: Rounds

    mutating func settle() throws(AssemblerError) {
        for _ in 0..<Assembler.roundsMax {
            let before = places
            try place()
            let hasGrown = try grow()
            if !hasGrown, before == places { return }
        }
        throw AssemblerError(
            AssemblyPlace(line: 1, column: 1), "", .limit("the layout doesn't settle in \(Assembler.roundsMax) rounds"))
    }

    private mutating func place() throws(AssemblerError) {
        var address = start
        for (index, content) in contents.enumerated() {
            places[index] = address
            address &+= try size(content, index, address)
            guard address &- start <= UInt64(Assembler.bytesMax) else {
                throw AssemblerError(
                    statements[index].place, statements[index].word,
                    .limit("a text comes to at most \(Assembler.bytesMax) bytes"))
            }
        }
        places[contents.count] = address
    }

    private func size(_ content: Content, _ index: Int, _ address: UInt64) throws(AssemblerError) -> UInt64 {
        switch content {
        case .nothing: return 0
        case .bytes(let bytes): return UInt64(bytes.count)
        case .code(let code): return UInt64(code.bytes.count)
        case .branch(let short, let near, let isNear):
            return UInt64(((isNear ? near : short) ?? near ?? short)?.bytes.count ?? 0)
        case .data(let size, let values): return UInt64(size * values.count)
        case .align(let boundary, _): return (boundary - address & (boundary - 1)) & (boundary - 1)
        case .skip(let expression, _):
            let value = try symbols.value(expression, places)
            guard value.addresses == 0, value.number >= 0, value.number <= Assembler.bytesMax else {
                throw AssemblerError(
                    statements[index].place, statements[index].word,
                    .outOfRange("a number from 0 to \(Assembler.bytesMax)"))
            }
            return UInt64(value.number)
        }
    }

    /// Turns short branches that don't reach into near ones; true where there was one.
    private mutating func grow() throws(AssemblerError) -> Bool {
        var hasGrown = false
        for (index, content) in contents.enumerated() {
            guard case .branch(let short?, let near?, isNear: false) = content, let field = short.fields.first else {
                continue
            }
            let next = places[index] &+ UInt64(short.bytes.count)
            if Int8(exactly: distance(try symbols.value(field.expression, places).number, next)) == nil {
                contents[index] = .branch(short: short, near: near, isNear: true)
                hasGrown = true
            }
        }
        return hasGrown
    }

    private func distance(_ target: Int64, _ next: UInt64) -> Int64 {
        let distance = target &- Int64(bitPattern: next)
        return mode == .x86_64 ? distance : Int64(Int32(truncatingIfNeeded: distance))
    }

    // MARK: Bytes

    func bytes() throws(AssemblerError) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(places[contents.count] &- start))
        for (index, content) in contents.enumerated() {
            switch content {
            case .nothing: break
            case .bytes(let plain): bytes += plain
            case .code(let code): bytes += try filled(code, index)
            case .branch(let short, let near, let isNear):
                if let code = (isNear ? near : short) ?? near ?? short { bytes += try filled(code, index) }
            case .data(let size, let values):
                for expression in values { bytes += try data(expression, size, index) }
            case .align(_, let fill), .skip(_, let fill):
                bytes += [UInt8](repeating: fill, count: Int(places[index + 1] &- places[index]))
            }
        }
        return bytes
    }

    var labels: [String: VirtualAddress] {
        symbols.labels.mapValues { VirtualAddress(places[$0]) }
    }

    var lines: [AssembledLine] {
        statements.indices.compactMap { index in
            let count = Int(places[index + 1] &- places[index])
            guard count > 0 else { return nil }
            return AssembledLine(
                line: statements[index].place.line, address: VirtualAddress(places[index]), count: count)
        }
    }

    private func data(_ expression: AssemblyExpression, _ size: Int, _ index: Int) throws(AssemblerError) -> [UInt8] {
        let value = try symbols.value(expression, places)
        guard (0...1).contains(value.addresses) else {
            throw AssemblerError(statements[index].place, statements[index].word, .notANumber)
        }
        guard Self.fits(value.number, size: size, isSigned: nil) else {
            throw AssemblerError(
                statements[index].place, statements[index].word,
                .outOfRange("\(value.number) needs more than \(size) bytes"))
        }
        return (0..<size).map { UInt8(truncatingIfNeeded: value.number >> Int64($0 * 8)) }
    }

    /// Whether `number` fits `size` bytes: read with a sign, without one, or (nil) either way.
    private static func fits(_ number: Int64, size: Int, isSigned: Bool?) -> Bool {
        guard size < 8 else { return true }
        let bits = Int64(size * 8)
        let asSigned = number >= -(1 << (bits - 1)) && number < 1 << (bits - 1)
        let asUnsigned = number >= 0 && number < 1 << bits
        return isSigned == true ? asSigned : isSigned == false ? asUnsigned : asSigned || asUnsigned
    }

    private func filled(_ code: EncodedInstruction, _ index: Int) throws(AssemblerError) -> [UInt8] {
        var bytes = code.bytes
        let next = places[index] &+ UInt64(bytes.count)
        for field in code.fields {
            let value = try symbols.value(field.expression, places)
            guard (0...1).contains(value.addresses) else {
                throw AssemblerError(field.place, statements[index].word, .notANumber)
            }
            var number = value.number
            let isRelative = field.origin == .relative || field.origin == .relativeToAddress && value.addresses == 1
            if isRelative { number = distance(number, next) }
            guard Self.fits(number, size: field.size, isSigned: field.isSigned) else {
                let reach = isRelative ? "the target is out of reach" : "it needs more than \(field.size) bytes"
                throw AssemblerError(field.place, statements[index].word, .outOfRange(reach))
            }
            for byte in 0..<field.size {
                bytes[field.offset + byte] = UInt8(truncatingIfNeeded: number >> Int64(byte * 8))
            }
        }
        return bytes
    }
}
