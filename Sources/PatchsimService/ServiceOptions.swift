public import PatchsimInterface
internal import Glibc

/// What the command line says. What it leaves open is answered by the workload file, and then by the defaults.
public struct ServiceOptions: Sendable {
    public var kernel: String?
    public var cpus: Int?
    public var tasks: Int?
    public var seed: UInt64?
    public var instructionsPerSecond: Int?
    public var workloadPath: String?
    public var driver: MachineDriver?
    public var fetchModel: FetchModelName?
    public var ablated: [String] = []

    public init() {}

    public func settings() throws(ServiceStartError) -> ServiceSettings {
        var settings = ServiceSettings()
        if let workloadPath { settings.workload = try Self.workload(at: workloadPath) }
        let workload = settings.workload
        settings.kernel = kernel ?? settings.kernel
        settings.cpus = cpus ?? workload.cpus ?? settings.cpus
        settings.tasks = tasks ?? workload.tasks ?? settings.tasks
        settings.seed = seed ?? workload.seed ?? settings.seed
        settings.instructionsPerSecond = instructionsPerSecond ?? workload.instructionsPerSecond
        settings.driver = driver ?? settings.driver
        settings.fetchModel = fetchModel ?? settings.fetchModel
        settings.ablated = ablated
        try Self.check("cpus", settings.cpus, 1...ServiceSettings.cpusMax)
        try Self.check("tasks", settings.tasks, 1...ServiceSettings.tasksMax)
        if let speed = settings.instructionsPerSecond {
            try Self.check("speed", speed, 1...ServiceSettings.instructionsPerSecondMax)
        }
        guard settings.seed <= ServiceSettings.seedMax else {
            throw ServiceStartError(.usage, "--seed \(settings.seed): is not in 0 to \(ServiceSettings.seedMax)")
        }
        return settings
    }

    private static func check(_ option: String, _ value: Int, _ range: ClosedRange<Int>) throws(ServiceStartError) {
        guard range.contains(value) else {
            throw ServiceStartError(
                .usage, "--\(option) \(value): is not in \(range.lowerBound) to \(range.upperBound)")
        }
    }

    private static func workload(at path: String) throws(ServiceStartError) -> WorkloadFile {
        let bytes = try read(path, bytesMax: WorkloadFile.fileBytesMax)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw ServiceStartError(.configuration, "\(path): is not UTF-8 text")
        }
        do {
            return try WorkloadFile(parsing: text, file: path)
        } catch {
            throw ServiceStartError(.configuration, error.description)
        }
    }

    private static func read(_ path: String, bytesMax: Int) throws(ServiceStartError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw ServiceStartError(.unreadable, "\(path): \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count == 0 { return bytes }
            guard count > 0 else {
                throw ServiceStartError(.unreadable, "\(path): \(String(cString: strerror(errno)))")
            }
            bytes += chunk[..<count]
            guard bytes.count <= bytesMax else {
                throw ServiceStartError(.configuration, "\(path): is longer than \(bytesMax) bytes")
            }
        }
    }
}
