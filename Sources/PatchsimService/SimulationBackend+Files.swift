internal import Configuration
internal import Spelling
internal import Ftrace
internal import KernelFiles
internal import KernelImage
internal import MachineModel
internal import PatchsimInterface
internal import Simulation
internal import SimulationRuntime
internal import TextPatching
internal import X86

/// Inputs of a world: writes to its files, and rates that a reload sets.
enum KernelFileInput {
    static func perform(
        _ input: WorldInput, on kernel: inout KernelState
    ) throws(KernelFileError) -> KernelWriteResult {
        switch input.action {
        case .write: try KernelFileTree.write(input.path, input.text, append: false, in: &kernel)
        case .append: try KernelFileTree.write(input.path, input.text, append: true, in: &kernel)
        case .makeDirectory: try KernelFileTree.makeDirectory(input.path, in: &kernel)
        case .removeDirectory: try KernelFileTree.removeDirectory(input.path, in: &kernel)
        case .setRates: setRates(input.text, of: &kernel)
        }
    }

    /// What a replay line says is within the bounds of the configuration, or changes nothing.
    private static func setRates(_ text: String, of kernel: inout KernelState) -> KernelWriteResult {
        let numbers = text.split(separator: " ").compactMap { Int($0) }
        if numbers.count == 3, (1...ServiceSettings.instructionsPerSecondMax).contains(numbers[0]),
            numbers[1...].allSatisfy((0...InterruptSettings.rateMax).contains)
        {
            kernel.setRates(speed: numbers[0], irq: numbers[1], nmi: numbers[2])
        }
        return .completed
    }

    /// For replays: what it throws was told to the client the first time.
    static func apply(_ input: WorldInput, to kernel: inout KernelState) {
        _ = try? perform(input, on: &kernel)
    }
}

extension SimulationBackend {
    // MARK: io.patchsim.Files

    func listFiles(path: String) async throws -> [DirectoryEntry] {
        let entries = try files { () throws(KernelFileError) in
            try self.host.withKernel { kernel throws(KernelFileError) in try KernelFileTree.list(path, in: kernel) }
        }
        return entries.map {
            DirectoryEntry(name: $0.name, directory: $0.isDirectory, permissions: $0.permissions)
        }
    }

    func readFile(path: String) async throws -> [UInt8] {
        // The reader holds what it needs of the kernel by value: rendering happens outside of the guard.
        var reader = try files { () throws(KernelFileError) in
            try self.host.withKernel { kernel throws(KernelFileError) in try KernelFileTree.open(path, in: kernel) }
        }
        return reader.read(count: .max)
    }

    func writeFile(path: String, text: String, append: Bool) async throws {
        try await change { [WorldInput(append ? .append : .write, path: path, text: text)] }
    }

    func makeDirectory(path: String) async throws {
        try await change { [WorldInput(.makeDirectory, path: path)] }
    }

    func removeDirectory(path: String) async throws {
        try await change { [WorldInput(.removeDirectory, path: path)] }
    }

    /// Does inputs, one after the other, that are durable before the first is done.
    private func change(_ plan: () throws -> [WorldInput]) async throws {
        try await inputs.perform(machine, plan)
    }

    /// Does an input and returns when the kernel has done what it asks for.
    func apply(_ input: WorldInput) async throws {
        while true {
            let done: KernelWriteResult?
            do throws(KernelFileError) {
                done = try await host.perform(input) { kernel throws(KernelFileError) in
                    try KernelFileInput.perform(input, on: &kernel)
                }
            } catch {
                if let ticket = error.pending { try await finish(ticket) }
                throw fault(error)
            }
            guard let result = done else { throw stopped() }
            switch result {
            case .completed: return
            case .pending(let ticket):
                try await finish(ticket)
                return
            case .blocked(let ticket): try await finish(ticket)
            }
        }
    }

    private func finish(_ ticket: UpdateTicket) async throws {
        let outcome = await host.wait(for: ticket)
        flushEvents()
        switch outcome {
        case .complete, .ended: return
        case .stopped: throw stopped()
        case .takenBack:
            throw MachineFault.NotSupportedByDriver(
                driver: settings.driver, reason: "the machine was stepped back behind the beginning of this change")
        }
    }

    private func stopped() -> MachineFault.StoppedByViolation {
        flushEvents()
        return MachineFault.StoppedByViolation(
            replay: host.withKernel { $0.verdict.violation }.map { replayLine($0) } ?? "")
    }

    private func files<Result>(
        _ body: () throws(KernelFileError) -> Result
    ) throws -> Result {
        do throws(KernelFileError) {
            return try body()
        } catch {
            throw fault(error)
        }
    }

    private func fault(_ error: KernelFileError) -> FilesFault {
        FilesFault(errno: error.errno.name, path: error.path, reason: error.message)
    }

    // MARK: io.patchsim.Ftrace

    private static let filter = KernelFileTree.tracing + "/set_ftrace_filter"
    private static let notrace = KernelFileTree.tracing + "/set_ftrace_notrace"
    private static let tracer = KernelFileTree.tracing + "/current_tracer"

