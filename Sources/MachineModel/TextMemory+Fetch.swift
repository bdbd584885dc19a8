public import X86

/// Which bytes a fetch may see.
///
/// A fetch takes chunk after chunk until the bytes that it has seen make up an instruction. So an INT3 in the first byte,
/// or a short instruction, keeps it from the chunks behind: they are neither drawn for nor remembered as seen.
extension TextMemory {
    /// More views than this of one instruction are not told apart.
    public static let viewsMax = 1 << 16

    /// How many different views of the instruction at `address` this front end may be given; 1 where it is settled.
    public func viewCount(at address: UInt64, cpu: Int, frontEnd: FrontEnd, _ decoder: InstructionDecoder) -> Int {
        guard hasLiveChunk(address) else { return 1 }
        var walk = FetchWalk(address: address, wanted: Self.viewsMax, lower: floors[cpu])
        let bytes = newestInstruction(at: address, count: InstructionBytes.lengthMax)
        visit(bytes, chunk: address >> model.chunkShift, frontEnd, decoder, &walk)
        return min(walk.leaves, Self.viewsMax)
    }

    /// The bytes of view `choice`, 0 ..< viewCount; the front end remembers what it saw. 0 is the newest.
    ///
    /// Fifteen bytes where nothing around `address` is in doubt, else the instruction alone.
    public func fetch(
        at address: UInt64, cpu: Int, frontEnd: inout FrontEnd, choice: Int, _ decoder: InstructionDecoder
    ) -> InstructionBytes {
        let bytes = newestInstruction(at: address, count: InstructionBytes.lengthMax)
        guard hasLiveChunk(address) else { return bytes }
        var walk = FetchWalk(address: address, wanted: choice, lower: floors[cpu])
        visit(bytes, chunk: address >> model.chunkShift, frontEnd, decoder, &walk)
        guard let result = walk.result else { preconditionFailure("a choice is one of viewCount") }
        if model.isMonotone {
            for (chunk, seen) in walk.path { frontEnd.seen[chunk] = seen }
        }
        return result
    }

    /// A search through the views of one fetch, in a fixed order, up to the one wanted.
    private struct FetchWalk {
        let address: UInt64
        let wanted: Int
        /// The front end's floor.
        let lower: UInt64
        /// Views passed so far.
        var leaves = 0
        /// The chunks that the view in hand touched, and what the front end will have seen of each.
        var path: [(chunk: UInt64, seen: UInt64)] = []
        var result: InstructionBytes?
    }

    private func hasLiveChunk(_ address: UInt64) -> Bool {
        if live.isEmpty { return false }
        let shift = model.chunkShift
        let last = (address &+ UInt64(InstructionBytes.lengthMax - 1)) >> shift
        var chunk = address >> shift
        while chunk <= last {
            if live[chunk] != nil { return true }
            chunk += 1
        }
        return false
    }

    /// `bytes` are decided below `chunk`, and the newest from there on.
    private func visit(
        _ bytes: InstructionBytes, chunk: UInt64, _ frontEnd: FrontEnd, _ decoder: InstructionDecoder,
        _ walk: inout FetchWalk
    ) {
        let shift = model.chunkShift
        var chunk = chunk
        var stores: [TextStore]?
        var decided = 0
        // Chunks without a store in doubt have one version.
        while true {
            decided = Int(min((chunk << shift) &- min(walk.address, chunk << shift), UInt64(bytes.count)))
            if decided >= bytes.count { break }
            stores = live[chunk]
            if stores != nil { break }
            chunk += 1
        }
        let known = bytes.prefix(decided)
        let length = Self.length(known, decoder)
        guard length == nil, decided < bytes.count, let stores else {
            if walk.leaves == walk.wanted { walk.result = length.map { known.prefix($0) } ?? known }
            walk.leaves += 1
            return
        }
        let lower = max(walk.lower, frontEnd.seen[chunk] ?? 0)
        var view = bytes
        var visible = stores.count
        while true {
            walk.path.append((chunk, visible > 0 ? max(stores[visible - 1].entry + 1, lower) : lower))
            visit(view, chunk: chunk + 1, frontEnd, decoder, &walk)
            if walk.result != nil { return }
            walk.path.removeLast()
            guard visible > 0, stores[visible - 1].entry >= lower else { return }
            visible -= 1
            Self.undo(stores[visible], in: &view, at: walk.address)
        }
    }

    /// The length of the instruction that `bytes` start with; nil where it is cut off or none.
    private static func length(_ bytes: InstructionBytes, _ decoder: InstructionDecoder) -> Int? {
        if bytes.count == 0 { return nil }
        return bytes[0] == 0xcc ? 1 : decoder.length(bytes)
    }

    private static func undo(_ store: TextStore, in bytes: inout InstructionBytes, at address: UInt64) {
        for index in 0..<Int(store.count) {
            let position = Int(Int64(bitPattern: store.address &+ UInt64(index) &- address))
            if position >= 0, position < bytes.count {
                bytes = bytes.replacing(position, with: UInt8(truncatingIfNeeded: store.old >> UInt64(index * 8)))
            }
        }
    }
}
