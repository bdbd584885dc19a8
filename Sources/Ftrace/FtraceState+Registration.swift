extension FtraceState {
    /// register_ftrace_function()
    public mutating func register(
        _ id: FtraceOpsID, text: some TextReading
    ) throws(FtraceError) -> FtraceUpdate {
        FtraceUpdate()
    }

    /// unregister_ftrace_function()
    public mutating func unregister(
        _ id: FtraceOpsID, text: some TextReading
    ) throws(FtraceError) -> FtraceUpdate {
        FtraceUpdate()
    }

    /// ftrace_hash_move_and_update_ops(): replaces a hash of an ops, registered or not.
    public mutating func setHash(
        _ id: FtraceOpsID, _ hash: FtraceHash, notrace: Bool, text: some TextReading
    ) throws(FtraceError) -> FtraceUpdate {
        FtraceUpdate()
    }
}
