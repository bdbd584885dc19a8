internal import Spelling

/// The values that a key can have.
public enum AllowedValues: Sendable, Hashable {
    case integer(ClosedRange<Int>)
    /// A number, or the word that stands for the daemon's own choice.
    case integerOrWord(ClosedRange<Int>, word: String)
    case word([String])
    /// One of the words, or a path.
    case wordOrPath([String])
    /// Any of the words.
    case words([String])
    case name(bytesMax: Int)
    case names(countMax: Int, bytesMax: Int)

    /// Why a value is not allowed.
    struct Refusal: Error {
        let message: String

        init(_ message: String) {
            self.message = message
        }
    }

    /// A path, as Linux's PATH_MAX.
    public static let pathBytesMax = 4096

    /// For messages: `must be ...`.
    public var description: String {
        switch self {
        case .integer(let range): "a whole number, \(range.lowerBound) to \(range.upperBound)"
        case .integerOrWord(let range, let word):
            "a whole number, \(range.lowerBound) to \(range.upperBound), or \"\(word)\""
        case .word(let words): "one of " + Self.listed(words)
        case .wordOrPath(let words): Self.listed(words) + " or a path"
        case .words(let words): "a list of " + Self.listed(words)
        case .name(let bytesMax): "a name of 1 to \(bytesMax) bytes"
        case .names(let countMax, _): "a list of at most \(countMax) names"
        }
    }

    private static func listed(_ words: [String]) -> String {
        words.map { "\"\($0)\"" }.joined(separator: ", ")
    }

    // MARK: From a file

    func value(_ toml: TOMLValue) throws(Refusal) -> ConfigurationValue {
        switch (self, toml) {
        case (.integer, .integer(let number)), (.integerOrWord, .integer(let number)):
            try checked(.integer(number))
        case (.integerOrWord, .string(let word)), (.word, .string(let word)), (.wordOrPath, .string(let word)),
            (.name, .string(let word)):
            try checked(.word(word))
        case (.words, .array(let items)), (.names, .array(let items)): try checked(.list(try Self.strings(items)))
        default: throw Refusal("must be \(description), not \(toml.kind)")
        }
    }

    private static func strings(_ items: [TOMLItem]) throws(Refusal) -> [String] {
        var strings: [String] = []
        for (index, item) in items.enumerated() {
            guard case .string(let string) = item.value else {
                throw Refusal("entry \(index + 1) must be a string, not \(item.value.kind)")
            }
            strings.append(string)
        }
        return strings
    }

    // MARK: From a word of the command line or a variable

    /// A list's entries are parted by commas. `isRelative`: a path may begin where the asker is.
    func value(text: String, isRelative: Bool) throws(Refusal) -> ConfigurationValue {
        switch self {
        case .integer:
            guard let number = Int(text) else { throw Refusal("must be \(description)") }
            return try checked(.integer(number))
        case .integerOrWord(_, let word):
            if text == word { return .word(word) }
            guard let number = Int(text) else { throw Refusal("must be \(description)") }
            return try checked(.integer(number))
        case .word, .wordOrPath, .name: return try checked(.word(text), isRelative: isRelative)
        case .words, .names: return try checked(.list(text.split(separator: ",").map(String.init)))
        }
    }

    // MARK: Checks

    private func checked(_ value: ConfigurationValue, isRelative: Bool = false) throws(Refusal) -> ConfigurationValue {
        switch (self, value) {
        case (.integer(let range), .integer(let number)), (.integerOrWord(let range, _), .integer(let number)):
            guard range.contains(number) else {
                throw Refusal("\(number) is not in \(range.lowerBound) to \(range.upperBound)")
            }
        case (.integerOrWord(_, let wanted), .word(let word)): try Self.check(word, [wanted])
        case (.word(let words), .word(let word)): try Self.check(word, words)
        case (.wordOrPath(let words), .word(let word)):
            if !words.contains(word) { try Self.checkPath(word, words, isRelative: isRelative) }
        case (.words(let words), .list(let list)):
            for word in list { try Self.check(word, words) }
            try Self.checkRepeats(list)
        case (.name(let bytesMax), .word(let name)): try Self.checkName(name, bytesMax)
        case (.names(let countMax, let bytesMax), .list(let list)):
            guard list.count <= countMax else { throw Refusal("has \(list.count) entries; \(countMax) are allowed") }
            for name in list { try Self.checkName(name, bytesMax) }
            try Self.checkRepeats(list)
        default: throw Refusal("must be \(description)")
        }
        return value
    }

    private static func check(_ word: String, _ words: [String]) throws(Refusal) {
        guard !words.contains(word) else { return }
        let near = nearest(to: word, in: words, countMax: 1).first.map { "; did you mean \"\($0)\"?" } ?? ""
        throw Refusal("\(shown(word)) is not one of \(words.joined(separator: ", "))\(near)")
    }

    private static func checkName(_ name: String, _ bytesMax: Int) throws(Refusal) {
        guard !name.isEmpty, name.utf8.count <= bytesMax, !name.utf8.contains(0) else {
            throw Refusal("\(shown(name)) is no name; it has 1 to \(bytesMax) bytes")
        }
    }

    private static func checkRepeats(_ list: [String]) throws(Refusal) {
        var seen: Set<String> = []
        for word in list where !seen.insert(word).inserted { throw Refusal("\(shown(word)) stands there twice") }
    }

    private static func checkPath(_ path: String, _ words: [String], isRelative: Bool) throws(Refusal) {
        guard !path.isEmpty else { throw Refusal("is empty; it is \(listed(words)) or a path") }
        guard path.utf8.count <= pathBytesMax else { throw Refusal("a path has at most \(pathBytesMax) bytes") }
        guard !path.utf8.contains(0) else { throw Refusal("a path holds no NUL") }
        if !path.hasPrefix("/"), !isRelative {
            let near = nearest(to: path, in: words, countMax: 1).first.map { "; did you mean \"\($0)\"?" } ?? ""
            throw Refusal("\(shown(path)) is neither \(listed(words)) nor a path from /\(near)")
        }
    }

    /// Characters of a wrong value that a message shows.
    private static let shownMax = 80

    private static func shown(_ text: String) -> String {
        ConfigurationValue.quoted(text.count > shownMax ? text.prefix(shownMax) + "..." : text)
    }
}
