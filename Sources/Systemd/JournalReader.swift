internal import CSystemd
internal import Glibc

/// Why a journal can't be read.
public enum JournalReadError: Error, Sendable, Hashable, CustomStringConvertible {
    /// There are no journal files; the places that were looked into.
    case noJournal([String])
    /// There are, and this user may read none of them.
    case noRights(String)
    case failed(operation: String, errno: Int32)

    public var description: String {
        switch self {
        case .noJournal(let places):
            "there is no journal in \(places.joined(separator: " or ")); is systemd-journald running?"
        case .noRights(let place):
            "\(place) can't be read: members of the groups systemd-journal and adm may, and root"
        case .failed(let operation, let errno): "\(operation): \(String(cString: strerror(errno)))"
        }
    }
}

/// One entry as it was read. A field may stand there several times, and hold any bytes.
public struct JournalRecord: Sendable {
    public let cursor: String
    /// Unix time at which the journal took it.
    public let microseconds: UInt64
    public let fields: [(name: String, value: [UInt8])]

    /// The first value of a field; what is no UTF-8 is shown as U+FFFD.
    public subscript(name: String) -> String? {
        fields.first { $0.name == name }.map { String(decoding: $0.value, as: UTF8.self) }
    }
}

/// Reads the journal through libsystemd. For one thread.
public final class JournalReader {
    private static let persistent = "/var/log/journal"
    private static let volatile = "/run/log/journal"

    private let journal: OpaquePointer
    /// Journal files that this user may not read: what they hold is missing.
    public let unreadable: String?

    /// The journal of this machine, or the files of a directory.
    public init(directory: String? = nil) throws(JournalReadError) {
        var opened: OpaquePointer?
        if let directory {
            let status = sd_journal_open_directory(&opened, directory, 0)
            guard status >= 0 else { throw Self.openError(directory, -status) }
        } else {
            let status = sd_journal_open(&opened, Int32(SD_JOURNAL_LOCAL_ONLY))
            guard status >= 0 else { throw .failed(operation: "the journal", errno: -status) }
        }
        let places = directory.map { [$0] } ?? [Self.persistent, Self.volatile]
        let files = JournalFiles(places)
        unreadable = files.unreadable
        journal = opened!
        guard files.readableCount > 0 else {
            // deinit closes it.
            if let unreadable = files.unreadable { throw .noRights(unreadable) }
            throw .noJournal(places)
        }
        // Whole values, however long.
        sd_journal_set_data_threshold(journal, 0)
    }

    private static func openError(_ directory: String, _ cause: Int32) -> JournalReadError {
        cause == EACCES || cause == EPERM ? .noRights(directory) : .failed(operation: directory, errno: cause)
    }

    deinit {
        sd_journal_close(journal)
    }

    private func check(_ status: Int32, _ operation: String) throws(JournalReadError) -> Int32 {
        guard status >= 0 else { throw .failed(operation: operation, errno: -status) }
        return status
    }

    // MARK: What is read

    /// Only entries with this field; several values of a field are alternatives, several fields all have to match.
    public func match(_ field: String, _ value: String) throws(JournalReadError) {
        let text = Array("\(field)=\(value)".utf8)
        _ = try check(sd_journal_add_match(journal, text, text.count), "a match")
    }

    /// All values of a field, in no order.
    public func values(of field: String) throws(JournalReadError) -> [String] {
        _ = try check(sd_journal_query_unique(journal, field), field)
        var values: [String] = []
        var data: UnsafeRawPointer?
        var count = 0
        while sd_journal_enumerate_available_unique(journal, &data, &count) > 0, let start = data {
            let bytes = UnsafeRawBufferPointer(start: start, count: count)
            values.append(String(decoding: bytes.dropFirst(field.utf8.count + 1), as: UTF8.self))
        }
        return values
    }

    public func seekToStart() throws(JournalReadError) {
        _ = try check(sd_journal_seek_head(journal), "the journal's start")
    }

    public func seekToEnd() throws(JournalReadError) {
        _ = try check(sd_journal_seek_tail(journal), "the journal's end")
    }

    public func seek(toMicroseconds time: UInt64) throws(JournalReadError) {
        _ = try check(sd_journal_seek_realtime_usec(journal, time), "a time of the journal")
    }

    /// Goes to the next entry; false at the end.
    public func next() throws(JournalReadError) -> Bool {
        try check(sd_journal_next(journal), "the next entry") > 0
    }

