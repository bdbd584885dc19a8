internal import TOMLKit

/// A table of a TOML file that is read key by key, with errors that say where.
struct ConfigurationTable {
    private let table: TOMLTable
    private let source: Source
    /// Names of the tables around, `interrupts`, `entry[2]`.
    private let path: [String]

    private struct Source {
        let file: String
        let text: String
    }

    init(parsing text: String, file: String) throws(ConfigurationError) {
        source = Source(file: file, text: text)
        path = []
        do {
            table = try TOMLTable(string: text)
        } catch let error as TOMLParseError {
            throw ConfigurationError(file: file, line: error.source.begin.line, key: nil, message: error.description)
        } catch {
            throw ConfigurationError(file: file, line: nil, key: nil, message: "\(error)")
        }
    }

    private init(_ table: TOMLTable, _ source: Source, _ path: [String]) {
        self.table = table
        self.source = source
        self.path = path
    }

    /// Throws for the first key that is not one of `keys`, with the one that comes nearest.
    func allowOnly(_ keys: [String]) throws(ConfigurationError) {
        for key in table.keys where !keys.contains(key) {
            let near = nearest(to: key, in: keys, countMax: 1).first
            let hint = near.map { "did you mean \($0)?" } ?? "keys here are \(keys.joined(separator: ", "))"
            throw error(key, "is no key of this file; \(hint)")
        }
    }

    func integer(_ key: String, in range: ClosedRange<Int>) throws(ConfigurationError) -> Int? {
        guard let value = table[key] else { return nil }
        guard let number = value.int else { throw wrongType(key, "a whole number", value) }
        guard range.contains(number) else {
            throw error(key, "\(number) is not in \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    func number(_ key: String, in range: ClosedRange<Double>) throws(ConfigurationError) -> Double? {
        guard let value = table[key] else { return nil }
        guard let number = value.double ?? value.int.map(Double.init) else { throw wrongType(key, "a number", value) }
        guard range.contains(number) else {
            throw error(key, "\(number) is not in \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    func string(_ key: String) throws(ConfigurationError) -> String? {
        guard let value = table[key] else { return nil }
        guard let string = value.string else { throw wrongType(key, "a string", value) }
        guard !string.isEmpty else { throw error(key, "is empty") }
        return string
    }

    func strings(_ key: String, countMax: Int) throws(ConfigurationError) -> [String]? {
        guard let value = table[key] else { return nil }
        guard let array = value.array else { throw wrongType(key, "a list of strings", value) }
        guard array.count <= countMax else { throw error(key, "has \(array.count) entries; \(countMax) are allowed") }
        var strings: [String] = []
        for index in 0..<array.count {
            guard let string = array[index].string, !string.isEmpty else {
                throw error(key, "entry \(index + 1) is not a name")
            }
            strings.append(string)
        }
        return strings
    }

    func table(_ key: String) throws(ConfigurationError) -> ConfigurationTable? {
        guard let value = table[key] else { return nil }
        guard let inner = value.table else { throw wrongType(key, "a table, [\(key)]", value) }
        return ConfigurationTable(inner, source, path + [key])
    }

    /// `[[key]]`, in order; empty if there is none.
    func tables(_ key: String, countMax: Int) throws(ConfigurationError) -> [ConfigurationTable] {
        guard let value = table[key] else { return [] }
        guard let array = value.array else { throw wrongType(key, "a list of tables, [[\(key)]]", value) }
        guard array.count <= countMax else { throw error(key, "stands \(array.count) times; \(countMax) are allowed") }
        var tables: [ConfigurationTable] = []
        for index in 0..<array.count {
            guard let inner = array[index].table else { throw error(key, "is not a list of tables, [[\(key)]]") }
            tables.append(ConfigurationTable(inner, source, path + ["\(key)[\(index + 1)]"]))
        }
        return tables
    }

    func error(_ key: String?, _ message: String) -> ConfigurationError {
        let names = path + (key.map { [$0] } ?? [])
        return ConfigurationError(
            file: source.file, line: names.isEmpty ? nil : line(of: key),
            key: names.isEmpty ? nil : names.joined(separator: "."), message: message)
    }

    private func wrongType(_ key: String, _ wanted: String, _ value: any TOMLValueConvertible) -> ConfigurationError {
        error(key, "must be \(wanted), not a \(value.type.rawValue)")
    }

    /// The line of a key. The TOML library keeps no positions once parsed, so the text is searched: the header of the
    /// table (the n-th of a list of tables), then the key before the next header.
    private func line(of key: String?) -> Int? {
        var header: String?
        var headersSeen = 0
        var wanted = 1
        if let last = path.last {
            let parts = last.split(separator: "[")
            header = String(parts[0])
            if parts.count > 1 { wanted = Int(parts[1].dropLast()) ?? 1 }
        }
        var inTable = header == nil
        var headerLine: Int?
        for (index, line) in source.text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let text = line.drop { $0 == " " || $0 == "\t" }
            if text.hasPrefix("[") {
                let name = text.drop { $0 == "[" || $0 == " " }.prefix { $0 != "]" && $0 != " " }
                if let header, name == header { headersSeen += 1 }
                inTable = header != nil && name == header! && headersSeen == wanted
                if inTable { headerLine = index + 1 }
                if header == nil, let key, name == key { return index + 1 }
            } else if inTable, let key, text.hasPrefix(key) {
                let rest = text.dropFirst(key.count).drop { $0 == " " || $0 == "\t" }
                if rest.hasPrefix("=") { return index + 1 }
            }
        }
        return headerLine
    }
}
