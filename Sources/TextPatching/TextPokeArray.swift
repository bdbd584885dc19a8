public import X86

/// Why text_poke_loc_init() refuses a location.
public enum TextPokeError: Error, Sendable, Hashable {
    /// Not one of the instructions that the INT3 handler can emulate.
    case notEmulatable(address: VirtualAddress, instruction: InstructionBytes)
    /// The range is not text.
    case notText(address: VirtualAddress)
    /// The bytes in memory are not those that the caller expects.
    case mismatch(address: VirtualAddress, expected: InstructionBytes, actual: InstructionBytes)
}

/// text_poke_array and what belongs to it: the batch in flight, its reference counts, and the sites' states for the
/// invariants. Guarded by text_mutex (one patcher) and read by every CPU's INT3 handler.
public struct TextPokeArray: Sendable {
    /// TEXT_POKE_ARRAY_MAX: 4096 / sizeof(struct smp_text_poke_loc).
    public static let capacity = 256

    /// text_poke_array.vec: sorted by address.
    public internal(set) var locations: [TextPokeLocation] = []
    /// text_poke_array.nr_entries, 0 while no batch is in flight.
    public internal(set) var count = 0
    /// text_poke_array_refs, per CPU: 0 means that the array must not be used.
    public internal(set) var references: [Int]
    public internal(set) var statistics = Statistics()

    /// Counts since start.
    public struct Statistics: Sendable, Hashable {
        /// Locations changed.
        public var sites: UInt64 = 0
        /// smp_text_poke_batch_finish() calls that had something to do.
        public var batches: UInt64 = 0
        /// Rounds of text_poke_sync().
        public var syncs: UInt64 = 0

        public init() {}
    }

    public init(cpuCount: Int) {
        references = Array(repeating: 0, count: cpuCount)
    }

    /// try_get_text_poke_array(): inc_not_zero on this CPU's count, one atomic step.
    mutating func tryGet(_ cpu: Int) -> Bool {
        guard references[cpu] != 0 else { return false }
        references[cpu] += 1
        return true
    }

    /// put_text_poke_array().
    mutating func put(_ cpu: Int) {
        precondition(references[cpu] > 0, "a reference is dropped once")
        references[cpu] -= 1
    }

    /// bsearch() over the first `count` entries with patch_cmp().
    func find(_ address: VirtualAddress) -> TextPokeLocation? {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if locations[middle].address < address { low = middle + 1 } else { high = middle }
        }
        return low < count && locations[low].address == address ? locations[low] : nil
    }

    /// The location in flight that holds `address`, and the offset into it.
    public func locationCovering(_ address: UInt64) -> (location: TextPokeLocation, offset: Int)? {
        guard count > 0, address >= locations[0].address.rawValue,
            address &- locations[count - 1].address.rawValue < Self.lengthMax
                || address < locations[count - 1].address.rawValue
        else { return nil }
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if locations[middle].address.rawValue <= address { low = middle + 1 } else { high = middle }
        }
        let offset = address &- locations[low - 1].address.rawValue
        return offset < UInt64(locations[low - 1].new.count) ? (locations[low - 1], Int(offset)) : nil
    }

    /// The batch in flight, for the checkers and for who looks on.
    public var inFlight: ArraySlice<TextPokeLocation> {
        locations[..<count]
    }

    /// The longest location: Jcc32.
    static let lengthMax: UInt64 = 6

    /// Whether the INT3 handler can emulate `instruction` (the switch of text_poke_loc_init()).
    public static func isEmulatable(_ instruction: InstructionBytes) -> Bool {
        guard instruction.count > 0 else { return false }
        func isPadded(from start: Int) -> Bool { (start..<instruction.count).allSatisfy { instruction[$0] == 0xcc } }
        switch instruction[0] {
        case 0xcc: return true
        case 0xc3: return isPadded(from: 1)
        case 0xe8: return instruction.count == 5
        case 0xe9: return instruction.count >= 5 && isPadded(from: 5)
        case 0xeb: return instruction.count >= 2 && isPadded(from: 2)
        case 0x70...0x7f: return instruction.count == 2
        case 0x0f where instruction.count == 6: return instruction[1] & 0xf0 == 0x80
        default: return instruction == .nop5 || instruction == .nop2 || instruction == .nop5For32Bit
        }
    }

    /// Splits queued locations into the batches that smp_text_poke_batch_add() makes: flushed when the array is full or
    /// an address lies below the last one.
    public static func batches(_ command: TextPokeCommand) -> [[TextPokeLocation]] {
        switch command {
        case .single(let location): return [[location]]
        case .queued(let locations):
            var batches: [[TextPokeLocation]] = []
            var batch: [TextPokeLocation] = []
            for location in locations {
                if batch.count == capacity || batch.last.map({ location.address < $0.address }) == true {
                    batches.append(batch)
                    batch = []
                }
                batch.append(location)
            }
            if !batch.isEmpty { batches.append(batch) }
            return batches
        }
    }
}
