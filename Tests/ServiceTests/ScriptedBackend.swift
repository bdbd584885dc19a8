import Configuration
import Locking
import PatchsimInterface
import PatchsimService
import SimulationRuntime
import Varlink
import X86

/// A machine that answers by heart and writes down what it was asked.
final class ScriptedBackend: ServiceBackend {
    let events = EventFeed()
    private let asked = Guarded<[String]>([])
    private let run = Guarded(MachineRunState.running)

    var calls: [String] {
        asked.withLock { $0 }
    }

    private func note(_ call: String) {
        asked.withLock { $0.append(call) }
    }

    static let functionCount = 1200
    static let fileText = (0..<20_000).map { "line \($0) ä\n" }.joined()

    func state() async throws -> MachineState {
        currentState
    }

    func stateAtOnce() -> MachineState? {
        isBusy.withLock { $0 } ? nil : currentState
    }

    /// The state can't be had at once.
    let isBusy = Guarded(false)

    private var currentState: MachineState {
        MachineState(
            kernel: "builtin", banner: "Linux version 6.1.0 (scripted)", mode: "x86_64", driver: .live,
            run: run.withLock { $0 }, cpuCount: 2, taskCount: 3, seed: 7, fetchModel: "chunk16", ablated: ["sync2"],
            nanoseconds: 12_345_678_901, retired: 1_234_567,
            exactness: Exactness(exactSemantics: 0.5, knownInputs: 0.25),
            pokes: 35_051, batches: 137, syncs: 411, trapsTaken: 1500, trapsEmulated: 1500, trapSites: 1001,
            tracer: "function", enabledSites: 35_051, eventSequence: events.newestSequence, violations: 0)
    }

    func cpus() async throws -> [CPUState] {
        [
            CPUState(
                index: 0, state: "running", pid: 101, comm: "reader", ip: "0xffffffff81000010",
                symbol: "vfs_read+0x10/0x40",
                context: .int3, interruptsEnabled: false, retired: 1_000_000, traps: 12),
            CPUState(
                index: 1, state: "idle", ip: "0xffffffff81000100", symbol: "do_idle+0x0/0x20", context: .task,
                interruptsEnabled: true, retired: 234_567, traps: 0),
        ]
    }

    func tasks() async throws -> [TaskState] {
        [
            TaskState(
                pid: 101, comm: "reader", state: "running", cpu: 0, function: "vfs_read", loops: 42,
                unwinds: TaskUnwinds(state: 1, budget: 2, fault: 3))
        ]
    }

    func pause() async throws {
        note("pause")
        run.withLock { $0 = .paused }
    }

    func resume() async throws {
        note("resume")
        run.withLock { $0 = .running }
    }

    func step(cpu: Int?, count: Int, back: Bool) async throws -> [StepRecord] {
        note("step \(cpu.map { "\($0)" } ?? "any") \(count) \(back)")
        if let cpu, cpu >= 2 { throw MachineFault.NoSuchCPU(cpu: cpu, cpuCount: 2) }
        if back { throw MachineFault.NotSupportedByDriver(driver: .live, reason: "only replays step back") }
        guard run.withLock({ $0 }) == .paused else { throw MachineFault.NotPaused() }
        return (0..<count).map {
            StepRecord(
                cpu: cpu ?? 0, address: Wire.address(0xffff_ffff_8100_0000 + UInt64($0)), symbol: "f+0x0/0x5",
                bytes: "0f1f440000", text: "nopl 0(%rax,%rax,1)", context: .task, nanoseconds: $0)
        }
    }

    func textBytes(at address: VirtualAddress, count: Int) async throws -> [UInt8] {
        note("read \(address) \(count)")
        guard address.rawValue >= 0xffff_ffff_8100_0000 else {
            throw TextFault.NotText(
                address: Wire.address(address.rawValue), length: count, textStart: "0xffffffff81000000",
                textEnd: "0xffffffff81200000")
        }
        return (0..<count).map { UInt8(truncatingIfNeeded: $0) }
    }

