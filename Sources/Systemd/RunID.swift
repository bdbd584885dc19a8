internal import CSystemd

/// Names one run of a program in the journal.
public enum RunID {
    /// 32 hexadecimal digits that no other run has.
    public static func random() -> String {
        var id = sd_id128_t()
        let status = sd_id128_randomize(&id)
        precondition(status == 0, "the system has random numbers")
        return withUnsafeBytes(of: id) { bytes in
            bytes.reduce(into: "") { text, byte in text += (byte < 16 ? "0" : "") + String(byte, radix: 16) }
        }
    }
}
