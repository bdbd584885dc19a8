/// struct ftrace_glob: one pattern of a filter file, as filter_parse_regex() takes it apart and ftrace_match() applies it.
public struct FtraceGlob: Sendable, Hashable {
    /// MATCH_*
    public enum Kind: Sendable, Hashable {
        /// MATCH_FULL: `x`
        case full
        /// MATCH_FRONT_ONLY: `x*`
        case front
        /// MATCH_MIDDLE_ONLY: `*x*`
        case middle
        /// MATCH_END_ONLY: `*x`
        case end
        /// MATCH_GLOB: everything else with `*`, `?`, `[` or a backslash.
        case glob
        /// MATCH_INDEX: a leading digit; a line number of available_filter_functions, from 1.
        case index
    }

    public let kind: Kind
    /// The pattern without the `*` that its kind stands for, and without the leading `!`.
    public let search: [UInt8]
    /// A leading `!`: what matches is taken out.
    public let isNegated: Bool

    /// filter_parse_regex()
    public init(_ pattern: some Collection<UInt8>) {
        var text = Array(pattern)
        isNegated = text.first == UInt8(ascii: "!")
        if isNegated { text.removeFirst() }
        if let first = text.first, first >= UInt8(ascii: "0"), first <= UInt8(ascii: "9") {
            kind = .index
            search = text
            return
        }
        var kind = Kind.full
        scan: for (index, byte) in text.enumerated() {
            switch byte {
            case UInt8(ascii: "*") where index == 0:
                kind = .end
            case UInt8(ascii: "*") where index == text.count - 1:
                kind = kind == .end ? .middle : .front
                text.removeLast()
                break scan
            case UInt8(ascii: "*"), UInt8(ascii: "?"), UInt8(ascii: "["), UInt8(ascii: "\\"):
                self.kind = .glob
                search = text
                return
            default:
                break
            }
        }
        if text.first == UInt8(ascii: "*") { text.removeFirst() }
        self.kind = kind
        search = text
    }

    public init(_ pattern: String) {
        self.init(Array(pattern.utf8))
    }

    /// ftrace_match(). A pattern of the kind `index` matches no name.
    public func matches(_ name: ArraySlice<UInt8>) -> Bool {
        switch kind {
        case .full: name.elementsEqual(search)
        case .front: name.starts(with: search)
        case .end: name.count >= search.count && name.suffix(search.count).elementsEqual(search)
        case .middle: Self.contains(name, search)
        case .glob: Self.glob(search, name)
        case .index: false
        }
    }

    public func matches(_ name: String) -> Bool {
        matches(Array(name.utf8)[...])
    }

    /// The number of a pattern of the kind `index`, as kstrtol() with base 0 reads it; nil when it isn't one or below 1.
    public var lineNumber: Int? {
        guard kind == .index else { return nil }
        let text = String(decoding: search, as: UTF8.self)
        let number: Int? =
            if text.hasPrefix("0x") || text.hasPrefix("0X") {
                Int(text.dropFirst(2), radix: 16)
            } else if text.count > 1, text.hasPrefix("0") {
                Int(text.dropFirst(), radix: 8)
            } else {
                Int(text)
            }
        guard let number, number > 0 else { return nil }
        return number
    }

    /// strstr()
    private static func contains(_ name: ArraySlice<UInt8>, _ search: [UInt8]) -> Bool {
        guard let first = search.first else { return true }
        guard name.count >= search.count else { return false }
        for start in name.startIndex...(name.endIndex - search.count)
        where name[start] == first && name[start..<start + search.count].elementsEqual(search) {
            return true
        }
        return false
    }

    /// glob_match(): `*`, `?`, `[a-z]`, `[!a-z]` and backslash; a bracket that isn't closed stands for itself. One place to
    /// come back to is enough, since a later `*` can absorb whatever an earlier one could.
    private static func glob(_ pattern: [UInt8], _ name: ArraySlice<UInt8>) -> Bool {
        var p = 0
        var n = name.startIndex
        var star: (pattern: Int, name: Int)?
        while true {
            if p < pattern.count, pattern[p] == UInt8(ascii: "*") {
                p += 1
                if p == pattern.count { return true }
                star = (p, n)
                continue
            }
            if n == name.endIndex, p == pattern.count { return true }
            if n < name.endIndex, p < pattern.count, let next = step(pattern, p, name[n]) {
                p = next
                n += 1
                continue
            }
            guard let (starPattern, starName) = star, starName < name.endIndex else { return false }
            star = (starPattern, starName + 1)
            p = starPattern
            n = starName + 1
        }
    }

    /// Matches one byte against the element at `p`; the place behind the element, or nil.
    private static func step(_ pattern: [UInt8], _ p: Int, _ byte: UInt8) -> Int? {
        switch pattern[p] {
        case UInt8(ascii: "?"):
            return p + 1
        case UInt8(ascii: "["):
            if let (matches, end) = bracket(pattern, p + 1, byte) { return matches ? end : nil }
            return byte == UInt8(ascii: "[") ? p + 1 : nil
        case UInt8(ascii: "\\"):
            guard p + 1 < pattern.count else { return nil }
            return pattern[p + 1] == byte ? p + 2 : nil
        default:
            return pattern[p] == byte ? p + 1 : nil
        }
    }

    /// The class that starts at `start`, or nil when it isn't closed. Its first member may be `]`.
    private static func bracket(_ pattern: [UInt8], _ start: Int, _ byte: UInt8) -> (matches: Bool, end: Int)? {
        var p = start
        let isInverted = p < pattern.count && pattern[p] == UInt8(ascii: "!")
        if isInverted { p += 1 }
        var found = false
        repeat {
            guard p < pattern.count else { return nil }
            let low = pattern[p]
            var high = low
            p += 1
            if p + 1 < pattern.count, pattern[p] == UInt8(ascii: "-"), pattern[p + 1] != UInt8(ascii: "]") {
                high = pattern[p + 1]
                p += 2
            }
            if low <= byte && byte <= high { found = true }
            guard p < pattern.count else { return nil }
        } while pattern[p] != UInt8(ascii: "]")
        return (found != isInverted, p + 1)
    }
}