    func disassemble(from start: TextPlace, count: Int?) async throws -> Disassemble.Reply {
        note("disassemble \(start) \(count.map { "\($0)" } ?? "all")")
        return Disassemble.Reply(
            symbol: "vfs_read",
            lines: [
                DisassembledLine(
                    address: "0xffffffff81000000", bytes: "e8fbffff0f", text: "call 0xffffffff91000000", site: "mcount"),
                DisassembledLine(address: "0xffffffff81000005", bytes: "c3", text: "ret"),
            ])
    }

    func symbols(at place: TextPlace) async throws -> [SymbolRecord] {
        if case .symbol(let name) = place, name != "vfs_read" {
            throw TextFault.NoSuchSymbol(symbol: name, near: ["vfs_read"])
        }
        return [SymbolRecord(name: "vfs_read", address: "0xffffffff81000000", type: "T", size: 64, offset: 16)]
    }

    func functions(matching glob: String?) async throws -> [FunctionRecord] {
        note("functions \(glob ?? "-")")
        return (0..<Self.functionCount).map { number -> FunctionRecord in
            let address: UInt64 = 0xffff_ffff_8100_0000 + UInt64(number) * 16
            return FunctionRecord(
                name: "function_\(number)", address: Wire.address(address), size: 16,
                traceable: number.isMultiple(of: 2), enabled: number.isMultiple(of: 4))
        }
    }

    func listFiles(path: String) async throws -> [DirectoryEntry] {
        guard path == "/" else { throw FilesFault(errno: "ENOENT", path: path, reason: "no such file or directory") }
        return [
            DirectoryEntry(name: "proc", directory: true, permissions: "r-xr-xr-x"),
            DirectoryEntry(name: "readme", directory: false, permissions: "r--r--r--"),
        ]
    }

    func readFile(path: String) async throws -> [UInt8] {
        note("open \(path)")
        guard path == "/proc/kallsyms" else {
            throw FilesFault(errno: "ENOENT", path: path, reason: "no such file or directory")
        }
        return Array(Self.fileText.utf8)
    }

    func writeFile(path: String, text: String, append: Bool) async throws {
        note("write \(path) \(text.debugDescription) \(append)")
        if path == "/proc/kallsyms" { throw FilesFault(errno: "EACCES", path: path, reason: "the file is read-only") }
    }

    func makeDirectory(path: String) async throws {
        note("mkdir \(path)")
    }

    func removeDirectory(path: String) async throws {
        note("rmdir \(path)")
    }

    func setTracing(_ enabled: Bool, glob: String) async throws -> FtraceUpdate {
        note("tracing \(enabled) \(glob)")
        if glob == "nothing" { throw FtraceFault.NothingMatches(glob: glob, near: ["noting"]) }
        if glob == "broken" { throw Broken() }
        return FtraceUpdate(
            matched: 3, enabledSites: enabled ? 3 : 0, pokes: 3, batches: 1, traps: 2, nanoseconds: 5000)
    }

    struct Broken: Error {}

    func ftraceSites(matching glob: String?) async throws -> [FtraceSite] {
        [
            FtraceSite(
                function: "vfs_read", address: "0xffffffff81000000", bytes: "e8fbffff0f", state: "call", enabled: true,
                target: "ftrace_caller", traps: 4)
        ]
    }

    func verdict() async throws -> GetVerdict.Reply {
        GetVerdict.Reply(
            holds: false, bounds: "builtin, 2 CPUs, chunk16",
            invariants: [InvariantRecord(id: "I1", title: "no torn instruction", checks: 1_000_000, violations: 1)],
            violations: [
                ViolationRecord(
                    invariant: "I1", nanoseconds: 5_000_000, cpu: 1, message: "e8 01 cd ef 01", replay: "r1:abc")
            ])
    }

    func replay(line: String) async throws -> ReplayLine.Reply {
        guard line.hasPrefix("r1:") else {
            throw InvariantsFault.BadReplayLine(line: line, reason: "it does not start with r1:")
        }
        return ReplayLine.Reply(turns: 12, log: ["first", "second"])
    }

    func driverProgress() async -> [DriverProgress] { [] }

    var commandProgress: UInt64 { 0 }

    func setRates(_ settings: ServiceSettings) async {
        note(
            "rates \(settings.instructionsPerSecond ?? 0) \(settings.interrupts.irqRate) \(settings.interrupts.nmiRate)"
        )
    }

    func stop() async {
        note("stop")
    }
}
