/// Why a source text could not be assembled: the place, the word and, for a name, the nearest that exists.
public struct AssemblerError: Error, Hashable, Sendable {
    public enum Problem: Hashable, Sendable {
        /// A byte that begins no word, or a number or string that doesn't end as it should.
        case malformed(String)
        /// Something else was expected here.
        case expected(String)
        case noSuchMnemonic
        case noSuchRegister
        case noSuchDirective
        case noSuchSymbol
        case defined(inLine: Int)
        /// The mnemonic exists, but no encoding takes these operands in this mode.
        case noEncoding(operands: String)
        /// Several sizes fit; the suffixes that would decide.
        case ambiguousSize(String)
        case outOfRange(String)
        /// An address where only a number can stand, or the sum of two addresses.
        case notANumber
        case limit(String)
    }

    /// 1 is the first line.
    public let line: Int
    /// 1 is the first byte of the line.
    public let column: Int
    public let word: String
    public let problem: Problem
    /// The nearest existing name for a mistyped mnemonic, register, directive or symbol.
    public let nearest: String?

    init(_ place: AssemblyPlace, _ word: String, _ problem: Problem, nearest: String? = nil) {
        self.line = place.line
        self.column = place.column
        self.word = word
        self.problem = problem
        self.nearest = nearest
    }
}

extension AssemblerError: CustomStringConvertible {
    /// `line 3, column 5: no mnemonic "movv"; the nearest is "mov"`.
    public var description: String {
        let what =
            switch problem {
            case .malformed(let reason): "\"\(word)\": \(reason)"
            case .expected(let what): word.isEmpty ? "\(what) expected at the end" : "\(what) expected, not \"\(word)\""
            case .noSuchMnemonic: "no mnemonic \"\(word)\""
            case .noSuchRegister: "no register \"\(word)\" in this mode"
            case .noSuchDirective: "no directive \"\(word)\""
            case .noSuchSymbol: "no symbol \"\(word)\""
            case .defined(let line): "\"\(word)\" is already defined in line \(line)"
            case .noEncoding(let operands): "no encoding of \"\(word)\" takes \(operands)"
            case .ambiguousSize(let suffixes): "the size of \"\(word)\" is ambiguous: write \(suffixes)"
            case .outOfRange(let range): "\"\(word)\" is out of range: \(range)"
            case .notANumber: "\"\(word)\" needs a number that depends on no address"
            case .limit(let limit): "\"\(word)\": \(limit)"
            }
        return "line \(line), column \(column): \(what)" + (nearest.map { "; the nearest is \"\($0)\"" } ?? "")
    }
}

/// A place in a source text; both numbers start at 1.
struct AssemblyPlace: Hashable, Sendable {
    var line: Int
    var column: Int
}