    /// Goes back by at most `count` entries; returns by how many.
    public func goBack(_ count: Int) throws(JournalReadError) -> Int {
        Int(try check(sd_journal_previous_skip(journal, UInt64(count)), "an earlier entry"))
    }

    public func record() throws(JournalReadError) -> JournalRecord {
        var time: UInt64 = 0
        _ = try check(sd_journal_get_realtime_usec(journal, &time), "an entry's time")
        var text: UnsafeMutablePointer<CChar>?
        _ = try check(sd_journal_get_cursor(journal, &text), "an entry's cursor")
        let cursor = text.map { String(cString: $0) } ?? ""
        free(text)
        var fields: [(name: String, value: [UInt8])] = []
        var data: UnsafeRawPointer?
        var count = 0
        sd_journal_restart_data(journal)
        while sd_journal_enumerate_available_data(journal, &data, &count) > 0, let start = data {
            let bytes = UnsafeRawBufferPointer(start: start, count: count)
            guard let equals = bytes.firstIndex(of: UInt8(ascii: "=")) else { continue }
            fields.append((String(decoding: bytes[..<equals], as: UTF8.self), Array(bytes[(equals + 1)...])))
        }
        return JournalRecord(cursor: cursor, microseconds: time, fields: fields)
    }

    /// What the installed catalog says about this entry, its fields put in; nil where it has nothing.
    public func catalogText() throws(JournalReadError) -> String? {
        var text: UnsafeMutablePointer<CChar>?
        let status = sd_journal_get_catalog(journal, &text)
        // ENOENT also where no catalog was ever compiled.
        if status == -ENOENT || status == -EADDRNOTAVAIL { return nil }
        _ = try check(status, "the catalog")
        defer { free(text) }
        return text.map { String(cString: $0) }
    }

    // MARK: Waiting

    public enum Arrival: Sendable {
        /// There may be new entries.
        case entries
        /// Nobody reads the output any more.
        case outputClosed
    }

    /// Returns when entries may have come, or when `output` is closed at its other end.
    public func wait(whileOpen output: Int32) throws(JournalReadError) -> Arrival {
        let descriptor = try check(sd_journal_get_fd(journal), "the journal's descriptor")
        let events = try check(sd_journal_get_events(journal), "the journal's events")
        while true {
            var polled = [
                pollfd(fd: descriptor, events: Int16(events), revents: 0), pollfd(fd: output, events: 0, revents: 0),
            ]
            let count = poll(&polled, nfds_t(polled.count), try timeout())
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .failed(operation: "poll", errno: errno) }
            if polled[1].revents & Int16(POLLERR | POLLHUP | POLLNVAL) != 0 { return .outputClosed }
            let change = try check(sd_journal_process(journal), "the journal's changes")
            if change != Int32(SD_JOURNAL_NOP) { return .entries }
        }
    }

    /// Milliseconds until the files have to be looked at, -1 for never: files on a network have no notifications.
    private func timeout() throws(JournalReadError) -> Int32 {
        var deadline: UInt64 = 0
        _ = try check(sd_journal_get_timeout(journal, &deadline), "the journal's timeout")
        guard deadline != .max else { return -1 }
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        let passed = UInt64(now.tv_sec) * 1_000_000 + UInt64(now.tv_nsec) / 1000
        return deadline > passed ? Int32(clamping: (deadline - passed) / 1000 + 1) : 0
    }
}

/// Journal files below some directories, and whether they can be read: libsystemd passes over those that can't.
private struct JournalFiles {
    var readableCount = 0
    /// The first file or directory that can't be read.
    var unreadable: String?

    init(_ places: [String]) {
        for place in places {
            look(place)
            // A folder for each machine.
            for name in entries(of: place) ?? [] where !name.hasPrefix(".") { look("\(place)/\(name)") }
        }
    }

    private mutating func look(_ directory: String) {
        for name in entries(of: directory) ?? [] where name.hasSuffix(".journal") {
            let path = "\(directory)/\(name)"
            if access(path, R_OK) == 0 { readableCount += 1 } else { note(path) }
        }
    }

    private mutating func note(_ path: String) {
        if unreadable == nil { unreadable = path }
    }

    private mutating func entries(of directory: String) -> [String]? {
        guard let handle = opendir(directory) else {
            if errno == EACCES { note(directory) }
            return nil
        }
        defer { closedir(handle) }
        var names: [String] = []
        while let entry = readdir(handle) {
            names.append(
                withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                })
        }
        return names
    }
}
