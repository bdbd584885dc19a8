import Ftrace
import KernelFiles
import KernelImage
import Simulation
import Testing
import X86

/// A world on the built-in kernel whose only task is the patcher, and its files.
struct TestWorld {
    static let image = KernelImage.builtin()
    static let tracing = KernelFileTree.tracing

    var world: World
    private var driver: SeededDriver

    init(cpuCount: Int = 2) throws {
        world = try World(
            image: Self.image,
            configuration: WorldConfiguration(cpuCount: cpuCount, taskCount: 0, workload: Workload(entries: [])))
        driver = SeededDriver(seed: 1, environment: world.kernel.environment)
    }

    /// Reads a file; names without a slash in front are tracefs's.
    func read(_ path: String) throws -> String {
        try KernelFileTree.read(Self.absolute(path), in: world.kernel)
    }

    func lines(_ path: String) throws -> [String] {
        try read(path).split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
    }

    func open(_ path: String) throws -> KernelFileReader {
        try KernelFileTree.open(Self.absolute(path), in: world.kernel)
    }

    func names(_ path: String) throws -> [String] {
        try KernelFileTree.list(Self.absolute(path), in: world.kernel).map(\.name)
    }

    /// Writes without waiting.
    mutating func start(_ path: String, _ text: String, append: Bool = false) throws -> KernelWriteResult {
        try KernelFileTree.write(Self.absolute(path), text, append: append, in: &world.kernel)
    }

    /// Writes and runs the world until the system call would return.
    mutating func write(_ path: String, _ text: String, append: Bool = false) throws {
        try finish(try start(path, text, append: append))
    }

    mutating func makeDirectory(_ path: String) throws {
        try finish(try KernelFileTree.makeDirectory(Self.absolute(path), in: &world.kernel))
    }

    mutating func removeDirectory(_ path: String) throws {
        try finish(try KernelFileTree.removeDirectory(Self.absolute(path), in: &world.kernel))
    }

    mutating func finish(_ result: KernelWriteResult) throws {
        switch result {
        case .completed: return
        case .pending(let ticket): try finish(ticket)
        case .blocked: Issue.record("no other update is under way")
        }
    }

    mutating func finish(_ ticket: UpdateTicket) throws {
        for _ in 0..<1_000_000 where !world.kernel.isComplete(ticket) { driver.take(&world) }
        try #require(world.kernel.isComplete(ticket))
    }

    /// What a call fails with.
    func errno(_ body: () throws -> Void) -> KernelErrno? {
        error(body)?.errno
    }

    func error(_ body: () throws -> Void) -> KernelFileError? {
        do {
            try body()
            return nil
        } catch {
            return error as? KernelFileError
        }
    }

    static func absolute(_ path: String) -> String {
        path.hasPrefix("/") ? path : "\(tracing)/\(path)"
    }

    /// `%pS` of a function's start.
    static func symbolized(_ name: String) throws -> String {
        let address = try #require(image.symbols.address(of: name))
        let size = try #require(image.symbols.lookup(address)).size
        return "\(name)+0x0/0x\(String(size, radix: 16))"
    }

    static func address(_ name: String) throws -> VirtualAddress {
        try #require(image.symbols.address(of: name))
    }
}
