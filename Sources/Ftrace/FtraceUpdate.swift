/// What one change of ftrace's state makes of the machine and the log.
public struct FtraceUpdate: Sendable, Hashable {
    /// For the patcher task, in order. Empty when no text has to change.
    public internal(set) var steps: [FtraceStep] = []
    /// For the kernel log, in order.
    public internal(set) var log: [String] = []
    /// What the system call would return; the steps are to be carried out nevertheless.
    public internal(set) var failure: FtraceError?

    public init() {}
}
