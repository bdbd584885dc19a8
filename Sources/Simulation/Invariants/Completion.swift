import MachineModel
import TextPatching
import X86

/// I9: when the patch routine has returned, no CPU executes the old instruction or the INT3 any more.
enum Completion {
    /// Nil unless stale bytes were fetched at a place where no patch is in flight.
    static func check(_ bytes: InstructionBytes, at address: UInt64, _ array: TextPokeArray, _ text: TextMemory)
        -> String?
    {
        guard array.locationCovering(address) == nil else { return nil }
        let newest = text.newestInstruction(at: address, count: bytes.count)
        return bytes == newest ? nil : "fetched \(bytes) after the patch routine had returned; memory holds \(newest)"
    }
}
