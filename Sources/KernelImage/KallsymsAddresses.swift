import X86

/// kallsyms_offsets and kallsyms_relative_base: the addresses of the symbols, in any of the layouts and rules.
enum KallsymsAddresses {
    /// How an offset becomes an address.
    private enum Rule: CaseIterable {
        /// CONFIG_KALLSYMS_ABSOLUTE_PERCPU: not negative is absolute, negative is relative_base - 1 - offset.
        case absolutePerCPU
        /// relative_base plus an unsigned offset.
        case unsigned
    }

    /// Derives the addresses by every layout and rule; the one that holds is the kernel's.
    static func find(_ bytes: UnsafeRawBufferPointer, layout: Kallsyms.Layout, map: AddressMap) -> [UInt64]? {
        let word = map.wordSize
        let size = (layout.count * 4 + word - 1) & -word
        // Up to 6.3 the offsets and their base stand before num_syms, since 6.4 behind the tokens.
        let before = layout.countOffset - word - size
        let behind = (layout.tokens.end + word - 1) & -word
        for start in [before, behind] {
            guard start >= 0, start + size + word <= bytes.count else { continue }
            let base =
                word == 8
                ? bytes.loadUnaligned(fromByteOffset: start + size, as: UInt64.self)
                : UInt64(bytes.loadUnaligned(fromByteOffset: start + size, as: UInt32.self))
            for rule in Rule.allCases {
                if let addresses = derive(bytes, start, layout.count, base, rule, map) { return addresses }
            }
        }
        return nil
    }

    /// kallsyms are sorted by address, relative_base is the lowest relative one, and it lies in the image: a wrong
    /// rule or place breaks at least one of the three.
    private static func derive(
        _ bytes: UnsafeRawBufferPointer, _ start: Int, _ count: Int, _ base: UInt64, _ rule: Rule, _ map: AddressMap
    ) -> [UInt64]? {
        guard base >= map.addressFloor, base <= map.text.end else { return nil }
        let mask = map.addressMask
        var last: UInt64 = 0
        var isAscending = true
        var hasBase = false
        let addresses = [UInt64](unsafeUninitializedCapacity: count) { addresses, initialized in
            for index in 0..<count {
                let offset = bytes.loadUnaligned(fromByteOffset: start + index * 4, as: Int32.self)
                let address: UInt64
                switch rule {
                case .absolutePerCPU where offset >= 0: address = UInt64(offset)
                case .absolutePerCPU: address = (base &- 1 &- UInt64(bitPattern: Int64(offset))) & mask
                case .unsigned: address = (base &+ UInt64(UInt32(bitPattern: offset))) & mask
                }
                isAscending = isAscending && address >= last
                hasBase = hasBase || address == base
                last = address
                addresses[index] = address
            }
            initialized = count
        }
        return isAscending && hasBase ? addresses : nil
    }
}

extension AddressMap {
    /// The lowest mapped address but for the per-CPU template, which x86_64 links at 0.
    var addressFloor: UInt64 {
        sections.first { $0.name != ".data..percpu" }?.address ?? text.address
    }
}
