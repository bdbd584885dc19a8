import X86

extension EntryTable {
    /// Stands in docs/entry-table.md before the table.
    public static let marker = "<!-- what `patchsimctl entry --table` prints -->"

    /// The table as text: a section a form, a row an origin, nesting and alignment, a column an instruction.
    public var markdown: String {
        var text = ""
        for form in EntryForm.all where cells.contains(where: { $0.entryCase.form == form }) {
            text += section(form)
        }
        return text
    }

    private func section(_ form: EntryForm) -> String {
        let cells = cells.filter { $0.entryCase.form == form }
        var text = "## \(form.mode.rawValue) \(form.name)\n\n\(form.summary) (\(form.origin)).\n\n"
        let columns = EmulatedInstruction.allCases.map(\.rawValue)
        text += "| from | besides | \(Self.alignmentTitle(form.mode)) | \(columns.joined(separator: " | ")) |\n"
        text += "|---|---|---|" + String(repeating: "---|", count: columns.count) + "\n"
        for row in Self.rows(cells) { text += row.line }
        let findings = Self.findings(cells)
        if !findings.isEmpty { text += "\n" + findings.map { "- \($0)\n" }.joined() }
        return text + "\n"
    }

    private static func alignmentTitle(_ mode: ProcessorMode) -> String {
        mode == .x86_64 ? "RSP mod 16" : "ESP mod 16"
    }

    private struct Row {
        let origin: EntryOrigin
        let nesting: EntryNesting
        var alignments: [UInt64]
        let words: [String]
        var isEveryAlignment = false

        var line: String {
            let places = isEveryAlignment ? "any" : alignments.map(String.init).joined(separator: ", ")
            return "| \(origin.rawValue) | \(nesting.name) | \(places) | \(words.joined(separator: " | ")) |\n"
        }
    }

    /// Rows in order; alignments with the same verdicts share one.
    private static func rows(_ cells: [Cell]) -> [Row] {
        var rows: [Row] = []
        var groups: [(origin: EntryOrigin, nesting: EntryNesting)] = []
        for cell in cells where !groups.contains(where: { $0 == (cell.entryCase.origin, cell.entryCase.nesting) }) {
            groups.append((cell.entryCase.origin, cell.entryCase.nesting))
        }
        for group in groups {
            let members = cells.filter { ($0.entryCase.origin, $0.entryCase.nesting) == group }
            var alignments: [UInt64] = []
            for member in members where !alignments.contains(member.entryCase.alignment) {
                alignments.append(member.entryCase.alignment)
            }
            var merged: [Row] = []
            for alignment in alignments {
                let words = EmulatedInstruction.allCases.map { instruction in
                    members.first {
                        $0.entryCase.alignment == alignment && $0.entryCase.instruction == instruction
                    }?.word ?? ""
                }
                if let same = merged.firstIndex(where: { $0.words == words }) {
                    merged[same].alignments.append(alignment)
                } else {
                    merged.append(
                        Row(origin: group.origin, nesting: group.nesting, alignments: [alignment], words: words))
                }
            }
            if merged.count == 1, merged[0].origin == .kernel { merged[0].isEveryAlignment = true }
            rows += merged
        }
        return rows
    }

    /// For each origin what breaks, once: the first cell that shows it.
    private static func findings(_ cells: [Cell]) -> [String] {
        struct Key: Hashable {
            let origin: EntryOrigin
            let kind: String
            let message: String
        }
        var seen: Set<Key> = []
        var lines: [String] = []
        for cell in cells {
            guard case .broken(let finding) = cell.verdict else { continue }
            let entryCase = cell.entryCase
            let key = Key(origin: entryCase.origin, kind: finding.kind, message: finding.message)
            guard seen.insert(key).inserted else { continue }
            let stack = entryCase.origin == .kernel ? ", aligned \(entryCase.alignment)" : ""
            let place = finding.boundary.map { ", NMI at \($0)" } ?? ""
            lines.append(
                "\(entryCase.origin.rawValue), \(entryCase.nesting.name), \(entryCase.instruction.rawValue)\(stack)\(place): "
                    + finding.message)
        }
        return lines
    }
}
