internal import ArgumentParser
internal import Glibc
internal import PatchsimInterface

struct FindingsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "findings", abstract: "Look at violations that were kept.",
        subcommands: [FindingsList.self, FindingsShow.self, FindingsExport.self, FindingsDelete.self])
}

struct FindingsList: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List findings, the newest first.")
    @OptionGroup(title: "Global options") var options: GlobalOptions

    @Option(help: "The newest so many. Default: all.")
    var count: Int?

    func run() throws {
        try Session.run("findings list", options) { session in
            var table = TextTable([
                ("ID", .right), ("FOUND", .left), ("INVARIANT", .left), ("CPU", .right), ("SYMBOL", .left),
                ("KERNEL", .left),
            ])
            var before: Int?
            var left = count ?? .max
            while true {
                let page = min(left, Self.pageMax)
                let reply = try session.answer(ListFindings.self, .init(before: before, count: page)) { reply in
                    for finding in reply.findings {
                        table.add([
                            "\(finding.id)", moment(finding.foundAt), finding.invariant, "\(finding.cpu)",
                            finding.symbol, finding.kernel,
                        ])
                    }
                }
                left -= reply.findings.count
                before = reply.findings.last?.id
                if reply.findings.count < page || left <= 0 {
                    if !options.json { Output.write((table.isEmpty ? "" : table.text) + storeText(reply.store)) }
                    return
                }
            }
        }
    }

    /// What the daemon gives at once.
    private static let pageMax = 32
}

struct FindingsShow: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "show", abstract: "Show a finding.")
    @OptionGroup(title: "Global options") var options: GlobalOptions

    @Argument(help: "Its number, as the list has it.")
    var id: Int

    func run() throws {
        try Session.run("findings show", options) { session in
            try session.call(GetFinding.self, .init(id: id)) { Output.write(findingText($0.finding)) }
        }
    }
}

struct FindingsExport: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write findings to standard output.",
        discussion: "A line of JSON each, the newest first. Without numbers all of them.")
    @OptionGroup(title: "Global options") var options: GlobalOptions

    @Argument(help: "Their numbers.")
    var ids: [Int] = []

    func run() throws {
        try Session.run("findings export", options) { session in
            try session.each(ExportFindings.self, .init(ids: ids.isEmpty ? nil : ids)) { reply in
                if let finding = reply.finding { try session.printJSON(finding) }
            }
        }
    }
}

struct FindingsDelete: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "delete", abstract: "Delete findings for good.")
    @OptionGroup(title: "Global options") var options: GlobalOptions

    @Argument(help: "Their numbers; if one is missing, none is deleted.")
    var ids: [Int] = []

    @Flag(help: "Delete all.")
    var all = false

    func validate() throws {
        guard ids.isEmpty == all else { throw ValidationError("Either numbers or --all is needed, and not both.") }
    }

    func run() throws {
        try Session.run("findings delete", options) { session in
            try session.call(DeleteFindings.self, .init(ids: all ? nil : ids, all: all ? true : nil)) { reply in
                Output.line("\(grouped(reply.deleted)) deleted")
            }
        }
    }
}

private func findingText(_ finding: FindingRecord) -> String {
    var table = TextTable([("INVARIANT", .left), ("CHECKS", .right), ("VIOLATIONS", .right), ("", .left)])
    for line in finding.checks {
        table.add([line.invariant, grouped(line.checks), grouped(line.violations), line.title])
    }
    let time = seconds(finding.nanoseconds).drop { $0 == " " }
    return """
        Finding \(finding.id): \(visible(finding.invariant)) \(visible(finding.title))
        \(visible(finding.message))
          found:    \(moment(finding.foundAt)) by version \(visible(finding.version))
          place:    CPU \(finding.cpu), \(visible(finding.address)) \(visible(finding.symbol)), \(time) s after boot
          kernel:   \(visible(finding.kernel)): \(visible(finding.banner))
          bounds:   \(visible(finding.bounds))
          events:   \(visible(finding.eventHash))
          replay:   \(finding.replay.isEmpty ? "none was kept" : visible(finding.replay))

        """ + table.text
}

/// What a list doesn't show, where there is something to say.
private func storeText(_ store: StoreRecord) -> String {
    var lines: [String] = []
    if store.kept == 0 { lines.append("No findings") }
    if store.dropped > 0 { lines.append("\(grouped(store.dropped)) older findings made room for newer ones") }
    if store.waiting > 0 { lines.append("\(grouped(store.waiting)) findings wait to be stored") }
    if let reason = store.reason { lines.append("Findings are not kept: \(visible(reason))") }
    return lines.map { $0 + "\n" }.joined()
}

/// `2026-11-22 21:05:00`, in the user's time zone.
private func moment(_ unixTime: Int) -> String {
    var time = time_t(unixTime)
    var parts = tm()
    guard localtime_r(&time, &parts) != nil else { return "\(unixTime)" }
    func digits(_ value: Int32) -> String { (value < 10 ? "0" : "") + "\(value)" }
    return "\(parts.tm_year + 1900)-\(digits(parts.tm_mon + 1))-\(digits(parts.tm_mday)) "
        + "\(digits(parts.tm_hour)):\(digits(parts.tm_min)):\(digits(parts.tm_sec))"
}
