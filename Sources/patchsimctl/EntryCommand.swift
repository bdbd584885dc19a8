internal import ArgumentParser
internal import EntryCode
internal import FoundationEssentials
internal import X86

/// Computes in this process: entry code needs no daemon.
struct EntryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "entry",
        abstract: "List the kernel's entry codes for INT3, print one, or run all of them under everything.",
        discussion: "Needs no daemon.")

    @Flag(help: "Run the forms and print what holds (docs/entry-table.md): some seconds.")
    var table = false

    @Flag(help: "Print the assembly text.")
    var text = false

    @Option(help: ArgumentHelp("Only the form of this name.", valueName: "name"))
    var form: String?

    @Option(help: "Only x86_64 or i386.")
    var mode: String?

    @Flag(help: "Print one line of JSON.")
    var json = false

    func validate() throws {
        if table, text { throw ValidationError("--table and --text exclude each other") }
        _ = try forms()
    }

    private func forms() throws -> [EntryForm] {
        let modes = ProcessorMode.allCases.map(\.rawValue)
        if let mode, !modes.contains(mode) {
            throw ValidationError("--mode takes \(modes.joined(separator: " or ")), not \"\(mode)\"")
        }
        let chosen = EntryForm.all.filter { entry in
            (form == nil || entry.name == form) && (mode == nil || entry.mode.rawValue == mode)
        }
        if chosen.isEmpty {
            let names = EntryForm.all.filter { mode == nil || $0.mode.rawValue == mode }.map(\.name)
            throw ValidationError("no form \"\(form ?? "")\"; there are \(names.joined(separator: ", "))")
        }
        return chosen
    }

    func run() throws {
        let forms = try forms()
        if table {
            let table = try EntryTable(forms)
            if json { try printJSON(table.cells.map(EntryCellReport.init)) } else { Output.write(table.markdown) }
        } else if json {
            try printJSON(forms.map { EntryFormReport($0, withText: text) })
        } else if text {
            for form in forms { Output.write("# \(form.mode.rawValue) \(form.name): \(form.summary)\n\(form.text)") }
        } else {
            var list = TextTable([("MODE", .left), ("NAME", .left), ("ORIGIN", .left), ("WHAT", .left)])
            for form in forms { list.add([form.mode.rawValue, form.name, form.origin, form.summary]) }
            Output.write(list.text)
        }
    }

    private func printJSON(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        Output.line(String(decoding: try encoder.encode(value), as: UTF8.self))
    }
}

/// A form as JSON.
private struct EntryFormReport: Encodable {
    let mode: String
    let name: String
    let origin: String
    let summary: String
    let text: String?

    init(_ form: EntryForm, withText: Bool) {
        mode = form.mode.rawValue
        name = form.name
        origin = form.origin
        summary = form.summary
        text = withText ? form.text : nil
    }
}

/// A cell of the table as JSON.
private struct EntryCellReport: Encodable {
    let mode: String
    let form: String
    let from: String
    let besides: String
    let alignment: UInt64
    let instruction: String
    /// `holds`, `broken` or `inexpressible`.
    let verdict: String
    let kind: String?
    let message: String?
    let boundary: String?

    init(_ cell: EntryTable.Cell) {
        let entryCase = cell.entryCase
        mode = entryCase.form.mode.rawValue
        form = entryCase.form.name
        from = entryCase.origin.rawValue
        besides = entryCase.nesting.name
        alignment = entryCase.alignment
        instruction = entryCase.instruction.rawValue
        switch cell.verdict {
        case .holds: (verdict, kind, message, boundary) = ("holds", nil, nil, nil)
        case .broken(let finding):
            (verdict, kind, message, boundary) = ("broken", finding.kind, finding.message, finding.boundary)
        case .notExpressible(let reason): (verdict, kind, message, boundary) = ("inexpressible", nil, reason, nil)
        }
    }
}
