internal import FoundationEssentials
internal import GRDB

/// Findings, inputs and settings as rows.
enum StoredRows {
    // MARK: Inputs

    static func inputs(_ db: Database) throws -> [StoredInput] {
        try Row.fetchAll(db, sql: "SELECT id, action, path, text FROM input ORDER BY id").compactMap(input)
    }

    private static func input(_ row: Row) -> StoredInput? {
        guard let id = StoreSchema.integer(row, 0), let action = StoreSchema.string(row, 1),
            let path = StoreSchema.string(row, 2), let text = StoreSchema.string(row, 3)
        else { return nil }
        return StoredInput(id: id, action: action, path: path, text: text)
    }

    static func add(_ input: StoredInput, _ db: Database) throws -> StoredInput {
        try db.execute(
            sql: "INSERT INTO input (action, path, text) VALUES (?, ?, ?)",
            arguments: [input.action, input.path, input.text])
        return StoredInput(
            id: Int(db.lastInsertedRowID), action: input.action, path: input.path, text: input.text)
    }

    static func removeInputs(_ ids: some Sequence<Int>, _ db: Database) throws {
        for id in ids { try db.execute(sql: "DELETE FROM input WHERE id = ?", arguments: [id]) }
    }

    // MARK: Settings

    static func setting(_ name: String, _ db: Database) throws -> String? {
        try Row.fetchOne(db, sql: "SELECT value FROM setting WHERE name = ?", arguments: [name]).flatMap {
            StoreSchema.string($0, 0)
        }
    }

    static func set(_ name: String, _ value: String?, _ db: Database) throws {
        guard let value else { return try db.execute(sql: "DELETE FROM setting WHERE name = ?", arguments: [name]) }
        try db.execute(
            sql:
                "INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            arguments: [name, value])
    }

    // MARK: Findings

    static func findings(_ db: Database, before: Int?, count: Int) throws -> [StoredFinding] {
        try Row.fetchAll(
            db, sql: "SELECT id, record FROM finding WHERE id < ? ORDER BY id DESC LIMIT ?",
            arguments: [before ?? Int.max, count]
        ).compactMap(finding)
    }

    static func finding(_ id: Int, _ db: Database) throws -> StoredFinding? {
        try Row.fetchOne(db, sql: "SELECT id, record FROM finding WHERE id = ?", arguments: [id]).flatMap(finding)
    }

    private static func finding(_ row: Row) -> StoredFinding? {
        guard let id = StoreSchema.integer(row, 0), let record = StoreSchema.string(row, 1),
            let finding = try? JSONDecoder().decode(Finding.self, from: Data(record.utf8))
        else { return nil }
        return StoredFinding(id: id, finding: finding)
    }

    /// Adds a finding, and drops the oldest ones that exceed the limits; returns its number and how many were dropped.
    static func add(_ finding: Finding, _ db: Database) throws -> (id: Int, dropped: Int) {
        let record = text(finding)
        try db.execute(
            sql: "INSERT INTO finding (bytes, record) VALUES (?, ?)", arguments: [record.utf8.count, record])
        let id = Int(db.lastInsertedRowID)
        var dropped = 0
        while try isOverLimit(db) {
            try db.execute(sql: "DELETE FROM finding WHERE id = (SELECT min(id) FROM finding)")
            dropped += 1
        }
        if dropped > 0 {
            let before = try setting(droppedName, db).flatMap { Int($0) } ?? 0
            try set(droppedName, "\(before + dropped)", db)
        }
        return (id, dropped)
    }

    static let droppedName = "findings_dropped"

    private static func isOverLimit(_ db: Database) throws -> Bool {
        guard let row = try Row.fetchOne(db, sql: "SELECT count(*), coalesce(sum(bytes), 0) FROM finding"),
            let count = StoreSchema.integer(row, 0), let bytes = StoreSchema.integer(row, 1)
        else { return false }
        return count > FindingStore.findingsMax || count > 1 && bytes > FindingStore.findingsBytesMax
    }

    /// A finding as JSON, without its replay line where that would make it too long.
    private static func text(_ finding: Finding) -> String {
        var finding = finding
        var encoded = encode(finding)
        if encoded.utf8.count > FindingStore.findingBytesMax {
            finding.message += " (the replay line of \(finding.replay.utf8.count) bytes was too long to be kept)"
            finding.replay = ""
            encoded = encode(finding)
        }
        if encoded.utf8.count > FindingStore.findingBytesMax {
            finding.message = String(finding.message.prefix(FindingStore.messageCharactersMax)) + "..."
            encoded = encode(finding)
        }
        return encoded
    }

    private static func encode(_ finding: Finding) -> String {
        guard let data = try? JSONEncoder().encode(finding) else {
            preconditionFailure("strings and integers can be written as JSON")
        }
        return String(decoding: data, as: UTF8.self)
    }

    // MARK: Damage

    /// Why the rows can't be trusted though the file is sound, or nil.
    static func damage(_ db: Database) throws -> String? {
        for row in try Row.fetchAll(db, sql: "SELECT id, action, path, text FROM input") where input(row) == nil {
            return "it has an input that can't be read"
        }
        let count = try StoreSchema.integer(db, "SELECT count(*) FROM finding")
        guard count <= FindingStore.findingsMax else { return "it has \(count) findings" }
        let rows = try Row.fetchCursor(db, sql: "SELECT id, record FROM finding ORDER BY id")
        while let row = try rows.next() {
            guard finding(row) != nil else {
                return "finding \(StoreSchema.integer(row, 0) ?? 0) can't be read"
            }
        }
        return nil
    }
}
