import X86

/// The kernel's own symbol table (kallsyms_*), found in the bare image and expanded.
///
/// No symbol names these tables, so they are recognised by content. Every table is accepted only when re-deriving it
/// from the others gives exactly its bytes: token_index from token_table, markers from names, relative_base from the
/// offsets.
struct Kallsyms {
    /// Linux's KSYM_NAME_LEN is 512 since 6.1; a type letter and a terminator come on top.
    static let nameLengthMax = 1024
    static let symbolsMax = 4_000_000
    static let namesSizeMax = 256 << 20
    /// Bytes of names walked in search of the tables. A real image needs a little more than its names, about 1 MiB; the
    /// bound keeps a file made to look like many tables from taking minutes.
    static let walkedBytesMax = 256 << 20

    let names: [UInt8]
    let nameOffsets: [UInt32]
    let types: [UInt8]
    let addresses: [UInt64]

    /// Where the tables stand, as offsets into the searched section.
    struct Layout {
        var tokens: KallsymsTokens
        var count: Int
        /// kallsyms_num_syms.
        var countOffset: Int
        var namesStart: Int
        var namesEnd: Int
        /// Bytes of all names without their type letters.
        var expandedSize: Int
    }

    static func find(_ map: AddressMap) throws(KernelImageError) -> Kallsyms {
        let (bytes, layout) = try locate(map)
        guard let addresses = KallsymsAddresses.find(bytes, layout: layout, map: map) else {
            throw KernelImageError(
                .invalid, "kallsyms_offsets",
                at: bytes.baseAddress! - map.reader.bytes.baseAddress! + layout.countOffset,
                "neither before the names (6.1) nor after the tokens (6.4) stand \(layout.count) ascending addresses")
        }
        return expand(bytes, layout, addresses)
    }

    /// The searched section and where in it the tables of names stand.
    static func locate(
        _ map: AddressMap
    ) throws(KernelImageError) -> (bytes: UnsafeRawBufferPointer, layout: Layout) {
        guard let section = map.section(".rodata"), section.hasBytes else {
            throw KernelImageError(.missing, "section .rodata", "not there; kallsyms stands in it")
        }
        let bytes = UnsafeRawBufferPointer(
            rebasing: map.reader.bytes[section.offset..<section.offset + section.size])
        return (bytes, try findNames(bytes, wordSize: map.wordSize, at: section.offset))
    }

    private static func findNames(
        _ bytes: UnsafeRawBufferPointer, wordSize: Int, at base: Int
    ) throws(KernelImageError) -> Layout {
        var search = KallsymsTokens.Search(bytes, alignment: wordSize)
        var budget = walkedBytesMax
        var sawTokens: Int?
        while let tokens = search.next() {
            sawTokens = base + tokens.start
            if let layout = findNames(bytes, tokens, wordSize, &budget) { return layout }
        }
        guard let sawTokens else {
            throw KernelImageError(
                .missing, "kallsyms_token_table", at: base,
                "no 256 strings in .rodata whose offsets follow as token_index; CONFIG_KALLSYMS=y has them")
        }
        throw KernelImageError(
            .invalid, "kallsyms_names", at: sawTokens,
            "tokens are there, but no names before them from which kallsyms_markers follow")
    }

