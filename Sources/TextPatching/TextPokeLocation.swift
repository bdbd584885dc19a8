public import X86

/// struct text_poke_loc: one entry of the batch.
@frozen
public struct TextPokeLocation: Sendable, Hashable {
    public let address: VirtualAddress
    /// The bytes before this update.
    public let old: InstructionBytes
    /// The bytes after it; as long as `old`.
    public let new: InstructionBytes
    /// What the INT3 handler emulates; `new` but for a few special encodings.
    public let emulated: InstructionBytes

    public init(
        address: VirtualAddress, old: InstructionBytes, new: InstructionBytes, emulated: InstructionBytes? = nil
    ) {
        precondition(old.count == new.count, "a text poke keeps the instruction's length")
        self.address = address
        self.old = old
        self.new = new
        self.emulated = emulated ?? new
    }
}

/// What a caller asks of text patching.
public enum TextPokeCommand: Sendable, Hashable {
    /// smp_text_poke_single() (text_poke_bp): one location, three syncs of its own.
    case single(TextPokeLocation)
    /// smp_text_poke_batch_add() (text_poke_queue) for each in turn, then smp_text_poke_batch_finish() (text_poke_finish).
    case queued([TextPokeLocation])
}
