import Synchronization
import X86

/// The decoded text of an image: one for all CPUs, immutable but for growing where somebody executes.
///
/// Records stand in program order behind an index of four bytes for each byte of text, so that straight-line execution
/// steps from record to record and only branches look up. A run of records ends with one whose shortcut is `.link`.
final class Predecode: @unchecked Sendable {
    // Sendable: a record is written before the index that leads to it is published, and never again but for its link,
    // which is atomic.

    /// Records at most, for each byte of text; x86_64 text has one instruction in four bytes.
    private static let recordsPerByteMax = 0.5
    /// For small texts.
    private static let recordsMin = 4096
    /// Instructions that are decoded together.
    private static let runMax = 256
    private static let pageShift: UInt64 = 12
    private static let pageSize = 1 << 12

    /// Index entry of text that a CPU must fetch through its own view.
    static let viewOnly = UInt32.max

    private let text: TextSource
    private let records: UnsafeMutablePointer<Instruction>
    private let capacity: Int
    private let pageCount: Int
    /// For each page the address of its index, 0 while there is none.
    private let pages: UnsafeMutablePointer<Atomic<UInt>>
    private let isLocked = Atomic<Bool>(false)
    /// Records in use; guarded by `isLocked`. Number 0 stays free: an index of 0 says "unknown".
    private var used = 1

    init(text: TextSource) {
        self.text = text
        capacity = max(Int(Double(text.bytes.count) * Self.recordsPerByteMax), Self.recordsMin)
        // Pages of the allocation that nobody writes take no memory.
        records = .allocate(capacity: capacity)
        pageCount = (text.bytes.count + Self.pageSize - 1) / Self.pageSize
        pages = .allocate(capacity: max(pageCount, 1))
        for page in 0..<pageCount { (pages + page).initialize(to: Atomic<UInt>(0)) }
    }

    deinit {
        for page in 0..<pageCount {
            if let index = UnsafeMutableRawPointer(bitPattern: pages[page].load(ordering: .relaxed)) {
                index.deallocate()
            }
        }
        pages.deallocate()
        records.deallocate()
    }

    /// What the index holds for `address`: 0 for unknown.
    @inline(__always)
    func number(_ address: UInt64) -> UInt32 {
        let offset = address &- text.address.rawValue
        guard offset < UInt64(text.bytes.count) else { return Self.viewOnly }
        let page = pages[Int(offset >> Self.pageShift)].load(ordering: .acquiring)
        guard let index = UnsafePointer<Atomic<UInt32>>(bitPattern: page) else { return 0 }
        return index[Int(offset) & (Self.pageSize - 1)].load(ordering: .acquiring)
    }

    @inline(__always)
    func record(_ number: UInt32) -> UnsafePointer<Instruction> {
        UnsafePointer(records + Int(number))
    }

    /// The record at `address`; nil where it must be fetched through the CPU's own view.
    @inline(__always)
    func instruction(at address: UInt64, _ environment: MachineEnvironment) -> UnsafePointer<Instruction>? {
        var number = number(address)
        if number == 0 { number = decode(address, environment) }
        return number == Self.viewOnly ? nil : record(number)
    }

    /// Where a direct branch keeps the number of its target's record.
    @inline(__always)
    static func link(_ record: UnsafePointer<Instruction>) -> UnsafePointer<Atomic<UInt32>> {
        // `displacement`, which a direct branch does not use.
        (UnsafeRawPointer(record) + linkOffset).assumingMemoryBound(to: Atomic<UInt32>.self)
    }

    /// MemoryLayout<Instruction>.offset(of: \.displacement), as a constant.
    static let linkOffset = 12

    /// Goes to the target of the direct branch at `pc`, and lets the branch remember where that is.
    @inline(never)
    func follow(_ pc: inout UnsafePointer<Instruction>, to address: UInt64, _ environment: MachineEnvironment) -> Bool {
        var number = number(address)
        if number == 0 { number = decode(address, environment) }
        if number == Self.viewOnly { return false }
        Self.link(pc).pointee.store(number, ordering: .releasing)
        pc = record(number)
        return true
    }

    // MARK: Decoding

    /// Decodes from `address` up to the end of the straight line, or to where the text is known; returns its number.
    @inline(never)
    private func decode(_ address: UInt64, _ environment: MachineEnvironment) -> UInt32 {
        while isLocked.exchange(true, ordering: .acquiring) {}
        defer { isLocked.store(false, ordering: .releasing) }
        let known = number(address)
        if known != 0 { return known }
        let first = used
        guard first + Self.runMax + 1 < capacity else { return Self.viewOnly }
        var place = address
        var addresses: [UInt64] = []
        while addresses.count < Self.runMax, number(place) == 0 {
            guard let instruction = fetch(place, environment) else {
                publish(place, Self.viewOnly)
                break
            }
            (records + first + addresses.count).initialize(to: instruction)
            addresses.append(place)
            place &+= UInt64(instruction.length)
            if instruction.endsStraightLine { break }
        }
        guard !addresses.isEmpty else { return Self.viewOnly }
        var link = Instruction()
        link.shortcut = Shortcut.link.rawValue
        link.length = 0
        (records + first + addresses.count).initialize(to: link)
        used = first + addresses.count + 1
        for (offset, address) in addresses.enumerated() { publish(address, UInt32(first + offset)) }
        return UInt32(first)
    }

    /// nil where a CPU must look for itself.
    private func fetch(_ address: UInt64, _ environment: MachineEnvironment) -> Instruction? {
        guard text.contains(address), !environment.isServed(address) else { return nil }
        if let register = environment.indirectThunks[address] {
            var jump = Instruction()
            jump.operation = .jumpIndirect
            (jump.destinationKind, jump.destination, jump.size) = (.register, register, 8)
            return jump
        }
        let offset = Int(address &- text.address.rawValue)
        let window = UnsafeRawBufferPointer(
            rebasing: text.bytes[offset..<min(offset + InstructionBytes.lengthMax, text.bytes.count)])
        guard var instruction = environment.decoder.decode(window),
            !environment.isPatchable(address, count: Int(instruction.length))
        else { return nil }
        instruction.shortcut = Shortcut.of(instruction, environment.decoder.mode).rawValue
        switch instruction.operation {
        case .call, .jump, .jumpCondition: instruction.displacement = 0
        default: break
        }
        return instruction
    }

    private func publish(_ address: UInt64, _ number: UInt32) {
        let offset = address &- text.address.rawValue
        guard offset < UInt64(text.bytes.count) else { return }
        let page = Int(offset >> Self.pageShift)
        var bits = pages[page].load(ordering: .relaxed)
        if bits == 0 {
            let index = UnsafeMutablePointer<Atomic<UInt32>>.allocate(capacity: Self.pageSize)
            for entry in 0..<Self.pageSize { (index + entry).initialize(to: Atomic<UInt32>(0)) }
            bits = UInt(bitPattern: index)
            pages[page].store(bits, ordering: .releasing)
        }
        guard let index = UnsafePointer<Atomic<UInt32>>(bitPattern: bits) else { return }
        index[Int(offset) & (Self.pageSize - 1)].store(number, ordering: .releasing)
    }

    /// Bytes that records and indexes take.
    var memory: Int {
        let indexed = (0..<pageCount).reduce(0) { $0 + (pages[$1].load(ordering: .relaxed) == 0 ? 0 : 1) }
        return used * MemoryLayout<Instruction>.stride + indexed * Self.pageSize * MemoryLayout<UInt32>.stride
    }
}
