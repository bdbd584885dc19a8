internal import CPlatform
// For timespec, which the module map of libsystemd claims.
internal import CSystemd
internal import Dispatch
internal import Glibc
internal import Locking

/// Writes log entries, from any thread, without ever waiting for journald.
///
/// journald is spoken to directly: sd_journal_sendv() reports success where nobody listens, and waits where journald is too
/// slow. Entries that journald doesn't take are kept, in order, and sent when it does; what can't be kept is counted and
/// written to stderr, and the count goes to the journal when it is back.
public final class LogWriter: Sendable {
    /// Entries that are kept while the journal is away.
    public static let entriesKeptMax = 1024
    /// Bytes of them.
    public static let bytesKeptMax = 4 * 1024 * 1024
    /// The first and the longest wait before kept entries are tried again.
    static let retryMilliseconds = 50...2000
    /// How long the end of the program waits for the journal to take what is kept.
    static let finishMilliseconds = 500
    /// A field of entries that were kept: Unix time in microseconds at which they were written. The journal's own time is
    /// when it took them.
    public static let writtenField = "PATCHSIM_WRITTEN"

    public let target: LogTarget
    private let ownIdentifier: String
    private let socketPath: String
    private let stderr: Int32
    /// What stderr gets is in the journal's hands as well.
    private let stderrIsJournal: Bool
    private let lostEntry: @Sendable (Int) -> JournalEntry
    private let queue = DispatchQueue(label: "io.patchsim.journal", qos: .utility)
    private let state: Guarded<State>

    private struct State {
        let descriptor: Int32
        var kept: [[UInt8]] = []
        var keptBytes = 0
        var lost = 0
        /// Nil while nothing is to be tried again.
        var retryMilliseconds: Int?
    }

    /// `identifier` is whose entries stand on stderr without a name. `lostEntry` makes the entry that says how many were
    /// lost.
    public convenience init(
        target: LogTarget, identifier: String, lostEntry: @escaping @Sendable (Int) -> JournalEntry
    ) {
        self.init(
            target: target, identifier: identifier, socketPath: LogTarget.journalSocket, stderr: STDERR_FILENO,
            stderrIsJournal: LogTarget.stderrIsJournal, lostEntry: lostEntry)
    }

    init(
        target: LogTarget, identifier: String, socketPath: String, stderr: Int32, stderrIsJournal: Bool,
        lostEntry: @escaping @Sendable (Int) -> JournalEntry
    ) {
        let descriptor = target == .journal ? patchsim_datagram_socket() : -1
        // Without descriptors there is no journal to be had.
        self.target = descriptor < 0 ? .stderr : target
        ownIdentifier = identifier
        self.socketPath = socketPath
        self.stderr = stderr
        self.stderrIsJournal = stderrIsJournal
        self.lostEntry = lostEntry
        state = Guarded(State(descriptor: descriptor))
    }

    deinit {
        let descriptor = state.withLock { $0.descriptor }
        if descriptor >= 0 { close(descriptor) }
    }

    public func write(_ entry: JournalEntry) {
        guard target == .journal else { return writeToStderr(entry) }
        let (isLost, wait) = state.withLock { state in deliver(entry, &state) }
        if let wait { retry(after: wait) }
        if isLost, !stderrIsJournal { writeToStderr(entry) }
    }

    /// Entries that wait for the journal, and those that were lost since it last took one.
    var backlog: (kept: Int, lost: Int) {
        state.withLock { ($0.kept.count, $0.lost) }
    }

    /// Gives the journal a last chance to take what was kept, and writes the rest to stderr.
    public func finish() {
        guard target == .journal else { return }
        var waited = 0
        while !resend(), waited < Self.finishMilliseconds {
            usleep(useconds_t(Self.retryMilliseconds.lowerBound * 1000))
            waited += Self.retryMilliseconds.lowerBound
        }
        let (kept, lost) = backlog
        guard kept + lost > 0, !stderrIsJournal else { return }
        writeToStderr(lostEntry(kept + lost))
    }

    // MARK: The journal

    /// Sends, keeps or counts an entry. `retryAfter` is set where somebody has to try again after so many milliseconds.
    private func deliver(_ entry: JournalEntry, _ state: inout State) -> (isLost: Bool, retryAfter: Int?) {
        var bytes = entry.datagram()
        if state.kept.isEmpty, state.lost == 0, send(bytes, state.descriptor) { return (false, nil) }
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        JournalEntry.append(Self.writtenField, "\(now.tv_sec * 1_000_000 + now.tv_nsec / 1000)", to: &bytes)
        let hasRoom =
            state.kept.count < Self.entriesKeptMax && state.keptBytes + bytes.count <= Self.bytesKeptMax
            // What comes behind a lost entry waits for the count to be told: the order stays.
            && state.lost == 0
        if hasRoom {
            state.kept.append(bytes)
            state.keptBytes += bytes.count
        } else {
            state.lost += 1
        }
        guard state.retryMilliseconds == nil else { return (!hasRoom, nil) }
        state.retryMilliseconds = Self.retryMilliseconds.lowerBound
        return (!hasRoom, state.retryMilliseconds)
    }

    /// Whether journald has it.
    private func send(_ bytes: [UInt8], _ descriptor: Int32) -> Bool {
        let status = bytes.withUnsafeBytes {
            patchsim_send_datagram(descriptor, socketPath, $0.baseAddress, $0.count)
        }
        guard status == -EMSGSIZE else { return status == 0 }
        return bytes.withUnsafeBytes { patchsim_send_sealed(descriptor, socketPath, $0.baseAddress, $0.count) } == 0
    }

    private func retry(after milliseconds: Int) {
        queue.asyncAfter(deadline: .now() + .milliseconds(milliseconds)) { [weak self] in
            guard let self, !self.resend() else { return }
            let wait = self.state.withLock { state in
                let wait = min((state.retryMilliseconds ?? 0) * 2, Self.retryMilliseconds.upperBound)
                state.retryMilliseconds = wait
                return wait
            }
            self.retry(after: wait)
        }
    }

    /// Sends what was kept; whether everything is sent.
    private func resend() -> Bool {
        state.withLock { state in
            var sent = 0
            while sent < state.kept.count, send(state.kept[sent], state.descriptor) {
                state.keptBytes -= state.kept[sent].count
                sent += 1
            }
            // A journal that takes something is asked again soon.
            if sent > 0 { state.retryMilliseconds = Self.retryMilliseconds.lowerBound / 2 }
            state.kept.removeFirst(sent)
            guard state.kept.isEmpty else { return false }
            if state.lost > 0 {
                guard send(lostEntry(state.lost).datagram(), state.descriptor) else { return false }
                state.lost = 0
            }
            state.retryMilliseconds = nil
            return true
        }
    }

    // MARK: stderr

    private func writeToStderr(_ entry: JournalEntry) {
        let line = entry.line(forTerminal: isatty(stderr) == 1, ownIdentifier: ownIdentifier)
        let bytes = Array(line.utf8)
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.write(stderr, $0.baseAddress! + written, $0.count - written)
            }
            // Nobody is left to tell when stderr is gone.
            guard count > 0 || errno == EINTR else { return }
            written += max(count, 0)
        }
    }
}
