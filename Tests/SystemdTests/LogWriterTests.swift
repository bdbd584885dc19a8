import Testing

@testable import Systemd

private func entry(_ message: String, _ fields: [JournalField?] = []) -> JournalEntry {
    JournalEntry(
        priority: .notice, message: message, identifier: "tester", messageID: "0123456789abcdef0123456789abcdef",
        fields: fields.compactMap { $0 })
}

@Suite("Entries on their way to the journal") struct LogWriterTests {
    private let journal = FakeJournal()
    private let errors = ErrorFile()

    private func writer(_ target: LogTarget = .journal, stderrIsJournal: Bool = false) -> LogWriter {
        LogWriter(
            target: target, identifier: "tester", socketPath: journal.path, stderr: errors.descriptor,
            stderrIsJournal: stderrIsJournal, lostEntry: { entry("\($0) lost") })
    }

    @Test("An entry arrives with all its fields, also with values of several lines and of control characters")
    func wholeEntries() throws {
        writer().write(
            entry("one\ntwo", [JournalField("PATCHSIM_CPU", "1"), JournalField("PATCHSIM_TEXT", "\n\0\u{7f}=\n\nä")]))
        #expect(
            fields(try #require(journal.next())) == [
                "MESSAGE": "one\ntwo", "PRIORITY": "5", "SYSLOG_IDENTIFIER": "tester",
                "MESSAGE_ID": "0123456789abcdef0123456789abcdef", "PATCHSIM_CPU": "1",
                "PATCHSIM_TEXT": "\n\0\u{7f}=\n\nä",
            ])
    }

    @Test("An entry that is too large for a datagram goes as a file: the datagram itself is empty")
    func largeEntries() throws {
        writer().write(entry("large", [JournalField("PATCHSIM_TEXT", String(repeating: "x", count: 1 << 20))]))
        #expect(try #require(journal.next()).isEmpty)
        #expect(errors.text.isEmpty)
    }

    @Test("A journal that reads nothing blocks nobody, and gets everything in order when it reads again")
    func slowJournal() {
        let writer = writer()
        for number in 0..<500 { writer.write(entry("\(number)")) }
        #expect(writer.backlog.kept > 0)
        for number in 0..<500 { #expect(journal.nextMessage() == "\(number)") }
        #expect(writer.backlog.lost == 0)
        #expect(errors.text.isEmpty)
    }

    @Test("A journal that goes away and comes back gets what was written meanwhile, with the time at which it was")
    func vanishedJournal() throws {
        let writer = writer()
        writer.write(entry("before"))
        #expect(journal.nextMessage() == "before")
        journal.close()
        writer.write(entry("meanwhile"))
        writer.write(entry("then"))
        #expect(writer.backlog == (kept: 2, lost: 0))
        journal.open()
        let kept = fields(try #require(journal.next()))
        #expect(kept["MESSAGE"] == "meanwhile")
        #expect(try #require(UInt64(kept[LogWriter.writtenField] ?? "")) > 1_700_000_000_000_000)
        #expect(journal.nextMessage() == "then")
        #expect(errors.text.isEmpty)
    }

    @Test("What can't be kept is on stderr, and the journal is told how many when it is back")
    func lostEntries() {
        let writer = writer()
        journal.close()
        for number in 0..<LogWriter.entriesKeptMax + 3 { writer.write(entry("\(number)")) }
        #expect(writer.backlog == (kept: LogWriter.entriesKeptMax, lost: 3))
        let first = LogWriter.entriesKeptMax
        #expect(errors.text == "<5>\(first)\n<5>\(first + 1)\n<5>\(first + 2)\n")
        journal.open()
        for number in 0..<LogWriter.entriesKeptMax { #expect(journal.nextMessage() == "\(number)") }
        #expect(journal.nextMessage() == "3 lost")
        // It takes entries again, once it has been told.
        writer.write(entry("after"))
        #expect(journal.nextMessage() == "after")
    }

    @Test("Bytes are bounded as entries are")
    func lostBytes() {
        let writer = writer()
        journal.close()
        let large = JournalField("PATCHSIM_TEXT", String(repeating: "x", count: LogWriter.bytesKeptMax / 4))
        for _ in 0..<5 { writer.write(entry("large", [large])) }
        #expect(writer.backlog == (kept: 3, lost: 2))
    }

    @Test("At the end what the journal never took is told on stderr, unless that is the journal's as well")
    func finish() {
        journal.close()
        let writer = writer()
        writer.write(entry("kept"))
        writer.finish()
        #expect(errors.text == "<5>1 lost\n")
        let silent = self.writer(stderrIsJournal: true)
        silent.write(entry("kept"))
        silent.finish()
        #expect(errors.text == "<5>1 lost\n")
    }

    @Test("On stderr an entry is one line, whatever its message holds, and foreign identifiers are named")
    func lines() {
        let writer = writer(.stderr)
        writer.write(entry("one\ntwo\u{1b}[2J\r"))
        writer.write(JournalEntry(priority: .info, message: "text", identifier: "kernel"))
        #expect(errors.text == "<5>one\\ntwo\\x1b[2J\\r\n<6>kernel: text\n")
    }
}
