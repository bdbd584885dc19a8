internal import FoundationEssentials
internal import PatchsimInterface

extension LoadedConfiguration {
    /// A file that says the same, with each value's origin behind it.
    public var toml: String {
        var text = files.map { "# read: \($0)\n" }.joined()
        if !files.isEmpty { text += "\n" }
        var table: String?
        for entry in entries {
            if entry.key.table != table {
                table = entry.key.table
                text += "\n[\(table ?? "")]\n"
            }
            // An origin may be a path with anything in it; a comment ends with its line.
            let origin = String(entry.origin.description.map { $0.isNewline || $0.asciiValue ?? 32 < 32 ? "?" : $0 })
            text += "\(entry.key.lastName) = \(entry.value.toml)  # \(origin)\n"
        }
        return text
    }

    private struct Listed: Encodable {
        let value: ConfigurationValue
        let origin: String
        let effect: ConfigurationEffect
    }

    /// One line: an object with a member for each key.
    public var json: String {
        let listed = Dictionary(
            uniqueKeysWithValues: entries.map { entry in
                (
                    entry.key.name,
                    Listed(
                        value: entry.value, origin: entry.origin.description, effect: entry.key.effect)
                )
            })
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let bytes = try? encoder.encode(listed) else {
            preconditionFailure("numbers and texts can always be encoded")
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
