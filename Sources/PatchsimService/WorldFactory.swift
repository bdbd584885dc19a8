internal import Spelling
internal import Configuration
internal import Ftrace
internal import KernelImage
internal import MachineModel
internal import Simulation
internal import TextPatching
internal import X86

/// From settings to a world: the image, the workload resolved against it, the configuration.
struct WorldFactory {
    /// Instructions per second of all CPUs together where nobody says: it leaves three quarters of one core free.
    static let speedDefault = 800_000

    let image: KernelImage
    /// Globs and names of the workload that match nothing in this image.
    private(set) var skipped: [String] = []
    private(set) var workload: Workload

    init(_ settings: ServiceSettings) throws(ServiceStartError) {
        image = try Self.load(settings.kernel)
        workload = Workload(entries: [])
        let file = settings.workload
        let functions = FunctionIndex(image)
        var byFunction: [VirtualAddress: Int] = [:]
        for entry in file.entries {
            let found = functions.matching(entry.function)
            if found.isEmpty { skipped.append(entry.function) }
            // A glob's weight is shared by what it matches; thousandths keep small shares apart.
            for function in found {
                byFunction[function, default: 0] += max(1, entry.weight * 1000 / found.count)
            }
        }
        workload.entries = byFunction.sorted { $0.key < $1.key }.map {
            Workload.Entry(function: $0.key, weight: $0.value)
        }
        guard !workload.entries.isEmpty else {
            throw ServiceStartError(
                .configuration, "no [[entry]] of the workload matches a function that \(settings.kernel) can trace")
        }
        workload.irqEntries = resolve(file.irqEntries, functions)
        workload.nmiEntries = resolve(file.nmiEntries, functions)
        setRates(settings)
        for name in file.served {
            guard let address = image.symbols.address(of: name) else {
                skipped.append(name)
                continue
            }
            workload.served[address] = Self.switches(name) ? .schedule : .unwind
        }
    }

    /// Takes over how fast CPUs run and how often they are interrupted.
    mutating func setRates(_ settings: ServiceSettings) {
        workload.speed = settings.instructionsPerSecond ?? Self.speedDefault
        workload.irqRate = settings.interrupts.irqRate
        workload.nmiRate = settings.interrupts.nmiRate
    }

    private mutating func resolve(_ names: [String], _ functions: FunctionIndex) -> [VirtualAddress] {
        var found: [VirtualAddress] = []
        for name in names {
            let matches = functions.matching(name)
            if matches.isEmpty { skipped.append(name) }
            found += matches
        }
        return found
    }

    /// Whether a served function gives the CPU away and returns; the others end the walk.
    private static func switches(_ name: String) -> Bool {
        name.contains("schedule") || name == "__switch_to_asm"
    }

    private static func load(_ kernel: String) throws(ServiceStartError) -> KernelImage {
        guard kernel != "builtin" else { return .builtin() }
        do {
            return try KernelImage.load(path: kernel)
        } catch {
            let cause: ServiceStartError.Cause = error.kind == .unreadable ? .unreadable : .unfitImage
            // A file that can't be read is its own place already.
            let place = error.structure == kernel ? "" : "\(kernel): "
            throw ServiceStartError(cause, place + error.description)
        }
    }

    func configuration(_ settings: ServiceSettings) throws(ServiceStartError) -> WorldConfiguration {
        guard let model = FetchModel(rawValue: settings.fetchModel.rawValue) else {
            preconditionFailure("every name of a fetch model is one")
        }
        var ablation: TextPokeAblation = []
        let known = TextPokeAblation.byName
        for name in settings.ablated {
            guard let found = known.first(where: { $0.name == name }) else {
                let near =
                    nearest(to: name, in: known.map(\.name), countMax: 1).first.map { "; did you mean \($0)?" } ?? ""
                throw ServiceStartError(
                    .usage, "--ablate \(name): is not one of \(known.map(\.name).joined(separator: ", "))\(near)")
            }
            ablation.insert(found.ablation)
        }
        return WorldConfiguration(
            cpuCount: settings.cpus, taskCount: settings.tasks, seed: settings.seed,
            fetchModel: model, ablation: ablation, workload: workload)
    }

    func world(_ configuration: WorldConfiguration) throws(ServiceStartError) -> World {
        do {
            return try World(image: image, configuration: configuration)
        } catch FtraceTargetError.missingSymbol(let name) {
            throw ServiceStartError(
                .unfitImage, "\(image.name): has no symbol \(name); a kernel with CONFIG_DYNAMIC_FTRACE is needed")
        } catch {
            throw ServiceStartError(
                .unfitImage, "\(image.name): has no call sites of ftrace; a kernel with CONFIG_DYNAMIC_FTRACE is needed"
            )
        }
    }
}

/// Functions that tasks can enter, by name: those that ftrace knows.
struct FunctionIndex {
    let functions: [(name: String, address: VirtualAddress)]

    init(_ image: KernelImage) {
        functions = image.mcountSites.compactMap { site in
            guard let (index, offset, _) = image.symbols.lookup(site), offset == 0 else { return nil }
            return (image.symbols.name(at: index), site)
        }
    }

    func matching(_ pattern: String) -> [VirtualAddress] {
        let glob = FtraceGlob(pattern)
        return functions.filter { glob.matches($0.name) }.map(\.address)
    }
}
