public import X86

/// One line of /proc/kallsyms.
public struct Symbol: Sendable, Hashable {
    public let name: String
    public let address: VirtualAddress
    /// The ASCII type letter of nm, `T`, `t`, `D`, ...
    public let type: UInt8

    public init(name: String, address: VirtualAddress, type: UInt8) {
        self.name = name
        self.address = address
        self.type = type
    }
}

/// The kernel's symbols in kallsyms' order.
///
/// Names are kept in one blob: 87,000 Swift strings would cost more than the rest of the image.
public struct SymbolTable: Sendable {
    /// name i is `names[nameOffsets[i] ..< nameOffsets[i + 1]]`, without its type letter.
    let names: [UInt8]
    let nameOffsets: [UInt32]
    let types: [UInt8]
    let addresses: [UInt64]
    /// Indices sorted by address, ties in kallsyms' order; kallsyms_lookup searches this.
    let byAddress: [UInt32]
    /// Indices sorted by name (bytes), ties in kallsyms' order.
    let byName: [UInt32]

    /// `names` without type letters, concatenated; `nameOffsets` has one entry more than there are symbols.
    public init(names: [UInt8], nameOffsets: [UInt32], types: [UInt8], addresses: [UInt64]) {
        precondition(nameOffsets.count == addresses.count + 1 && types.count == addresses.count, "parallel arrays")
        self.names = names
        self.nameOffsets = nameOffsets
        self.types = types
        self.addresses = addresses
        byAddress = Self.sortedByAddress(addresses)
        byName = Self.sortedByName(names, nameOffsets)
    }

    public init(_ symbols: [Symbol]) {
        var names: [UInt8] = []
        var offsets: [UInt32] = [0]
        for symbol in symbols {
            names.append(contentsOf: symbol.name.utf8)
            offsets.append(UInt32(names.count))
        }
        self.init(
            names: names, nameOffsets: offsets, types: symbols.map(\.type), addresses: symbols.map(\.address.rawValue))
    }

    public var count: Int { addresses.count }

    public subscript(index: Int) -> Symbol {
        Symbol(name: name(at: index), address: VirtualAddress(addresses[index]), type: types[index])
    }

    public func name(at index: Int) -> String {
        String(decoding: nameBytes(at: index), as: UTF8.self)
    }

    public func nameBytes(at index: Int) -> ArraySlice<UInt8> {
        names[Int(nameOffsets[index])..<Int(nameOffsets[index + 1])]
    }

    public func address(at index: Int) -> VirtualAddress {
        VirtualAddress(addresses[index])
    }

    /// kallsyms_lookup_name(): the first symbol of that name in kallsyms' order, or nil.
    public func address(of name: String) -> VirtualAddress? {
        indices(named: name).first.map { address(at: $0) }
    }

    /// Every symbol of that name, in kallsyms' order (sympos counts these).
    public func indices(named name: String) -> [Int] {
        let wanted = Array(name.utf8)
        var low = 0
        var high = byName.count
        while low < high {
            let middle = (low + high) / 2
            if nameBytes(at: Int(byName[middle])).lexicographicallyPrecedes(wanted) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        var found: [Int] = []
        while low < byName.count, nameBytes(at: Int(byName[low])).elementsEqual(wanted) {
            found.append(Int(byName[low]))
            low += 1
        }
        return found
    }

    /// get_symbol_pos(): the last symbol at or below `address` (the first in kallsyms' order among aliases), the offset
    /// into it, and its size up to the next higher symbol. Nil below the first symbol and in the gap of more than 2 GiB
    /// between the per-CPU symbols of x86_64, which stand at 0, and the kernel.
    public func lookup(_ address: VirtualAddress) -> (index: Int, offset: Int, size: Int)? {
        var low = 0
        var high = byAddress.count
        while low < high {
            let middle = (low + high) / 2
            if addresses[Int(byAddress[middle])] <= address.rawValue {
                low = middle + 1
            } else {
                high = middle
            }
        }
        guard low > 0 else { return nil }
        let start = addresses[Int(byAddress[low - 1])]
        let end = low < byAddress.count ? addresses[Int(byAddress[low])] : start
        var first = low - 1
        while first > 0, addresses[Int(byAddress[first - 1])] == start { first -= 1 }
        let offset = address.rawValue &- start
        guard offset <= UInt64(Int32.max) else { return nil }
        return (Int(byAddress[first]), Int(offset), Int(clamping: end &- start))
    }

    /// `%pS`: `name+0xoffset/0xsize`, or `0x...` where no symbol covers the address.
    public func symbolize(_ address: VirtualAddress) -> String {
        guard let (index, offset, size) = lookup(address) else { return "0x" + String(address.rawValue, radix: 16) }
        return "\(name(at: index))+0x\(String(offset, radix: 16))/0x\(String(size, radix: 16))"
    }
}
