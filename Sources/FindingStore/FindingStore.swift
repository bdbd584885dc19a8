internal import GRDB
internal import Locking

/// What survives the end of the daemon: findings, the inputs that a restart has to do again, and a few settings.
///
/// Every change is one transaction and durable when the call returns (SQLite, write-ahead log, synchronous=FULL), unless
/// `condition` says otherwise. Calls wait for the disk. Safe from any thread.
public final class FindingStore: Sendable {
    /// Findings that are kept; older ones make room.
    public static let findingsMax = 1000
    /// A finding as JSON. A longer one is kept without its replay line.
    public static let findingBytesMax = 256 * 1024
    /// All findings together; older ones make room.
    public static let findingsBytesMax = 64 << 20
    static let messageCharactersMax = 4096
    /// Findings that wait for the directory to become usable.
    public static let findingsWaitingMax = 100

    private struct State {
        var queue: DatabaseQueue
        var condition: StoreCondition
        /// Held for its lock.
        var directory: StateDirectory?
        var generation = 0
        var waiting: [Finding] = []
        /// What is to be reported when the lock is released.
        var news: [StoreEvent] = []
    }

    /// Nil: everything is kept in memory.
    public let path: String?
    private let state: Guarded<State>
    private let report: @Sendable (StoreEvent) -> Void

    /// Opens the store in a directory, which is made where it is missing; without one everything is kept in memory. Throws
    /// only if another daemon has the directory.
    public init(
        directory path: String?, report: @escaping @Sendable (StoreEvent) -> Void = { _ in }
    ) throws(StoreError) {
        self.path = path
        self.report = report
        var state = State(
            queue: try Self.memory(), condition: .volatile(reason: "there is no state directory"), directory: nil)
        if let path { try Self.open(path, &state) }
        let news = state.news
        state.news = []
        self.state = Guarded(state)
        for event in news { report(event) }
    }

    /// Writes everything into the one file; nothing is stored after this.
    public func close() {
        state.withLock { state in
            // What can't be written now is in the log beside the file, which the next start reads.
            try? state.queue.close()
        }
    }

    public var condition: StoreCondition {
        state.withLock { $0.condition }
    }

    /// Counts how often a file was opened: a store that was unavailable at start and isn't any more has inputs that nobody
    /// has done yet.
    public var generation: Int {
        state.withLock { $0.generation }
    }

    /// Findings that could not be stored yet.
    public var waitingCount: Int {
        state.withLock { $0.waiting.count }
    }

    /// Tries to open a directory that could not be used before; throws if it still can't be.
    public func tryOpening() throws(StoreError) {
        guard case .unavailable = condition else { return }
        try perform { _ in }
    }

    // MARK: Inputs

    /// In the order in which they are to be done.
    public func inputs() throws(StoreError) -> [StoredInput] {
        try perform { try StoredRows.inputs($0) }
    }

    /// Adds inputs and removes others, all or nothing; returns the added ones with their numbers.
    public func commit(adding: [StoredInput], removing: [Int] = []) throws(StoreError) -> [StoredInput] {
        try perform { db in
            try StoredRows.removeInputs(removing, db)
            return try adding.map { try StoredRows.add($0, db) }
        }
    }

    // MARK: Settings

    public func setting(_ name: String) throws(StoreError) -> String? {
        try perform { try StoredRows.setting(name, $0) }
    }

    /// Nil removes it.
    public func set(_ name: String, _ value: String?) throws(StoreError) {
        try perform { try StoredRows.set(name, value, $0) }
    }

    /// Several at once, all or nothing, and inputs that go with them.
    public func set(_ settings: [(name: String, value: String?)], removingInputs: Bool) throws(StoreError) {
        try perform { db in
            for (name, value) in settings { try StoredRows.set(name, value, db) }
            if removingInputs { try db.execute(sql: "DELETE FROM input") }
        }
    }

    // MARK: Findings

    /// Stores a finding and returns its number. Where it can't be stored it waits in memory, and is stored with the next
    /// change that can be.
    public func record(_ finding: Finding) throws(StoreError) -> Int {
        do {
            let (id, dropped) = try perform { db in try StoredRows.add(finding, db) }
            if dropped > 0 { report(.dropped(count: dropped)) }
            return id
        } catch {
            state.withLock { state in
                state.waiting.append(finding)
                if state.waiting.count > Self.findingsWaitingMax { state.waiting.removeFirst() }
            }
            throw error
        }
    }

    /// The newest first: at most `count` whose numbers are below `before`.
    public func findings(before: Int? = nil, count: Int) throws(StoreError) -> [StoredFinding] {
        try perform { try StoredRows.findings($0, before: before, count: count) }
    }

    public func finding(_ id: Int) throws(StoreError) -> StoredFinding? {
        try perform { try StoredRows.finding(id, $0) }
    }

