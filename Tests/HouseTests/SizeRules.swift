/// Files have at most 500 lines, functions at most 60.
enum SizeRules {
    static let fileLinesMax = 500
    static let functionLinesMax = 60
    /// Stands in the comment right above a function that is one switch.
    static let exemption = "// exempt: one switch"

    static func violations(in file: RepositoryFile) -> [String] {
        var found: [String] = []
        let lines = file.lines
        let count = file.text.hasSuffix("\n") ? lines.count - 1 : lines.count
        if count > fileLinesMax { found.append("\(file.path): \(count) lines, at most \(fileLinesMax)") }
        for function in functions(in: SwiftSource(file.text)) where function.lineCount > functionLinesMax {
            if isExempt(function, lines) {
                if function.switches == 1 { continue }
                found.append("\(file.path):\(function.line): \(function.name) is exempt, but isn't one switch")
            } else {
                found.append(
                    "\(file.path):\(function.line): \(function.name) has \(function.lineCount) lines, at most \(functionLinesMax)"
                )
            }
        }
        return found
    }

    struct Function {
        let name: String
        /// Counted from 1.
        let line: Int
        let lineCount: Int
        let switches: Int
    }

    private static func isExempt(_ function: Function, _ lines: [Substring]) -> Bool {
        // Attributes and the rest of the comment may stand between.
        var index = function.line - 2
        while index >= 0 {
            let text = lines[index].drop { $0 == " " }
            if text.hasPrefix(exemption) { return true }
            guard text.hasPrefix("//") || text.hasPrefix("@") else { return false }
            index -= 1
        }
        return false
    }

    /// Every func, init, deinit and subscript with a body.
    static func functions(in source: SwiftSource) -> [Function] {
        var found: [Function] = []
        let lines = source.lines
        for (index, line) in lines.enumerated() {
            guard let name = declaredName(line) else { continue }
            guard let end = endOfBody(lines, from: index) else { continue }
            let switches = lines[index...end].reduce(0) { $0 + words($1).filter { $0 == "switch" }.count }
            found.append(Function(name: name, line: index + 1, lineCount: end - index + 1, switches: switches))
        }
        return found
    }

    private static func words(_ line: String) -> [Substring] {
        line.split { !($0.isLetter || $0.isNumber || $0 == "_" || $0 == ".") }
    }

    private static let modifiers: Set<Substring> = [
        "public", "package", "internal", "fileprivate", "private", "static", "class", "final", "override", "mutating",
        "nonmutating", "nonisolated", "isolated", "required", "convenience", "indirect", "borrowing", "consuming",
        "unsafe",
    ]

    private static func declaredName(_ line: String) -> String? {
        let text = line.drop { $0 == " " }
        for (position, word) in words(line).enumerated() {
            switch word {
            case "func":
                return words(line).dropFirst(position + 1).first.map(String.init) ?? "func"
            case "init", "deinit", "subscript":
                // A call of init has something in front of it that isn't a modifier.
                return text.hasPrefix("self") || text.hasPrefix("super") ? nil : String(word)
            default:
                guard modifiers.contains(word) || line.contains("@\(word)") else { return nil }
            }
        }
        return nil
    }

    /// The line where the body's brace closes; nil for a declaration without a body.
    private static func endOfBody(_ lines: [String], from start: Int) -> Int? {
        var parentheses = 0
        var braces = 0
        for index in start..<lines.count {
            if index > start, braces == 0, parentheses == 0, declaredName(lines[index]) != nil { return nil }
            for character in lines[index] {
                switch character {
                case "(", "[": parentheses += 1
                case ")", "]": parentheses -= 1
                case "{" where parentheses == 0 || braces > 0: braces += 1
                case "}" where braces > 0:
                    braces -= 1
                    if braces == 0 { return index }
                case "}" where parentheses == 0: return nil
                default: break
                }
            }
        }
        return nil
    }
}
