internal import Glibc

/// Where log entries go.
public enum LogTarget: String, Sendable, CaseIterable {
    case journal
    case stderr

    /// Where journald receives entries.
    public static let journalSocket = "/run/systemd/journal/socket"

    /// The journal if stderr is a stream to it, as in a unit; else stderr, where whoever started this process looks.
    public static func detect() -> LogTarget {
        stderrIsJournal && journalIsPresent ? .journal : .stderr
    }

    /// Whether journald's socket is there.
    public static var journalIsPresent: Bool {
        access(journalSocket, W_OK) == 0
    }

    /// JOURNAL_STREAM is device:inode of the stream that the manager made (systemd.exec(5)).
    static var stderrIsJournal: Bool {
        guard let variable = getenv("JOURNAL_STREAM") else { return false }
        let parts = String(cString: variable).split(separator: ":").map { UInt64($0) }
        var status = stat()
        guard parts.count == 2, fstat(STDERR_FILENO, &status) == 0 else { return false }
        return parts[0] == UInt64(status.st_dev) && parts[1] == UInt64(status.st_ino)
    }
}
