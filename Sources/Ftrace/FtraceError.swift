/// Why ftrace refused; the names are the kernel's errnos.
public enum FtraceError: Error, Sendable, Hashable {
    /// ENODEV: ftrace found text that it didn't expect and is disabled for good.
    case disabled
    /// EBUSY: the ops is registered already, or isn't registered.
    case busy
    /// EBUSY: another IPMODIFY ops holds the record of this name.
    case ipModifyTaken(function: String)
    /// EINVAL: an IPMODIFY ops needs a filter, and can't have a notrace hash.
    case ipModifyNeedsFilter
    /// EINVAL: nothing in the kernel matches.
    case noMatch(pattern: String)
    /// EINVAL: the word after the first colon of `func:command:...` isn't a command.
    case unknownCommand(String)
    /// EINVAL: no tracer of this name.
    case unknownTracer(String)
    /// EEXIST
    case instanceExists(String)
    /// ENOENT
    case noSuchInstance(String)
    /// ENOMEM: more ops than `FtraceState.opsMax`.
    case tooManyOps
    /// EINVAL: a word longer than `FtraceState.filterWordLengthMax`.
    case wordTooLong
}
