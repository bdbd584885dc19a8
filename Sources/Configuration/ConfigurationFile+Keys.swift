internal import Spelling

/// A value and who said so.
struct FoundValue {
    let value: ConfigurationValue
    let origin: ConfigurationOrigin
}

extension ConfigurationFile {
    /// The keys of patchsimd.toml that the file sets; what is wrong with the others goes to `problems`.
    func values(_ problems: inout [ConfigurationProblem]) -> [String: FoundValue] {
        var found: [String: FoundValue] = [:]
        collect(table, tableName: nil, &found, &problems)
        return found
    }

    private func collect(
        _ table: TOMLTable, tableName: String?, _ found: inout [String: FoundValue],
        _ problems: inout [ConfigurationProblem]
    ) {
        for entry in table.entries {
            let name = tableName.map { "\($0).\(entry.key)" } ?? entry.key
            func refuse(_ message: String) {
                problems.append(ConfigurationProblem(.content, path, at: entry.position, key: name, message))
            }
            if let key = ConfigurationKey.named(name) {
                do throws(AllowedValues.Refusal) {
                    let origin = ConfigurationOrigin.file(path, line: entry.position.line)
                    found[name] = FoundValue(value: try key.allowed.value(entry.value), origin: origin)
                } catch {
                    refuse(error.message)
                }
            } else if ConfigurationKey.all.contains(where: { $0.table == name }) {
                guard case .table(let inner) = entry.value else {
                    refuse("must be a table, [\(name)], not \(entry.value.kind)")
                    continue
                }
                collect(inner, tableName: name, &found, &problems)
            } else {
                refuse("is no key of this file; \(Self.hint(name, entry.value))")
            }
        }
    }

    /// What somebody who wrote `name` may have meant.
    static func hint(_ name: String, _ value: TOMLValue?) -> String {
        let last = name.split(separator: ".").last.map(String.init) ?? name
        if let elsewhere = ConfigurationKey.all.first(where: { $0.lastName == last }) {
            return elsewhere.table.map { "\(last) stands in [\($0)]" } ?? "\(last) stands above all tables"
        }
        if WorkloadFile.keys.contains(name) { return "it belongs into a workload file" }
        var names = ConfigurationKey.all.map(\.name)
        if case .table = value { names = ConfigurationKey.tables }
        if let near = nearest(to: name, in: names, countMax: 1).first { return "did you mean \(near)?" }
        // The table may be the slip, or missing.
        let nearLast = nearest(to: last, in: ConfigurationKey.all.map(\.lastName), countMax: 1).first
        if let nearLast, let key = ConfigurationKey.all.first(where: { $0.lastName == nearLast }) {
            return "did you mean \(key.name)?"
        }
        let table = name.split(separator: ".").dropLast().first.map(String.init)
        let here = ConfigurationKey.all.filter { $0.table == table }.map(\.lastName)
        return here.isEmpty
            ? "tables are \(ConfigurationKey.tables.joined(separator: ", "))"
            : "keys here are \(here.joined(separator: ", "))"
    }
}

extension ConfigurationKey {
    /// Names of the tables, in order.
    static let tables: [String] = all.reduce(into: []) { tables, key in
        if let table = key.table, !tables.contains(table) { tables.append(table) }
    }
}
