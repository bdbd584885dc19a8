internal import EntryCode
internal import Logging
internal import PatchsimInterface
internal import X86

/// What the daemon tries before it trusts itself, as the kernel does at boot.
public enum SelfTest {
    /// An INT3 over a call with a live argument register, in both widths.
    public static func run(_ log: ServiceLog) throws(ServiceStartError) {
        try run(ProcessorMode.allCases.map(Int3SelfTest.form), log)
    }

    static func run(_ forms: [EntryForm], _ log: ServiceLog) throws(ServiceStartError) {
        var counts: [String] = []
        for form in forms {
            do throws(Int3SelfTest.Failure) {
                counts.append("\(form.mode.rawValue) in \(try Int3SelfTest.run(form)) instructions")
            } catch {
                throw ServiceStartError(
                    .software, "the self-test of INT3 emulation failed on \(error.mode.rawValue): \(error.message)")
            }
        }
        log.write(.info, .selfTest, "INT3 emulation passed its self-test: \(counts.joined(separator: ", "))")
    }
}
