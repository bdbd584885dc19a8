internal import GRDB
internal import Glibc

/// A store's database on disk: opened, checked, and set aside if it is damaged.
enum StoreFile {
    static let name = "findings.db"
    /// A file that is longer than this was not written by this program.
    static let bytesMax = 512 << 20

    enum Outcome {
        case opened(DatabaseQueue)
        /// Written by a newer version; not touched.
        case newer(version: Int)
        case damaged(reason: String)
        /// It may be all right, but can't be used now.
        case unavailable(reason: String)
    }

    static func open(in directory: StateDirectory) -> Outcome {
        let path = directory.path + "/" + name
        if let outcome = inspect(path) { return outcome }
        do {
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            return try queue.inDatabase { db in
                let version = try StoreSchema.integer(db, "PRAGMA user_version")
                if version > StoreSchema.version { return .newer(version: version) }
                guard version >= 0 else { return .damaged(reason: "its version is \(version)") }
                // An empty file is no damage: a first start may have been killed before anything was written.
                let isEmpty = try StoreSchema.integer(db, "SELECT count(*) FROM sqlite_schema") == 0
                guard version > 0 || isEmpty else { return .damaged(reason: "it has tables but no version") }
                try StoreSchema.migrate(db)
                if let damage = try StoreSchema.damage(db) { return .damaged(reason: damage) }
                if let damage = try StoredRows.damage(db) { return .damaged(reason: damage) }
                return .opened(queue)
            }
        } catch let error as DatabaseError {
            return isDamage(error) ? .damaged(reason: reason(error)) : .unavailable(reason: reason(error))
        } catch {
            return .unavailable(reason: "\(path): \(error)")
        }
    }

    /// What can be told without SQLite, which would begin to write: nil where it may go on.
    private static func inspect(_ path: String) -> Outcome? {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            return errno == ENOENT ? nil : .unavailable(reason: "\(path): \(String(cString: strerror(errno)))")
        }
        guard status.st_mode & S_IFMT == S_IFREG else { return .damaged(reason: "it is no regular file") }
        guard status.st_size <= bytesMax else {
            return .damaged(reason: "it has \(status.st_size) bytes, more than a store ever has")
        }
        guard status.st_size > 0 else { return nil }
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { return .unavailable(reason: "\(path): \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        var header = [UInt8](repeating: 0, count: 100)
        guard pread(descriptor, &header, header.count, 0) == header.count, header.starts(with: magic) else {
            return .damaged(reason: "it does not begin as an SQLite database does")
        }
        // https://www.sqlite.org/fileformat.html: versions for writing and reading at 18 and 19, numbers big-endian, the
        // user version at 60, the application id at 68.
        guard (1...2).contains(header[18]), (1...2).contains(header[19]) else {
            return .damaged(reason: "its format is \(header[18]) and \(header[19]), which SQLite can't write")
        }
        func number(_ offset: Int) -> Int32 {
            Int32(bitPattern: header[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) })
        }
        let (version, application) = (number(60), number(68))
        if application == StoreSchema.applicationID, version > StoreSchema.version {
            return .newer(version: Int(version))
        }
        guard application == StoreSchema.applicationID || application == 0 else {
            return .damaged(reason: "it is a database of another program")
        }
        return nil
    }

    private static let magic = Array("SQLite format 3\0".utf8)

    private static var configuration: Configuration {
        var configuration = Configuration()
        configuration.prepareDatabase { db in
            // The index of the log stays in this process, since the directory is locked: no shared memory that somebody
            // could truncate under us, and nothing is mapped.
            try db.execute(sql: "PRAGMA locking_mode = EXCLUSIVE")
            try db.execute(sql: "PRAGMA mmap_size = 0")
            try db.execute(sql: "PRAGMA trusted_schema = OFF")
            try db.execute(sql: "PRAGMA cell_size_check = ON")
            let mode = try StoreSchema.text(db, "PRAGMA journal_mode = WAL")
            guard mode == "wal" else {
                throw DatabaseError(resultCode: .SQLITE_READONLY, message: "the journal can't be made (mode \(mode))")
            }
            // In WAL mode, FULL is what makes each commit survive a loss of power.
            try db.execute(sql: "PRAGMA synchronous = FULL")
        }
        return configuration
    }

    private static func isDamage(_ error: DatabaseError) -> Bool {
        switch error.resultCode {
        case .SQLITE_CORRUPT, .SQLITE_NOTADB, .SQLITE_FORMAT, .SQLITE_SCHEMA, .SQLITE_MISMATCH, .SQLITE_CONSTRAINT: true
        // "no such table", "malformed database schema": what SQLite says of a schema that it can't read.
        case .SQLITE_ERROR, .SQLITE_AUTH, .SQLITE_TOOBIG: true
        default: false
        }
    }

    /// In words, with SQLite's own.
    static func reason(_ error: DatabaseError) -> String {
        switch error.resultCode {
        case .SQLITE_FULL: "the disk is full"
        case .SQLITE_READONLY, .SQLITE_PERM: "the state directory can't be written"
        default: error.message ?? "\(error.extendedResultCode)"
        }
    }
}
