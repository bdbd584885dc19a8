import Ftrace
import Glibc
import KernelImage
import KernelModel
import MachineModel
import Testing
import TextPatching
import X86

@testable import Simulation

/// The function tracer on all of Debian's kernel, under running CPUs. It fails without the kernel that
/// Tests/fetch-kernels.sh fetches: silence would prove nothing.
@Suite("Debian's kernel")
struct DebianKernelTests {
    private struct Absent: Error, CustomStringConvertible {
        let description: String
    }

    private static func image(_ folder: String = "amd64") throws -> KernelImage {
        var parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
        parts.removeLast(3)
        let path =
            getenv(folder == "amd64" ? "PATCHSIM_TEST_KERNEL" : "PATCHSIM_TEST_KERNEL_I386").map { String(cString: $0) }
            ?? parts.joined(separator: "/") + "/.build-kernels/\(folder)/vmlinuz"
        guard access(path, R_OK) == 0 else {
            throw Absent(description: "no kernel at \(path): run Tests/fetch-kernels.sh, or set PATCHSIM_TEST_KERNEL")
        }
        return try KernelImage.load(path: path)
    }

    @Test("The 32-bit kernel is patched on and off, with its own NOP, while nothing executes on it")
    func i386() throws {
        let image = try Self.image("i386")
        var world = try World(
            image: image,
            configuration: WorldConfiguration(cpuCount: 2, taskCount: 4, seed: 1, workload: Fixture.workload(image)))
        let driver = SeededDriver(seed: 1, environment: world.kernel.environment)
        let site = try #require(world.kernel.ftrace.records.first { !$0.has(.disabled) }).address
        for (tracer, first) in [(Tracer.function, UInt8(0xe8)), (.nop, 0x3e)] {
            try Fixture.finish(Fixture.setTracer(tracer, &world), &world, driver)
            #expect(world.kernel.verdict.violation == nil)
            #expect(world.kernel.textBytes(at: site, count: 5)?.first == first)
        }
        #expect(world.kernel.array.statistics.sites > 60_000)
        #expect(world.cpus.allSatisfy { $0.state.counts.instructions == 0 })
    }

    private struct Batch: Equatable {
        let count: Int
        let first: VirtualAddress
        let last: VirtualAddress
    }

    /// The sites that the recorded kernel patches, by its release.
    private static let recorded = ["6.1.0-56-cloud-amd64": 35_051]

    @Test("Every site is patched in ascending batches of 256 while four CPUs run its functions")
    func everything() throws {
        let image = try Self.image()
        var world = try World(
            image: image,
            configuration: WorldConfiguration(cpuCount: 4, taskCount: 16, seed: 1, workload: Fixture.workload(image)))
        let driver = SeededDriver(seed: 1, environment: world.kernel.environment)
        for _ in 0..<20_000 { driver.take(&world) }
        let ticket = try #require(Fixture.setTracer(.function, &world))
        var batches: [Batch] = []
        var next = world.kernel.events.next
        while !world.kernel.isComplete(ticket), !world.kernel.isStopped, world.kernel.turn < 4_000_000 {
            for _ in 0..<256 { driver.take(&world) }
            for event in world.kernel.events.events(from: next, limit: 1 << 14) {
                if case .batchBegan(let count, let first, let last) = event.kind {
                    batches.append(Batch(count: count, first: first, last: last))
                }
                next = event.sequence + 1
            }
        }
        #expect(world.kernel.verdict.violation == nil)
        try #require(world.kernel.isComplete(ticket))
        let sites = world.kernel.ftrace.records.filter { $0.has(.enabled) }
        let release = image.banner.dropFirst("Linux version ".count).prefix { $0 != " " }
        if let count = Self.recorded[String(release)] { #expect(sites.count == count) }
        let whole = batches.filter { $0.count > 1 }
        #expect(whole.dropLast().allSatisfy { $0.count == 256 } && whole.last?.count == (sites.count - 1) % 256 + 1)
        #expect(whole.reduce(0) { $0 + $1.count } == sites.count)
        #expect(zip(whole, whole.dropFirst()).allSatisfy { $0.last < $1.first })
        for site in sites { #expect(world.kernel.textBytes(at: site.address, count: 1) == [0xe8]) }
        #expect(world.kernel.traps.taken > 0 && world.kernel.traps.sites.count > 0)
        #expect(
            world.kernel.traps.taken == world.kernel.traps.emulated
                + UInt64(world.cpus.count { $0.contextName == "int3" }))
        // The CPUs walk real code: most instructions have exact semantics, and walks are long.
        let counts = world.cpus.reduce(into: RetiredCounts()) { $0 += $1.state.counts }
        #expect(Double(counts.exact) / Double(counts.instructions) > 0.9)
    }
}
