/// Reads tokens into a tree: the part that all of the grammar uses.
///
/// It goes on after an error at the next member of a design or scenario, so that one run shows all that is wrong.
struct Parser {
    /// Blocks and parentheses nested deeper than this are refused, so that no text exhausts the stack.
    static let depthMax = 64
    /// More errors than this in one file are not reported.
    static let errorsMax = 20

    let source: SourceText
    let tokens: [Token]
    private(set) var position = 0
    private(set) var diagnostics: [PokeDiagnostic] = []
    var depth = 0

    init(source: SourceText, tokens: [Token]) {
        self.source = source
        self.tokens = tokens
    }

    // MARK: Tokens

    var token: Token { tokens[position] }

    func token(at distance: Int) -> Token {
        tokens[min(position + distance, tokens.count - 1)]
    }

    var isAtEnd: Bool { token.kind == .end }

    /// Where the token before this one ended.
    var lastEnd: Int { position > 0 ? tokens[position - 1].range.upperBound : 0 }

    mutating func advance() {
        if !isAtEnd { position += 1 }
    }

    func isWord(_ word: String) -> Bool { token.kind == .word(word) }

    func isSign(_ sign: Sign) -> Bool { token.kind == .sign(sign) }

    mutating func takeWord(_ word: String) -> Bool {
        guard isWord(word) else { return false }
        advance()
        return true
    }

    mutating func take(_ sign: Sign) -> Bool {
        guard isSign(sign) else { return false }
        advance()
        return true
    }

    mutating func expect(_ sign: Sign, _ place: String) throws(PokeDiagnostic) {
        guard take(sign) else { throw expected("\"\(sign.rawValue)\"", place) }
    }

    mutating func expectWord(_ word: String, _ place: String) throws(PokeDiagnostic) {
        guard takeWord(word) else { throw expected("\"\(word)\"", place, words: [word]) }
    }

    mutating func name(_ what: String) throws(PokeDiagnostic) -> Name {
        guard case .word(let text) = token.kind else { throw expected(what, "") }
        let name = Name(text: text, range: token.range)
        advance()
        return name
    }

    mutating func string(_ what: String) throws(PokeDiagnostic) -> String {
        guard case .string(let text) = token.kind else { throw expected("\(what) in quotes", "") }
        advance()
        return text
    }

    mutating func number(_ what: String) throws(PokeDiagnostic) -> Int {
        guard case .number(let number) = token.kind else { throw expected(what, "") }
        advance()
        return number
    }

    /// A range from `start` to the end of what was read.
    func range(from start: Int) -> Range<Int> { start..<max(lastEnd, start) }

    // MARK: Errors

    /// An error at the token in hand.
    func expected(_ what: String, _ place: String, words: [String] = []) -> PokeDiagnostic {
        let behind = place.isEmpty ? "" : " \(place)"
        var suggestion: String?
        if case .word(let found) = token.kind, let near = NearestWord.of(found, in: words) {
            suggestion = "did you mean \"\(near)\"?"
        }
        return PokeDiagnostic(
            .error, source, token.range, "expected \(what)\(behind), found \(token.kind.description)",
            suggestion: suggestion)
    }

    /// An error at a word that is none of those possible here.
    func unknown(_ what: String, _ words: [String]) -> PokeDiagnostic {
        guard case .word(let found) = token.kind else { return expected(what, "", words: words) }
        let near = NearestWord.of(found, in: words).map { "did you mean \"\($0)\"?" }
        return PokeDiagnostic(
            .error, source, token.range, "\"\(found)\" is no \(what)",
            suggestion: near ?? "possible here: \(words.joined(separator: ", "))")
    }

    mutating func report(_ diagnostic: PokeDiagnostic) {
        if diagnostics.count < Self.errorsMax { diagnostics.append(diagnostic) }
    }

    /// Skips to the end of the braces that surround the place of an error.
    mutating func skip(toBraceDepth wanted: Int, from current: Int) {
        var depth = current
        while !isAtEnd {
            if isSign(.leftBrace) { depth += 1 }
            if isSign(.rightBrace) {
                depth -= 1
                if depth < wanted { return }
            }
            advance()
        }
    }

    mutating func nested<Result>(
        _ body: (inout Parser) throws(PokeDiagnostic) -> Result
    ) throws(PokeDiagnostic) -> Result {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthMax else {
            throw PokeDiagnostic(
                .error, source, token.range, "blocks and parentheses are nested more than \(Self.depthMax) deep")
        }
        return try body(&self)
    }
}

/// The right spelling of a misspelt word.
enum NearestWord {
    /// The word with the fewest edits; nil where none is near.
    static func of(_ word: String, in words: some Sequence<String>) -> String? {
        let limit = max(1, min(3, word.count / 2))
        var best: (word: String, distance: Int)?
        for candidate in words {
            let distance = distance(Array(word.lowercased()), Array(candidate.lowercased()))
            if distance <= limit, distance < best?.distance ?? .max { best = (candidate, distance) }
        }
        return best?.word
    }

    /// Insertions, deletions, replacements and exchanges of neighbours.
    static func distance(_ left: [Character], _ right: [Character]) -> Int {
        var beforeLast = [Int](repeating: 0, count: right.count + 1)
        var last = Array(0...right.count)
        for (row, character) in left.enumerated() {
            var current = [row + 1] + [Int](repeating: 0, count: right.count)
            for (column, other) in right.enumerated() {
                var best = min(last[column] + (character == other ? 0 : 1), last[column + 1] + 1, current[column] + 1)
                if row > 0, column > 0, character == right[column - 1], left[row - 1] == other {
                    best = min(best, beforeLast[column - 1] + 1)
                }
                current[column + 1] = best
            }
            (beforeLast, last) = (last, current)
        }
        return last[right.count]
    }
}
