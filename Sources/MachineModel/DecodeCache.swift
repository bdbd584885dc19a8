public import X86

/// Decoded instructions by address, for text that no patch can change. One per driver thread; a pure cache.
public final class DecodeCache {
    /// Entries; a power of two. 24 bytes each, and the address.
    static let capacity = 1 << 15

    private let environment: MachineEnvironment
    private let addresses: UnsafeMutablePointer<UInt64>
    private let instructions: UnsafeMutablePointer<Instruction>
    /// Instructions of patchable text by their bytes, which decide alone how they decode.
    private let patchedBytes: UnsafeMutablePointer<InstructionBytes>
    private let patched: UnsafeMutablePointer<Instruction>

    /// Entries for patchable text; a power of two.
    static let patchedCapacity = 1 << 12

    public init(_ environment: MachineEnvironment) {
        self.environment = environment
        addresses = .allocate(capacity: Self.capacity)
        addresses.initialize(repeating: 0, count: Self.capacity)
        instructions = .allocate(capacity: Self.capacity)
        instructions.initialize(repeating: Instruction(), count: Self.capacity)
        patchedBytes = .allocate(capacity: Self.patchedCapacity)
        patchedBytes.initialize(repeating: InstructionBytes([]), count: Self.patchedCapacity)
        patched = .allocate(capacity: Self.patchedCapacity)
        patched.initialize(repeating: Instruction(), count: Self.patchedCapacity)
    }

    /// The instruction that starts `bytes`, as fetched through a CPU's view; nil where none decodes.
    ///
    /// The pointer is good until the next call.
    @inline(__always)
    public func instruction(of bytes: InstructionBytes, at address: UInt64) -> UnsafePointer<Instruction>? {
        let slot = Int(truncatingIfNeeded: address ^ address >> 12) & (Self.patchedCapacity - 1)
        if bytes.count > 0, patchedBytes[slot] == bytes { return UnsafePointer(patched + slot) }
        return decode(bytes, slot)
    }

    @inline(never)
    private func decode(_ bytes: InstructionBytes, _ slot: Int) -> UnsafePointer<Instruction>? {
        guard let instruction = environment.decoder.decode(bytes) else { return nil }
        patchedBytes[slot] = bytes
        patched[slot] = instruction
        return UnsafePointer(patched + slot)
    }

    deinit {
        addresses.deallocate()
        instructions.deallocate()
        patchedBytes.deallocate()
        patched.deallocate()
    }

    /// The instruction at `address`; nil where it must be fetched through the CPU's own view of the shared text.
    @inline(__always)
    func instruction(at address: UInt64) -> UnsafePointer<Instruction>? {
        let slot = Int(truncatingIfNeeded: address ^ (address >> 15)) & (Self.capacity - 1)
        if addresses[slot] == address {
            return instructions[slot].length != 0 ? UnsafePointer(instructions + slot) : nil
        }
        return fill(address, slot)
    }

    @inline(never)
    private func fill(_ address: UInt64, _ slot: Int) -> UnsafePointer<Instruction>? {
        let text = environment.text
        guard text.contains(address) else { return fillEntry(address, slot) }
        // A length of 0 stands for text that a CPU must fetch through its own view.
        addresses[slot] = address
        instructions[slot].length = 0
        if environment.isServed(address) { return nil }
        if let register = environment.indirectThunks[address] {
            var jump = Instruction()
            jump.operation = .jumpIndirect
            (jump.destinationKind, jump.destination, jump.size) = (.register, register, 8)
            instructions[slot] = jump
            return UnsafePointer(instructions + slot)
        }
        let offset = Int(address &- text.address.rawValue)
        let window = UnsafeRawBufferPointer(
            rebasing: text.bytes[offset..<min(offset + InstructionBytes.lengthMax, text.bytes.count)])
        guard let instruction = environment.decoder.decode(window),
            !environment.isPatchable(address, count: Int(instruction.length))
        else { return nil }
        instructions[slot] = instruction
        return UnsafePointer(instructions + slot)
    }

    /// Entry code; its IRET concerns everybody, since it serializes and ends a context.
    private func fillEntry(_ address: UInt64, _ slot: Int) -> UnsafePointer<Instruction>? {
        guard let instruction = environment.entryInstruction(at: address), instruction.operation != .interruptReturn
        else { return nil }
        addresses[slot] = address
        instructions[slot] = instruction
        return UnsafePointer(instructions + slot)
    }
}
