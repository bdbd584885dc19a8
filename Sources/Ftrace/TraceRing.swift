/// One CPU's trace ring buffer, overwriting its oldest entries (RB_FL_OVERWRITE).
///
/// It is kept in chunks: a world that is copied and then runs on copies the chunk it writes to, not the whole buffer.
public struct TraceRing: Sendable {
    /// Entries of one CPU's buffer; a kernel's default buffer of 1,408 KiB holds about three times as many.
    public static let entriesMax = 16_384
    static let chunkEntries = 256

    private var chunks: [[TraceEntry]] = []
    /// Entries ever written.
    public private(set) var written = 0

    public init() {}

    /// Entries that can still be read.
    public var count: Int {
        min(written, Self.entriesMax)
    }

    /// Entries that were overwritten (ring_buffer_overrun_cpu).
    public var overrun: Int {
        written - count
    }

    /// The first `entriesMax` entries allocate a chunk at a time, later ones nothing.
    public mutating func append(_ entry: TraceEntry) {
        let slot = written % Self.entriesMax
        let chunk = slot / Self.chunkEntries
        if chunk == chunks.count {
            var fresh: [TraceEntry] = []
            fresh.reserveCapacity(Self.chunkEntries)
            chunks.append(fresh)
        }
        if written < Self.entriesMax {
            chunks[chunk].append(entry)
        } else {
            chunks[chunk][slot % Self.chunkEntries] = entry
        }
        written += 1
    }

    /// Entry `index`, 0 being the oldest that can be read.
    public subscript(index: Int) -> TraceEntry {
        precondition(index >= 0 && index < count, "an entry that is still in the buffer")
        let slot = (overrun + index) % Self.entriesMax
        return chunks[slot / Self.chunkEntries][slot % Self.chunkEntries]
    }

    /// tracing_reset_online_cpus()
    public mutating func reset() {
        self = TraceRing()
    }
}
