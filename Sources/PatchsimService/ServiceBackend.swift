public import Configuration
public import PatchsimInterface
public import SimulationRuntime
public import X86

/// What the handlers need of the simulated machine; the daemon's is `SimulationBackend`, tests bring a scripted one.
///
/// Parameters have been checked against the limits of `ServiceLimits` before they arrive here. What a client can do wrong
/// is thrown as an `InterfaceFault` (FilesFault, TextFault ...); anything else that is thrown reaches the client as
/// io.patchsim.Service.Internal and is logged as an error.
public protocol ServiceBackend: Sendable {
    /// What happened, in order; handlers read it without asking the machine.
    var events: EventFeed { get }

    // io.patchsim.Machine
    func state() async throws -> MachineState
    /// The same without waiting; nil where that can't be. It is the state of now or, while the machine is in the middle of a
    /// step that others can't see into, the one before that step.
    func stateAtOnce() -> MachineState?
    func cpus() async throws -> [CPUState]
    func tasks() async throws -> [TaskState]
    /// Returns when all CPUs stand at an instruction boundary.
    func pause() async throws
    func resume() async throws
    /// The last `ServiceLimits.stepRecordsMax` steps at most, oldest first; empty when stepping back.
    func step(cpu: Int?, count: Int, back: Bool) async throws -> [StepRecord]

    // io.patchsim.Text
    func textBytes(at address: VirtualAddress, count: Int) async throws -> [UInt8]
    /// `count` instructions from `start`, or to the function's end.
    func disassemble(from start: TextPlace, count: Int?) async throws -> Disassemble.Reply
    /// All symbols of that name in kallsyms' order, or the one that covers the address; TextFault.NoSuchSymbol if none.
    func symbols(at place: TextPlace) async throws -> [SymbolRecord]
    /// Ascending; a glob that matches nothing gives an empty list.
    func functions(matching glob: String?) async throws -> [FunctionRecord]

    // io.patchsim.Files
    func listFiles(path: String) async throws -> [DirectoryEntry]
    /// The whole file as it is now, as open(2) followed by read(2) to the end would give it.
    func readFile(path: String) async throws -> [UInt8]
    /// Returns when the kernel has done what the text asks for: call sites are rewritten.
    func writeFile(path: String, text: String, append: Bool) async throws
    func makeDirectory(path: String) async throws
    func removeDirectory(path: String) async throws

    // io.patchsim.Ftrace
    /// Returns when all sites are rewritten; FtraceFault.NothingMatches if there is nothing to do it to.
    func setTracing(_ enabled: Bool, glob: String) async throws -> FtraceUpdate
    func ftraceSites(matching glob: String?) async throws -> [FtraceSite]

    // io.patchsim.Invariants
    func verdict() async throws -> GetVerdict.Reply
    func replay(line: String) async throws -> ReplayLine.Reply

    /// How far each driver has come, for the watchdog; returns when all of them have answered.
    func driverProgress() async -> [DriverProgress]
    /// Grows while a command works on the machine at rest.
    var commandProgress: UInt64 { get }
    /// Follows a change of `speed` and of the rates of `interrupts`.
    func setRates(_ settings: ServiceSettings) async

    /// Stops everything; called once, when the daemon ends.
    func stop() async
}

/// A place in the kernel as a client names it.
public enum TextPlace: Sendable, Hashable {
    case symbol(String)
    case address(VirtualAddress)
}
