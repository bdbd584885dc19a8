/// What a client may ask for at once. The protocol's own limits are in `VarlinkLimits`.
public enum ServiceLimits {
    /// io.patchsim.Text.Read.
    public static let textBytesMax = 65_536
    /// io.patchsim.Text.Disassemble.
    public static let instructionsMax = 4096
    /// io.patchsim.Machine.Step.
    public static let stepsMax = 100_000
    /// Steps that the reply of Step shows.
    public static let stepRecordsMax = 256
    /// Bytes of text in one reply of io.patchsim.Files.Read.
    public static let fileChunkBytesMax = 65_536
    /// Text of one io.patchsim.Files.Write.
    public static let fileWriteBytesMax = 65_536
    /// A path, as Linux's PATH_MAX.
    public static let pathBytesMax = 4096
    /// A glob; longer than any symbol name (KSYM_NAME_LEN is 512).
    public static let globBytesMax = 1024
    /// A name of a symbol; KSYM_NAME_LEN.
    public static let symbolBytesMax = 512
    /// io.patchsim.Invariants.Replay.
    public static let replayLineBytesMax = 65_536
    /// Functions, sites or events in one reply of a stream.
    public static let streamBatchMax = 512
    /// Kinds that a subscription may name.
    public static let eventKindsMax = 64
    /// Findings in one reply of io.patchsim.Findings.List.
    public static let findingsMax = 32
    /// Findings that a call names.
    public static let findingIDsMax = 1000
    /// Heavy calls of one user that run at once.
    public static let heavyCallsPerUserMax = 8
    /// Heavy calls of all users that run at once: their threads must leave some for light calls.
    public static let heavyCallsMax = 32
    /// Violations that a verdict lists.
    public static let violationsShownMax = 64
}
