internal import GRDB

/// What the database file looks like, and how an older one becomes a newer one.
enum StoreSchema {
    /// `PRAGMA application_id`: "psim". Says whose file it is.
    static let applicationID: Int32 = 0x7073_696d
    /// `PRAGMA user_version` of a file that this program writes.
    static var version: Int { migrations.count }

    /// The statements that lead from version n to n + 1 stand at n. Never edited once released: a new version is a new entry.
    static let migrations: [[String]] = [
        [
            "CREATE TABLE finding (id INTEGER PRIMARY KEY AUTOINCREMENT, bytes INTEGER NOT NULL, record TEXT NOT NULL) STRICT",
            "CREATE TABLE input (id INTEGER PRIMARY KEY AUTOINCREMENT, action TEXT NOT NULL, path TEXT NOT NULL, text TEXT NOT NULL) STRICT",
            "CREATE TABLE setting (name TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
        ]
    ]

    /// Brings a file to `version`, in one transaction.
    static func migrate(_ db: Database) throws {
        let found = try integer(db, "PRAGMA user_version")
        guard found < version else { return }
        try db.inTransaction {
            for statements in migrations[found...] { for statement in statements { try db.execute(sql: statement) } }
            try db.execute(sql: "PRAGMA application_id = \(applicationID)")
            try db.execute(sql: "PRAGMA user_version = \(version)")
            return .commit
        }
    }

    /// Why the file can't be trusted, or nil. Foreign tables, triggers and views count as damage: nothing here makes them.
    static func damage(_ db: Database) throws -> String? {
        let check = try text(db, "PRAGMA integrity_check(1)")
        guard check == "ok" else { return check }
        let expected = try DatabaseQueue().inDatabase { fresh in
            try migrate(fresh)
            return try statements(fresh)
        }
        guard try statements(db) == expected else { return "its tables are not those of a patchsim store" }
        return nil
    }

    private static func statements(_ db: Database) throws -> [String] {
        try Row.fetchAll(db, sql: "SELECT sql FROM sqlite_schema WHERE sql NOT NULL ORDER BY type, name").map {
            string($0, 0) ?? ""
        }
    }

    // GRDB's typed access stops the program where a damaged file holds another type, so values are looked at first.

    static func string(_ row: Row, _ index: Int) -> String? {
        guard case .string(let text) = (row[index] as DatabaseValue).storage else { return nil }
        return text
    }

    static func integer(_ row: Row, _ index: Int) -> Int? {
        guard case .int64(let number) = (row[index] as DatabaseValue).storage else { return nil }
        return Int(number)
    }

    static func integer(_ db: Database, _ sql: String, arguments: StatementArguments = []) throws -> Int {
        try Row.fetchOne(db, sql: sql, arguments: arguments).flatMap { integer($0, 0) } ?? 0
    }

    static func text(_ db: Database, _ sql: String) throws -> String {
        try Row.fetchOne(db, sql: sql).flatMap { string($0, 0) } ?? ""
    }
}
