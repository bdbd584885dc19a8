internal import ArgumentParser
internal import Glibc
internal import PatchsimInterface
internal import Systemd

struct JournalCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "journal", abstract: "Show what patchsimd wrote to the journal.",
        discussion: """
            Reads the journal of this machine, oldest entry first; no daemon needs to run. Times are local ones: "2026-11-22
            20:00", 20:00, today, yesterday, -1h, -1h30m, -90 (seconds), @1795464000.

            Exit status: 0 done, 64 usage, 66 there is no journal, 77 it may not be read.
            """)

    @Flag(name: .shortAndLong, help: "Go on with entries as they come; starts with the newest ten.")
    var follow = false

    @Flag(help: "Only violations of invariants.")
    var violations = false

    @Option(parsing: .unconditional, help: ArgumentHelp("Entries from this time on.", valueName: "time"))
    var since: String?

    @Option(parsing: .unconditional, help: ArgumentHelp("Entries up to this time.", valueName: "time"))
    var until: String?

    @Option(name: [.long, .customShort("n")], help: ArgumentHelp("The newest so many.", valueName: "n"))
    var lines: Int?

    @Flag(help: "The simulated kernel's log in place of the daemon's.")
    var kernel = false

    @Option(
        name: .customLong("run"),
        help: ArgumentHelp(
            "Entries of one run of the daemon: its PATCHSIM_RUN or the beginning of that, or \"latest\".",
            valueName: "id"))
    var runID: String?

    @Flag(name: [.long, .customShort("x")], help: "With what the catalog says about each entry.")
    var catalog = false

    @Flag(help: "Print each entry as one line of JSON with all its fields.")
    var json = false

    @Option(help: ArgumentHelp("Read the journal files of this directory.", valueName: "dir"))
    var directory: String?

    private static let linesMax = 1_000_000
    /// Where --follow starts, as journalctl has it.
    private static let linesFollowed = 10

    func run() throws {
        do {
            let selection = try selection()
            let reader = try JournalReader(directory: directory)
            try JournalListing(reader: reader, selection: selection, style: style).run()
        } catch let error as JournalReadError {
            throw Complaint(error).report("journal", json: json)
        } catch let error as JournalTimeError {
            throw Complaint(status: ExitStatus.usage, text: error.description).report("journal", json: json)
        } catch let complaint as Complaint {
            throw complaint.report("journal", json: json)
        }
    }

    private func selection() throws -> JournalSelection {
        if let lines, !(1...Self.linesMax).contains(lines) {
            throw Complaint(status: ExitStatus.usage, text: "--lines \(lines): is not in 1 to \(Self.linesMax)")
        }
        guard !(kernel && violations) else {
            throw Complaint(status: ExitStatus.usage, text: "--kernel and --violations exclude each other")
        }
        let now = Int64(time(nil))
        let (first, last) = (
            try since.map { try JournalTime.parse($0, now: now) }, try until.map { try JournalTime.parse($0, now: now) }
        )
        if let first, let last, first > last {
            throw Complaint(status: ExitStatus.usage, text: "--since \(since!) is after --until \(until!)")
        }
        return JournalSelection(
            identifier: kernel ? JournalSelection.kernelIdentifier : JournalSelection.identifier,
            kind: violations ? .violation : nil, run: runID, since: first, until: last,
            lines: lines ?? (follow && first == nil ? Self.linesFollowed : nil), follow: follow)
    }

    private var style: JournalStyle {
        json ? .json : kernel ? .kernel(catalog: catalog) : .daemon(catalog: catalog)
    }
}

/// Which entries are shown.
struct JournalSelection {
    static let identifier = "patchsimd"
    static let kernelIdentifier = "patchsim-kernel"
    static let latest = "latest"
    /// A run's beginning is taken from this length on.
    static let runDigitsMin = 4

    let identifier: String
    let kind: MessageID?
    let run: String?
    /// Unix time in microseconds.
    let since: UInt64?
    let until: UInt64?
    let lines: Int?
    let follow: Bool
}