    func setTracing(_ enabled: Bool, glob: String) async throws -> PatchsimInterface.FtraceUpdate {
        guard host.withKernel({ $0.verdict.violation }) == nil else { throw stopped() }
        let pattern = FtraceGlob(glob)
        let matched = host.withKernel { kernel in
            kernel.ftrace.records.indices.count {
                !kernel.ftrace.records[$0].has(.disabled) && pattern.matches(kernel.ftrace.names[$0])
            }
        }
        guard matched > 0 else { throw FtraceFault.NothingMatches(glob: glob, near: nearFunctions(glob)) }
        let before = host.withKernel {
            (pokes: $0.array.statistics, traps: $0.traps.taken, nanoseconds: $0.nanoseconds)
        }
        try await change { enabled ? self.enabling(glob) : self.disabling(glob) }
        return host.withKernel { kernel in
            let after = kernel.array.statistics
            return PatchsimInterface.FtraceUpdate(
                matched: matched, enabledSites: kernel.ftrace.records.count { $0.has(.enabled) },
                pokes: Int(after.sites - before.pokes.sites), batches: Int(after.batches - before.pokes.batches),
                traps: Int(kernel.traps.taken - before.traps), nanoseconds: Int(kernel.nanoseconds - before.nanoseconds)
            )
        }
    }

    /// What `echo` would have to be told: the filter first, then the tracer, so that no other site is touched between.
    private func enabling(_ glob: String) -> [WorldInput] {
        let isOn = currentTracer == "function"
        var inputs: [WorldInput] = []
        if glob == "*" {
            inputs.append(WorldInput(.write, path: Self.notrace))
            inputs.append(WorldInput(.write, path: Self.filter))
        } else if !isOn || !filter(Self.filter).isEmpty {
            inputs.append(WorldInput(isOn ? .append : .write, path: Self.filter, text: glob))
        }
        if glob != "*", !filter(Self.notrace).isEmpty {
            inputs.append(WorldInput(.append, path: Self.notrace, text: "!" + glob))
        }
        if !isOn { inputs.append(WorldInput(.write, path: Self.tracer, text: "function")) }
        return inputs
    }

    private func disabling(_ glob: String) -> [WorldInput] {
        guard currentTracer == "function" else { return [] }
        let names = filter(Self.filter)
        let pattern = FtraceGlob(glob)
        if glob == "*" || !names.isEmpty && names.allSatisfy({ pattern.matches($0) }) {
            // An empty filter means all functions, so the tracer goes first.
            return [
                WorldInput(.write, path: Self.tracer, text: "nop"), WorldInput(.write, path: Self.filter),
                WorldInput(.write, path: Self.notrace),
            ]
        }
        if names.isEmpty { return [WorldInput(.append, path: Self.notrace, text: glob)] }
        return [WorldInput(.append, path: Self.filter, text: "!" + glob)]
    }

    private var currentTracer: String {
        host.withKernel { $0.ftrace.arrays.first?.currentTracer.rawValue ?? "nop" }
    }

    /// The functions that a filter file lists; empty where it lists none.
    private func filter(_ path: String) -> [String] {
        let text = host.withKernel { try? KernelFileTree.read(path, in: $0) } ?? ""
        return text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map(String.init)
    }

    private func nearFunctions(_ glob: String) -> [String] {
        host.withKernel { kernel in
            let names = kernel.ftrace.records.indices.lazy.map {
                String(decoding: kernel.ftrace.names[$0], as: UTF8.self)
            }
            return nearest(to: glob, in: names, countMax: 3)
        }
    }

    func ftraceSites(matching glob: String?) async throws -> [FtraceSite] {
        let pattern = glob.map { FtraceGlob($0) }
        let sites = host.withKernel { kernel in
            kernel.ftrace.records.indices.compactMap { index -> FtraceSite? in
                let name = kernel.ftrace.names[index]
                if let pattern, !pattern.matches(name) { return nil }
                return self.site(kernel.ftrace.records[index], String(decoding: name, as: UTF8.self), kernel)
            }
        }
        if sites.isEmpty, let glob { throw FtraceFault.NothingMatches(glob: glob, near: nearFunctions(glob)) }
        return sites
    }

    private func site(_ record: DynFtrace, _ name: String, _ kernel: borrowing KernelState) -> FtraceSite {
        let bytes = kernel.text.newestBytes(at: record.address, count: 5)
        var target: String?
        let state: String
        switch bytes.first {
        case 0xe8:
            state = "call"
            let address = record.address + 5 + InstructionBytes(bytes).displacement32
            target =
                kernel.ftrace.opsOfTrampoline(covering: address).map { "ftrace_trampoline of \($0.name)" }
                ?? symbol(address)
        case 0xcc: state = "int3"
        default: state = bytes == InstructionBytes.nop5(image.mode).bytes ? "nop" : "other"
        }
        return FtraceSite(
            function: name, address: Wire.address(record.address.rawValue), bytes: Wire.bytes(bytes), state: state,
            enabled: record.has(.enabled), target: target,
            traps: Int(kernel.traps.sites[record.address.rawValue] ?? 0))
    }
}
