import TextPatching
import X86

/// I1: no CPU executes bytes that are neither the old nor the new instruction nor the INT3, nor starts inside either.
enum TornInstruction {
    /// Nil where the fetch of `bytes` at `address` is whole; else what is wrong.
    static func check(_ bytes: InstructionBytes, at address: UInt64, _ array: TextPokeArray) -> String? {
        guard let (location, offset) = array.locationCovering(address) else { return nil }
        if offset > 0 {
            return
                "execution starts \(offset) bytes inside the instruction at \(location.address), which is being patched"
        }
        if bytes.count > 0, bytes[0] == 0xcc { return nil }
        let length = min(bytes.count, location.new.count)
        let seen = bytes.prefix(length)
        if length == location.new.count, seen == location.old || seen == location.new { return nil }
        return "fetched \(bytes), which is neither the old \(location.old) nor the new \(location.new)"
    }
}