    /// How many findings there are, and how many were dropped to make room since the store was made.
    public func findingCounts() throws(StoreError) -> (kept: Int, dropped: Int) {
        try perform { db in
            (
                try StoreSchema.integer(db, "SELECT count(*) FROM finding"),
                try StoredRows.setting(StoredRows.droppedName, db).flatMap { Int($0) } ?? 0
            )
        }
    }

    /// Removes findings, all of them or none: returns a number that is missing, or nil.
    public func delete(_ ids: [Int]) throws(StoreError) -> Int? {
        try perform { db in
            for id in ids
            where try StoreSchema.integer(db, "SELECT count(*) FROM finding WHERE id = ?", arguments: [id]) == 0 {
                return id
            }
            for id in ids { try db.execute(sql: "DELETE FROM finding WHERE id = ?", arguments: [id]) }
            return nil
        }
    }

    /// Removes all findings; returns how many there were.
    public func deleteAll() throws(StoreError) -> Int {
        try perform { db in
            try db.execute(sql: "DELETE FROM finding")
            return db.changesCount
        }
    }

    // MARK: Opening

    private static func memory() throws(StoreError) -> DatabaseQueue {
        do {
            let queue = try DatabaseQueue()
            try queue.inDatabase { try StoreSchema.migrate($0) }
            return queue
        } catch {
            throw .notDurable(reason: "\(error)")
        }
    }

    private static func open(_ path: String, _ state: inout State) throws(StoreError) {
        do throws(StateDirectory.Failure) {
            if state.directory == nil { state.directory = try StateDirectory(path) }
            guard let directory = state.directory else { return }
            try openFile(in: directory, &state)
        } catch {
            switch error {
            case .inUse(let pid): throw .inUse(directory: path, pid: pid)
            case .system(let reason): becomeUnavailable(reason, &state)
            }
        }
    }

    private static func openFile(in directory: StateDirectory, _ state: inout State) throws(StateDirectory.Failure) {
        // Once more after a damaged file was set aside: then there is none.
        for _ in 0..<2 {
            switch StoreFile.open(in: directory) {
            case .opened(let queue):
                state.queue = queue
                state.condition = .durable
                state.generation += 1
                let counts = try? queue.inDatabase { db in
                    (
                        try StoreSchema.integer(db, "SELECT count(*) FROM finding"),
                        try StoreSchema.integer(db, "SELECT count(*) FROM input")
                    )
                }
                state.news.append(
                    .opened(path: directory.path, findings: counts?.0 ?? 0, inputs: counts?.1 ?? 0))
                return
            case .newer(let version):
                state.condition = .volatile(
                    reason: "\(directory.path) is of version \(version), this program knows \(StoreSchema.version)")
                state.news.append(.newer(path: directory.path, version: version, known: StoreSchema.version))
                return
            case .damaged(let reason):
                let target = try directory.setAside(StoreFile.name)
                state.news.append(
                    .setAside(path: directory.path + "/" + StoreFile.name, to: target, reason: reason))
            case .unavailable(let reason):
                return becomeUnavailable("\(directory.path): \(reason)", &state)
            }
        }
        becomeUnavailable("\(directory.path): a new store is damaged at once", &state)
    }

    private static func becomeUnavailable(_ reason: String, _ state: inout State) {
        // Said once, not with each change that is refused.
        if state.condition != .unavailable(reason: reason) { state.news.append(.unavailable(reason: reason)) }
        state.condition = .unavailable(reason: reason)
    }

    // MARK: Transactions

    /// Runs `body` in a transaction of its own. The disk is waited for under the guard: SQLite has one writer anyway.
    private func perform<Result: Sendable>(_ body: (Database) throws -> Result) throws(StoreError) -> Result {
        let (outcome, news) = state.withLock { state -> (Swift.Result<Result, StoreError>, [StoreEvent]) in
            let outcome = Self.perform(path, &state, body)
            defer { state.news = [] }
            return (outcome, state.news)
        }
        for event in news { report(event) }
        return try outcome.get()
    }

    private static func perform<Result>(
        _ path: String?, _ state: inout State, _ body: (Database) throws -> Result
    ) -> Swift.Result<Result, StoreError> {
        if case .unavailable = state.condition, let path {
            do throws(StoreError) {
                try open(path, &state)
            } catch {
                return .failure(error)
            }
        }
        if case .unavailable(let reason) = state.condition { return .failure(.notDurable(reason: reason)) }
        do {
            let waiting = state.waiting
            let (result, dropped) = try state.queue.write { db in
                let dropped = try waiting.reduce(0) { try $0 + StoredRows.add($1, db).dropped }
                return (try body(db), dropped)
            }
            state.waiting = []
            if dropped > 0 { state.news.append(.dropped(count: dropped)) }
            return .success(result)
        } catch let error as DatabaseError {
            return .failure(.notDurable(reason: (path.map { $0 + ": " } ?? "") + StoreFile.reason(error)))
        } catch {
            return .failure(.notDurable(reason: "\(error)"))
        }
    }
}
