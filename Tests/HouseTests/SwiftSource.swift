/// Swift source with comments and the contents of strings blanked, so that braces and keywords can be counted.
struct SwiftSource {
    /// As long as the source, line for line.
    let code: [Character]

    private enum State {
        case code
        case lineComment
        case blockComment(depth: Int)
        /// A string literal; `quotes` is 1 or 3, `hashes` the raw string's.
        case string(quotes: Int, hashes: Int)
    }

    init(_ text: String) {
        let source = Array(text)
        var code: [Character] = []
        code.reserveCapacity(source.count)
        var state = State.code
        // Interpolations return to the string when their parenthesis closes.
        var interpolations: [(depth: Int, string: State)] = []
        var parentheses = 0
        var index = 0
        while index < source.count {
            let step = Self.step(source, index, &state, &interpolations, &parentheses)
            for offset in 0..<step.length {
                let character = source[index + offset]
                code.append(character == "\n" ? "\n" : step.isCode ? character : " ")
            }
            index += step.length
        }
        self.code = code
    }

    /// Reads one token's worth; whether it is code, and how long it is.
    private static func step(
        _ source: [Character], _ index: Int, _ state: inout State,
        _ interpolations: inout [(depth: Int, string: State)], _ parentheses: inout Int
    ) -> (length: Int, isCode: Bool) {
        func has(_ text: String, at start: Int) -> Bool {
            start + text.count <= source.count && source[start..<(start + text.count)].elementsEqual(text)
        }
        switch state {
        case .lineComment:
            if source[index] == "\n" { state = .code }
            return (1, false)
        case .blockComment(let depth):
            if has("*/", at: index) {
                state = depth == 1 ? .code : .blockComment(depth: depth - 1)
                return (2, false)
            }
            if has("/*", at: index) {
                state = .blockComment(depth: depth + 1)
                return (2, false)
            }
            return (1, false)
        case .string(let quotes, let hashes):
            let end = String(repeating: "\"", count: quotes) + String(repeating: "#", count: hashes)
            let escape = "\\" + String(repeating: "#", count: hashes)
            if has(end, at: index) {
                state = .code
                return (end.count, false)
            }
            if has(escape + "(", at: index) {
                interpolations.append((parentheses, state))
                parentheses += 1
                state = .code
                return (escape.count + 1, false)
            }
            return (has(escape, at: index) ? min(escape.count + 1, source.count - index) : 1, false)
        case .code:
            return codeStep(source, index, &state, &interpolations, &parentheses, has)
        }
    }

    private static func codeStep(
        _ source: [Character], _ index: Int, _ state: inout State,
        _ interpolations: inout [(depth: Int, string: State)], _ parentheses: inout Int,
        _ has: (String, Int) -> Bool
    ) -> (length: Int, isCode: Bool) {
        if has("//", index) {
            state = .lineComment
            return (2, false)
        }
        if has("/*", index) {
            state = .blockComment(depth: 1)
            return (2, false)
        }
        var hashes = 0
        while index + hashes < source.count, source[index + hashes] == "#" { hashes += 1 }
        if has("\"", index + hashes) {
            let quotes = has("\"\"\"", index + hashes) ? 3 : 1
            state = .string(quotes: quotes, hashes: hashes)
            return (hashes + quotes, false)
        }
        if source[index] == "(" { parentheses += 1 }
        if source[index] == ")" {
            parentheses -= 1
            if let last = interpolations.last, last.depth == parentheses {
                state = last.string
                interpolations.removeLast()
                return (1, false)
            }
        }
        return (1, true)
    }

    var lines: [String] {
        code.split(separator: "\n", omittingEmptySubsequences: false).map { String($0) }
    }

    /// The modules that the source imports.
    var imports: [String] {
        let kinds: Set<Substring> = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
        return lines.compactMap { line in
            var words = line.split(separator: " ")[...]
            guard let position = words.firstIndex(of: "import"), words[..<position].allSatisfy(Self.isModifier) else {
                return nil
            }
            words = words[(position + 1)...]
            if let kind = words.first, kinds.contains(kind) { words = words.dropFirst() }
            return words.first.map { String($0.split(separator: ".")[0]) }
        }
    }

    private static func isModifier(_ word: Substring) -> Bool {
        word.hasPrefix("@") || ["public", "package", "internal", "fileprivate", "private"].contains(word)
    }
}
