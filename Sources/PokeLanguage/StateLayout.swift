/// Some bits of one word of a state.
struct Field: Sendable {
    let word: Int
    let shift: UInt64
    let mask: UInt64

    @inline(__always)
    func get(_ words: UnsafePointer<UInt64>) -> Int {
        Int(truncatingIfNeeded: words[word] >> shift & mask)
    }

    @inline(__always)
    func get(_ words: UnsafeMutablePointer<UInt64>) -> Int {
        Int(truncatingIfNeeded: words[word] >> shift & mask)
    }

    @inline(__always)
    func set(_ words: UnsafeMutablePointer<UInt64>, _ value: Int) {
        words[word] = words[word] & ~(mask << shift) | (UInt64(truncatingIfNeeded: value) & mask) << shift
    }

    var max: Int { Int(truncatingIfNeeded: mask) }
}

/// Hands out bits, none across two words.
struct FieldAllocator {
    private(set) var words = 0
    private var used = 64

    mutating func field(bits: Int) -> Field {
        if used + bits > 64 {
            words += 1
            used = 0
        }
        defer { used += bits }
        return Field(word: words - 1, shift: UInt64(used), mask: bits == 64 ? ~0 : 1 << UInt64(bits) - 1)
    }

    /// For a number from 0 to `max`.
    mutating func field(max: Int) -> Field {
        var bits = 1
        while 1 << bits <= max { bits += 1 }
        return field(bits: bits)
    }
}

/// Where everything of a state stands: what all share first, then a lane of whole words for each CPU.
struct StateLayout: Sendable {
    /// Versions of a chunk that are kept apart; a store beyond them ends the search as not exhausted.
    static let versionsMax = 8

    struct Batch: Sendable {
        let length: Field
        let entries: [Field]
    }

    /// A part of a site that ages as one.
    struct Chunk: Sendable {
        let site: Int
        /// Of the site.
        let from: Int
        let to: Int
        /// Versions, the oldest that any CPU may still see first.
        let count: Field
        let versions: [Field]
        /// In a lane: the oldest version that the CPU may still see.
        let floor: Field
        /// Of each byte: where its value's number stands in a version, and which values there are.
        let bytes: [ByteCode]
    }

    struct ByteCode: Sendable {
        let shift: Int
        let mask: Int
        let values: [UInt8]
    }

    struct SiteState: Sendable {
        /// Index of the instruction that the site held when the update in hand began, or holds.
        let current: Field
        /// 0, or the instruction that the update in hand brings, plus 1.
        let update: Field
        let chunks: [Int]
    }

    /// A context on a CPU's stack.
    struct Frame: Sendable {
        let pc: Field
        /// IF of what it interrupted.
        let savedFlag: Field
        /// 0, or the site whose INT3 it serves, plus 1.
        let site: Field
        /// Of a handler: what it emulates. Of a stub: the address that it pushed.
        let outcome: Field
        let locals: [Field]
    }

    var variables: [[Field]] = []
    var batches: [Int: Batch] = [:]
    var sites: [SiteState] = []
    var chunks: [Chunk] = []
    var budgets: [Field] = []
    /// 0, or the CPU that stops the others, plus 1.
    var stopper = Field(word: 0, shift: 0, mask: 0)
    var globalWords = 0

    // In a lane.
    var laneWords = 0
    var depth = Field(word: 0, shift: 0, mask: 0)
    var interruptFlag = Field(word: 0, shift: 0, mask: 0)
    var shadow = Field(word: 0, shift: 0, mask: 0)
    var nmiMasked = Field(word: 0, shift: 0, mask: 0)
    /// A bit for each CPU that waits for this one's acknowledgement.
    var pending = Field(word: 0, shift: 0, mask: 0)
    var locks: [Field] = []
    var frames: [Frame] = []
    /// Of variables that are per CPU.
    var ownVariables: [Int: [Field]] = [:]