/// Goes through the selected entries.
struct JournalListing {
    let reader: JournalReader
    let selection: JournalSelection
    let style: JournalStyle

    func run() throws {
        try reader.match("SYSLOG_IDENTIFIER", selection.identifier)
        if let wanted = selection.run { try reader.match(LogField.run.rawValue, try runID(wanted)) }
        if let kind = selection.kind { try reader.match("MESSAGE_ID", kind.rawValue) }
        var shown = try showFirst()
        if shown == 0, !selection.follow {
            Output.complain("patchsimctl: journal: no such entries" + hint)
        } else if let unreadable = reader.unreadable {
            Output.complain("patchsimctl: journal: \(unreadable) can't be read; entries may be missing")
        }
        guard selection.follow else { return }
        while case .entries = try reader.wait(whileOpen: STDOUT_FILENO) {
            while try reader.next() {
                guard try show(isFirst: shown == 0) else { return }
                shown += 1
            }
        }
    }

    private var hint: String {
        reader.unreadable.map {
            "; \($0) can't be read: members of the groups systemd-journal and adm may, and root"
        } ?? ""
    }

    /// What is there already; how many entries.
    private func showFirst() throws -> Int {
        var hasEntry: Bool
        if let lines = selection.lines {
            hasEntry = try seekToNewest(lines)
        } else if let since = selection.since {
            try reader.seek(toMicroseconds: since)
            hasEntry = try reader.next()
        } else {
            try reader.seekToStart()
            hasEntry = try reader.next()
        }
        var shown = 0
        while hasEntry {
            guard try show(isFirst: shown == 0) else { break }
            shown += 1
            hasEntry = try reader.next()
        }
        return shown
    }

    /// Stands on the first of the newest `lines` that are wanted.
    private func seekToNewest(_ lines: Int) throws -> Bool {
        if let until = selection.until { try reader.seek(toMicroseconds: until + 1) } else { try reader.seekToEnd() }
        guard try reader.goBack(lines) > 0 else {
            // Nothing matches yet; what comes is found from the start.
            try reader.seekToStart()
            return try reader.next()
        }
        while let since = selection.since, try reader.record().microseconds < since {
            guard try reader.next() else { return false }
        }
        return true
    }

    /// Shows the entry that the reader stands on; false where it is behind the last one wanted.
    private func show(isFirst: Bool) throws -> Bool {
        let record = try reader.record()
        if let until = selection.until, record.microseconds > until { return false }
        Output.write(try style.text(record, reader))
        return true
    }

    /// The whole PATCHSIM_RUN that the user means.
    private func runID(_ wanted: String) throws -> String {
        if wanted == JournalSelection.latest {
            try reader.seekToEnd()
            while try reader.goBack(1) > 0 {
                if let run = try reader.record()[LogField.run.rawValue] { return run }
            }
            throw Complaint(status: ExitStatus.refused, text: "no run of \(selection.identifier) is in the journal")
        }
        guard wanted.utf8.count >= JournalSelection.runDigitsMin else {
            throw Complaint(
                status: ExitStatus.usage,
                text: "--run \(wanted): at least \(JournalSelection.runDigitsMin) digits of a PATCHSIM_RUN are needed")
        }
        let found = try reader.values(of: LogField.run.rawValue).filter { $0.hasPrefix(wanted.lowercased()) }.sorted()
        guard let first = found.first else {
            throw Complaint(
                status: ExitStatus.refused,
                text: "no run \(wanted) is in the journal; each entry's PATCHSIM_RUN is shown with --json")
        }
        guard found.count == 1 else {
            throw Complaint(
                status: ExitStatus.usage, text: "--run \(wanted): could be \(found.prefix(4).joined(separator: ", "))")
        }
        return first
    }
}

extension Complaint {
    init(_ error: JournalReadError) {
        let status =
            switch error {
            case .noJournal: ExitStatus.noJournal
            case .noRights: ExitStatus.noRights
            case .failed: ExitStatus.noJournal
            }
        self.init(status: status, text: error.description)
    }
}
