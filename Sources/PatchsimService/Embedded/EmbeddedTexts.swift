// Written by Tests/embed.sh; edit that.

/// Files of this project that the daemon answers with.
public enum EmbeddedTexts {
    /// Interface descriptions by interface.
    public static let interfaces: [String: String] = [
        "io.patchsim.Events": describedEvents,
        "io.patchsim.Files": describedFiles,
        "io.patchsim.Findings": describedFindings,
        "io.patchsim.Ftrace": describedFtrace,
        "io.patchsim.Invariants": describedInvariants,
        "io.patchsim.Machine": describedMachine,
        "io.patchsim.Service": describedService,
        "io.patchsim.Text": describedText,
    ]
}