    /// kallsyms_num_syms is a plausible number, names follow it, and markers that name every 256th follow those.
    private static func findNames(
        _ bytes: UnsafeRawBufferPointer, _ tokens: KallsymsTokens, _ wordSize: Int, _ budget: inout Int
    ) -> Layout? {
        var offset = 0
        while offset + wordSize < tokens.start, budget > 0 {
            let count = Int(bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
            // Every name takes two bytes at least.
            if count > 0, count <= symbolsMax, count <= (tokens.start - offset) / 2,
                looksLikeNames(bytes, tokens, offset + wordSize, count),
                let layout = walk(bytes, tokens, offset, wordSize, count, &budget)
            {
                return layout
            }
            offset += wordSize
        }
        return nil
    }

    /// The length of the entry at `offset` and where its tokens start; nil where it would reach the tokens' table.
    @inline(__always)
    private static func entry(_ bytes: UnsafeRawBufferPointer, _ offset: Int, _ end: Int) -> (start: Int, count: Int)? {
        guard offset + 2 <= end else { return nil }
        var count = Int(bytes[offset])
        var start = offset + 1
        if count & 0x80 != 0 {
            // Since 6.1 a name may take more than 127 tokens.
            count = count & 0x7f | Int(bytes[start]) << 7
            start += 1
        }
        guard count > 0, count <= nameLengthMax, count <= end - start else { return nil }
        return (start, count)
    }

    /// A cheap look at the first names, which rejects almost every wrong place.
    private static func looksLikeNames(
        _ bytes: UnsafeRawBufferPointer, _ tokens: KallsymsTokens, _ start: Int, _ count: Int
    ) -> Bool {
        var offset = start
        for _ in 0..<min(count, 32) {
            guard let entry = entry(bytes, offset, tokens.start), tokens.isTyped(bytes[entry.start]) else {
                return false
            }
            offset = entry.start + entry.count
        }
        return true
    }

    private static func walk(
        _ bytes: UnsafeRawBufferPointer, _ tokens: KallsymsTokens, _ countOffset: Int, _ wordSize: Int, _ count: Int,
        _ budget: inout Int
    ) -> Layout? {
        let start = countOffset + wordSize
        var offset = start
        var expanded = 0
        defer { budget -= offset - start }
        var markers: [UInt32] = []
        markers.reserveCapacity((count + 255) / 256)
        for index in 0..<count {
            if index & 0xff == 0 {
                markers.append(UInt32(truncatingIfNeeded: offset - start))
            }
            guard let entry = entry(bytes, offset, tokens.start), tokens.isTyped(bytes[entry.start]) else { return nil }
            var length = 0
            for place in entry.start..<entry.start + entry.count {
                length += tokens.length(bytes[place])
            }
            guard length <= nameLengthMax else { return nil }
            expanded += length - 1
            offset = entry.start + entry.count
        }
        guard expanded <= namesSizeMax else { return nil }
        let markersStart = (offset + wordSize - 1) & -wordSize
        // The tokens follow the markers, in late 6.1 and in 6.2 and 6.3 with three bytes for each symbol between them
        // (kallsyms_seqs_of_names).
        let markersEnd = (markersStart + markers.count * 4 + wordSize - 1) & -wordSize
        let sequencesEnd = (markersEnd + count * 3 + wordSize - 1) & -wordSize
        guard tokens.start == markersEnd || tokens.start == sequencesEnd else { return nil }
        for (index, marker) in markers.enumerated()
        where bytes.loadUnaligned(fromByteOffset: markersStart + index * 4, as: UInt32.self) != marker {
            return nil
        }
        return Layout(
            tokens: tokens, count: count, countOffset: countOffset, namesStart: start, namesEnd: offset,
            expandedSize: expanded)
    }

    private static func expand(
        _ bytes: UnsafeRawBufferPointer, _ layout: Layout, _ addresses: [UInt64]
    ) -> Kallsyms {
        let count = layout.count
        let tokens = layout.tokens
        var types = [UInt8](repeating: 0, count: count)
        var offsets = [UInt32](repeating: 0, count: count + 1)
        let names = [UInt8](unsafeUninitializedCapacity: max(layout.expandedSize, 1)) { names, initialized in
            var place = layout.namesStart
            var end = 0
            for index in 0..<count {
                guard let entry = entry(bytes, place, tokens.start) else {
                    preconditionFailure("the names were walked before they are expanded")
                }
                var skip = 1
                types[index] = tokens.firstByte(bytes[entry.start])
                for at in entry.start..<entry.start + entry.count {
                    let token = tokens.bytes(bytes[at], in: bytes)
                    for byte in token.dropFirst(skip) {
                        names[end] = byte
                        end += 1
                    }
                    skip = 0
                }
                offsets[index + 1] = UInt32(end)
                place = entry.start + entry.count
            }
            initialized = end
        }
        return Kallsyms(names: names, nameOffsets: offsets, types: types, addresses: addresses)
    }
}
