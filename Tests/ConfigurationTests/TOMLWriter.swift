@testable import Configuration

/// Makes up trees and writes them in one of the many ways that TOML has, so that reading them back is a check.
struct TOMLWriter {
    var generator: FuzzGenerator

    // MARK: Trees

    mutating func table(depth: Int) -> TOMLTable {
        var table = TOMLTable()
        for _ in 0..<generator.below(5) {
            let key = key()
            guard table[key] == nil else { continue }
            table.entries.append(
                TOMLTable.Entry(key: key, position: SourcePosition(line: 0, column: 0), value: value(depth: depth)))
        }
        return table
    }

    private mutating func key() -> String {
        switch generator.below(6) {
        case 0, 1:
            let known = ConfigurationKey.all.map(\.name) + ["entry", "function", "weight", "served"]
            return known[generator.below(known.count)].split(separator: ".").randomElement(using: &generator).map(
                String.init) ?? "a"
        case 2: return text()
        default: return ["a", "b", "c", "key-1", "K_2", "7"][generator.below(6)]
        }
    }

    private mutating func text() -> String {
        let pieces = [
            "", "a", "builtin", "auto", " ", "ä", "😀", "\n", "\t", "\"", "'", "\\", "\u{1}", "\u{7f}", "#", "=", "]",
            "''", "\"\"",
        ]
        return (0..<generator.below(5)).map { _ in pieces[generator.below(pieces.count)] }.joined()
    }

    private mutating func value(depth: Int) -> TOMLValue {
        switch generator.below(depth > 0 ? 9 : 6) {
        case 0: return .integer(Int(truncatingIfNeeded: generator.next()))
        case 1: return .integer(generator.below(100) - 10)
        case 2: return .boolean(generator.chance(oneIn: 2))
        case 3: return .float([0.0, -0.0, 1.5, 1e300, -2.5e-7, .infinity, 123456.789][generator.below(7)])
        case 4, 5: return .string(text())
        case 6:
            return .array(
                (0..<generator.below(4)).map { _ in
                    TOMLItem(value: value(depth: depth - 1), position: SourcePosition(line: 0, column: 0))
                })
        case 7:
            // What may be written as [[name]].
            return .array(
                (0..<(generator.below(3) + 1)).map { _ in
                    TOMLItem(value: .table(table(depth: depth - 1)), position: SourcePosition(line: 0, column: 0))
                })
        default: return .table(table(depth: depth - 1))
        }
    }

    // MARK: Texts

    /// A file that says `table`.
    mutating func text(of table: TOMLTable) -> String {
        section(table, path: [])
    }

    /// Keys first, then subtables behind headers: what stands behind a header belongs to it.
    private mutating func section(_ table: TOMLTable, path: [String]) -> String {
        var own = ""
        var below = ""
        for entry in table.entries {
            let inner = path + [entry.key]
            switch entry.value {
            case .table(let table) where generator.chance(oneIn: 2):
                below += blank() + "[" + path2(inner) + "]" + end() + section(table, path: inner)
            case .array(let items) where !items.isEmpty && items.allSatisfy(isTable) && generator.chance(oneIn: 2):
                for case .table(let table) in items.map(\.value) {
                    below += "[[" + path2(inner) + "]]" + end() + section(table, path: inner)
                }
            case .table(let table) where !table.entries.isEmpty && generator.chance(oneIn: 2):
                for member in table.entries {
                    own +=
                        blank() + path2([entry.key, member.key]) + blank() + "=" + blank() + written(member.value)
                        + end()
                }
            default: own += blank() + written(entry.key) + blank() + "=" + blank() + written(entry.value) + end()
            }
            if generator.chance(oneIn: 6) { own += "# comment \u{e4}" + end(bare: true) }
        }
        return own + below
    }

    private func isTable(_ item: TOMLItem) -> Bool {
        if case .table = item.value { true } else { false }
    }

    private mutating func blank() -> String {
        ["", "", " ", "\t "][generator.below(4)]
    }

    private mutating func end(bare: Bool = false) -> String {
        (!bare && generator.chance(oneIn: 5) ? " # why\t'\"" : "") + (generator.chance(oneIn: 5) ? "\r\n" : "\n")
    }

