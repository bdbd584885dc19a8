public import X86

/// Decoded instructions of text that patches change, by their bytes, which decide alone how they decode. One per driver
/// thread; a pure cache.
public final class DecodeCache {
    /// Entries; a power of two.
    static let capacity = 1 << 12

    private let environment: MachineEnvironment
    private let keys: UnsafeMutablePointer<InstructionBytes>
    private let instructions: UnsafeMutablePointer<Instruction>

    public init(_ environment: MachineEnvironment) {
        self.environment = environment
        keys = .allocate(capacity: Self.capacity)
        keys.initialize(repeating: InstructionBytes([]), count: Self.capacity)
        instructions = .allocate(capacity: Self.capacity)
        instructions.initialize(repeating: Instruction(), count: Self.capacity)
    }

    deinit {
        keys.deallocate()
        instructions.deallocate()
    }

    /// The instruction that starts `bytes`, as fetched through a CPU's view; nil where none decodes.
    ///
    /// The pointer is good until the next call.
    @inline(__always)
    public func instruction(of bytes: InstructionBytes, at address: UInt64) -> UnsafePointer<Instruction>? {
        let slot = Int(truncatingIfNeeded: address ^ address >> 12) & (Self.capacity - 1)
        if bytes.count > 0, keys[slot] == bytes { return UnsafePointer(instructions + slot) }
        return decode(bytes, slot)
    }

    @inline(never)
    private func decode(_ bytes: InstructionBytes, _ slot: Int) -> UnsafePointer<Instruction>? {
        guard let instruction = environment.decoder.decode(bytes) else { return nil }
        keys[slot] = bytes
        instructions[slot] = instruction
        return UnsafePointer(instructions + slot)
    }
}
