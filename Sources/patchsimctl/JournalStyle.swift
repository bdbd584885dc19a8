internal import FoundationEssentials
internal import PatchsimInterface
internal import Systemd

/// How an entry is shown.
enum JournalStyle {
    case daemon(catalog: Bool)
    case kernel(catalog: Bool)
    case json

    func text(_ record: JournalRecord, _ reader: JournalReader) throws -> String {
        switch self {
        case .daemon(let catalog): try daemonText(record) + (catalog ? explanation(record, reader) : "")
        case .kernel(let catalog): try kernelText(record) + (catalog ? explanation(record, reader) : "")
        case .json: try json(record)
        }
    }

    private static let priorities = ["emerg", "alert", "crit", "error", "warning", "notice", "info", "debug"]
    /// Said by the message, or of no use to a reader.
    private static let hidden: Set<LogField> = [.run, .reason, .action, .text, .schedule]

    private func priority(_ record: JournalRecord) -> String {
        guard let number = record["PRIORITY"].flatMap(Int.init), Self.priorities.indices.contains(number) else {
            return "-"
        }
        return Self.priorities[number]
    }

    /// Time, priority, kind and message; the fields that matter below; a replay line whole, so that it can be copied.
    private func daemonText(_ record: JournalRecord) -> String {
        let kind = record["MESSAGE_ID"].flatMap(MessageID.init(rawValue:))?.name ?? "-"
        let time = JournalTime.text(microseconds: record.microseconds)
        var text =
            "\(time) \(padded(priority(record), 7)) \(padded(kind, 18)) \(visible(record["MESSAGE"] ?? ""))\n"
        let fields = LogField.allCases.filter { !Self.hidden.contains($0) }.compactMap { field in
            record[field.rawValue].map { value in
                // PATCHSIM_CLIENT_UID is shown as client-uid.
                let name = field.rawValue.split(separator: "_").dropFirst().joined(separator: "-").lowercased()
                return "\(name)=\(visible(value))"
            }
        }
        if !fields.isEmpty { text += "    \(fields.joined(separator: " "))\n" }
        if let schedule = record[LogField.schedule.rawValue] { text += "    replay: \(visible(schedule))\n" }
        return text
    }

    /// As dmesg shows it, with the time at which the journal took it before it.
    private func kernelText(_ record: JournalRecord) -> String {
        let simulated = record[LogField.time.rawValue].flatMap(Int.init).map { "[\(seconds($0))] " } ?? ""
        let time = JournalTime.text(microseconds: record.microseconds)
        let lines = (record["MESSAGE"] ?? "").split(separator: "\n", omittingEmptySubsequences: false)
        return lines.map { "\(time) \(padded(priority(record), 7)) \(simulated)\(visible(String($0)))\n" }.joined()
    }

    private func explanation(_ record: JournalRecord, _ reader: JournalReader) throws -> String {
        guard let id = record["MESSAGE_ID"] else { return "" }
        guard let text = try reader.catalogText() else {
            return """
                -- The installed catalog has no text for \(visible(id)): patchsim.catalog is not installed, or was not
                -- compiled; journalctl --update-catalog does that.


                """
        }
        // The subject comes first, between it and the explanation stands an empty line.
        return text.split(separator: "\n", omittingEmptySubsequences: false).reversed().drop(while: \.isEmpty)
            .reversed()
            .map { $0.isEmpty ? "--\n" : "-- \(visible(String($0)))\n" }.joined() + "\n"
    }

    // MARK: JSON

    /// As `journalctl -o json` has it: a string, a list of bytes for what is none, or a list of those.
    private enum Value: Encodable {
        case text(String)
        case bytes([UInt8])
        case several([Value])

        init(_ bytes: [UInt8]) {
            self = String(validating: bytes, as: UTF8.self).map { .text($0) } ?? .bytes(bytes)
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .text(let text): try container.encode(text)
            case .bytes(let bytes): try container.encode(bytes)
            case .several(let values): try container.encode(values)
            }
        }
    }

    private func json(_ record: JournalRecord) throws -> String {
        var object: [String: Value] = [
            "__CURSOR": .text(record.cursor), "__REALTIME_TIMESTAMP": .text("\(record.microseconds)"),
        ]
        for (name, values) in Dictionary(grouping: record.fields, by: \.name) {
            let values = values.map { Value($0.value) }
            object[name] = values.count == 1 ? values[0] : .several(values)
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(object), as: UTF8.self) + "\n"
    }
}