    private mutating func path2(_ path: [String]) -> String {
        var parts: [String] = []
        for key in path { parts.append(blank() + written(key) + blank()) }
        return parts.joined(separator: ".")
    }

    private mutating func written(_ key: String) -> String {
        if !key.isEmpty, key.utf8.allSatisfy(TOMLParser.isBare), !generator.chance(oneIn: 4) { return key }
        return string(key, mayBeLong: false)
    }

    private mutating func string(_ text: String, mayBeLong: Bool) -> String {
        let hasControl = text.unicodeScalars.contains { ($0.value < 0x20 && $0 != "\t") || $0.value == 0x7f }
        switch generator.below(4) {
        case 0 where !hasControl && !text.contains("'"): return "'\(text)'"
        case 1
        where mayBeLong && !text.contains("'") && text.unicodeScalars.allSatisfy({ $0.value >= 0x20 || $0 == "\n" })
            && !text.contains("\u{7f}"):
            return "'''\n\(text)'''"
        case 2 where mayBeLong:
            return "\"\"\"" + (generator.chance(oneIn: 2) ? "\n" : "\\\n  ") + escaped(text) + "\"\"\""
        default: return "\"\(escaped(text))\""
        }
    }

    private mutating func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            let digits = String(scalar.value, radix: 16)
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case _ where scalar.value < 0x20 || scalar.value == 0x7f || generator.chance(oneIn: 8):
                result += "\\U" + String(repeating: "0", count: 8 - digits.count) + digits
            // A blank at the beginning would be taken by the backslash of a long string.
            case " ": result += "\\u0020"
            case "\t": result += "\\t"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private mutating func written(_ value: TOMLValue) -> String {
        switch value {
        case .string(let text): return string(text, mayBeLong: true)
        case .integer(let number): return integer(number)
        case .float(let number): return float(number)
        case .boolean(let isTrue): return isTrue ? "true" : "false"
        case .dateTime(let text): return text
        case .array(let items):
            var text = "["
            for (index, item) in items.enumerated() {
                text += lines() + written(item.value) + lines()
                if index < items.count - 1 || generator.chance(oneIn: 3) { text += "," }
            }
            return text + lines() + "]"
        case .table(let table):
            var members: [String] = []
            for entry in table.entries {
                members.append(blank() + written(entry.key) + blank() + "=" + written(entry.value) + blank())
            }
            return "{" + blank() + members.joined(separator: ",") + "}"
        }
    }

    private mutating func lines() -> String {
        generator.chance(oneIn: 5) ? " # in a list\n\t" : blank()
    }

    private mutating func integer(_ number: Int) -> String {
        if number >= 0 {
            switch generator.below(6) {
            case 0: return "0x" + String(number, radix: 16, uppercase: generator.chance(oneIn: 2))
            case 1: return "0o" + String(number, radix: 8)
            case 2: return "0b" + String(number, radix: 2)
            case 3: return "+\(number)"
            default: break
            }
        }
        let digits = String(number)
        return number > 999 && generator.chance(oneIn: 2) ? digits.prefix(1) + "_" + digits.dropFirst() : digits
    }

    private func float(_ number: Double) -> String {
        number.isInfinite ? (number < 0 ? "-inf" : "inf") : "\(number)"
    }
}

/// What Tests/peers/toml.py makes of a tree.
func canonical(_ value: TOMLValue) -> String {
    func hex(_ text: String) -> String {
        text.utf8.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
    switch value {
    case .string(let text): return "s" + hex(text)
    case .integer(let number): return "i\(number)"
    case .float(let number):
        let digits = String(number.bitPattern, radix: 16)
        return number.isNaN ? "fnan" : "f" + String(repeating: "0", count: 16 - digits.count) + digits
    case .boolean(let isTrue): return isTrue ? "b1" : "b0"
    case .dateTime: return "d"
    case .array(let items): return "[" + items.map { canonical($0.value) }.joined(separator: ",") + "]"
    case .table(let table):
        let members = table.entries.map { (hex($0.key), canonical($0.value)) }.sorted { $0.0 < $1.0 }
        return "{" + members.map { "\($0.0)=\($0.1)" }.joined(separator: ",") + "}"
    }
}
