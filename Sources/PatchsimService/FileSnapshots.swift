internal import PatchsimInterface
internal import Locking

/// A virtual file as it was when it was opened.
struct FileSnapshot: Sendable {
    let path: String
    let bytes: [UInt8]

    /// `count` bytes at most, cut where a character ends.
    func chunk(at offset: Int, count: Int) -> ReadFile.Reply {
        let start = min(offset, bytes.count)
        var end = min(bytes.count - start, count) + start
        let cut = end
        while end > start, end < bytes.count, cut - end < Self.continuationBytesMax, Self.isContinuation(bytes[end]) {
            end -= 1
        }
        // A character that is longer than the chunk, or bytes that are no text: go on, whatever it is.
        if end == start || end < bytes.count && Self.isContinuation(bytes[end]) { end = cut }
        return ReadFile.Reply(
            text: String(decoding: bytes[start..<end], as: UTF8.self), next: end, end: end == bytes.count)
    }

    /// A UTF-8 character has at most three bytes after its first.
    private static let continuationBytesMax = 3

    private static func isContinuation(_ byte: UInt8) -> Bool {
        byte & 0xc0 == 0x80
    }
}

/// Files that are being read in pieces: one for a connection, so that reading on costs no second rendering and what was
/// read fits together.
final class FileSnapshots: Sendable {
    /// All snapshots together, and so the largest file. A snapshot that makes room for a newer one is taken again when its
    /// reader goes on.
    static let bytesMax = 256 * 1024 * 1024

    private struct State {
        var byConnection: [Int: FileSnapshot] = [:]
        /// Connections, the one that kept a snapshot last at the end.
        var order: [Int] = []
        var bytes = 0

        mutating func remove(_ connection: Int) {
            guard let old = byConnection.removeValue(forKey: connection) else { return }
            bytes -= old.bytes.count
            order.removeAll { $0 == connection }
        }
    }

    private let state = Guarded(State())

    func snapshot(of path: String, connection: Int) -> FileSnapshot? {
        state.withLock { state in
            guard let kept = state.byConnection[connection], kept.path == path else { return nil }
            return kept
        }
    }

    func keep(_ snapshot: FileSnapshot?, connection: Int) {
        state.withLock { state in
            state.remove(connection)
            guard let snapshot else { return }
            while state.bytes + snapshot.bytes.count > Self.bytesMax, let oldest = state.order.first {
                state.remove(oldest)
            }
            state.byConnection[connection] = snapshot
            state.order.append(connection)
            state.bytes += snapshot.bytes.count
        }
    }
}