    init(_ program: PokeProgram, framesMax: Int) {
        var global = FieldAllocator()
        var lane = FieldAllocator()
        depth = lane.field(max: framesMax - 1)
        interruptFlag = lane.field(bits: 1)
        shadow = lane.field(bits: 1)
        nmiMasked = lane.field(bits: 1)
        pending = lane.field(bits: program.processes.count)
        locks = program.locks.map { _ in lane.field(bits: 1) }
        stopper = global.field(max: program.processes.count)
        placeVariables(program, &global, &lane)
        placeText(program, &global, &lane)
        budgets = program.events.map { global.field(max: $0.max) }
        placeFrames(program, framesMax, &lane)
        globalWords = max(global.words, 1)
        laneWords = lane.words
    }

    private mutating func placeVariables(
        _ program: PokeProgram, _ global: inout FieldAllocator, _ lane: inout FieldAllocator
    ) {
        for (number, variable) in program.variables.enumerated() {
            if case .batch(let capacity) = variable.type {
                batches[number] = Batch(
                    length: global.field(max: capacity),
                    entries: (0..<capacity).map { _ in global.field(max: program.entries.count) })
                variables.append([])
                continue
            }
            let fields = (0..<variable.count).map { _ in
                variable.isPerCPU
                    ? lane.field(bits: Self.bits(variable.type, program))
                    : global.field(bits: Self.bits(variable.type, program))
            }
            variables.append(variable.isPerCPU ? [] : fields)
            if variable.isPerCPU { ownVariables[number] = fields }
        }
    }

    static func bits(_ type: ValueType, _ program: PokeProgram) -> Int {
        let values =
            switch type {
            case .bool: 2
            case .int(let low, let high): high - low + 1
            case .site: program.entries.count + 1
            case .instruction: program.instructions.count + 1
            case .oneOf(let names): names.count
            case .address: (program.sites.count + 1) * 32
            case .byte: 256
            case .batch, .bytes, .none: 1
            }
        var bits = 1
        while 1 << bits < values { bits += 1 }
        return bits
    }

    private mutating func placeText(
        _ program: PokeProgram, _ global: inout FieldAllocator, _ lane: inout FieldAllocator
    ) {
        for (number, site) in program.sites.enumerated() {
            let length = program.instructions[site.contents[0]].bytes.count
            var own: [Int] = []
            var from = 0
            for end in 1...length
            where end == length
                || (site.placement + end) >> program.fetch.chunkShift
                    != (site.placement + end - 1) >> program.fetch.chunkShift
            {
                own.append(chunks.count)
                chunks.append(chunk(program, number, from, end, &global, &lane))
                from = end
            }
            sites.append(
                SiteState(
                    current: global.field(max: program.instructions.count - 1),
                    update: global.field(max: program.instructions.count), chunks: own))
        }
    }

    private func chunk(
        _ program: PokeProgram, _ site: Int, _ from: Int, _ to: Int, _ global: inout FieldAllocator,
        _ lane: inout FieldAllocator
    ) -> Chunk {
        var bytes: [ByteCode] = []
        var shift = 0
        for offset in from..<to {
            var values = Set(program.sites[site].contents.map { program.instructions[$0].bytes[offset] })
            values.formUnion(program.pokedBytes[site, default: [:]][offset, default: []])
            if program.sites[site].hasForeignInt3, offset == 0 { values.insert(0xcc) }
            var bits = 0
            while 1 << bits < values.count { bits += 1 }
            bytes.append(ByteCode(shift: shift, mask: 1 << bits - 1, values: values.sorted()))
            shift += bits
        }
        let kept = program.fetch == .coherent ? 1 : Self.versionsMax
        return Chunk(
            site: site, from: from, to: to, count: global.field(max: kept),
            versions: (0..<kept).map { _ in global.field(bits: max(shift, 1)) },
            floor: lane.field(max: max(kept - 1, 1)), bytes: bytes)
    }

    private mutating func placeFrames(_ program: PokeProgram, _ framesMax: Int, _ lane: inout FieldAllocator) {
        let addresses = (program.sites.count + 1) * 32
        for _ in 0..<framesMax {
            frames.append(
                Frame(
                    pc: lane.field(max: program.code.count), savedFlag: lane.field(bits: 1),
                    site: lane.field(max: program.sites.count),
                    outcome: lane.field(max: max(addresses, program.effects.count + 2)),
                    locals: program.localSlots.map { lane.field(bits: $0) }))
        }
    }
}
