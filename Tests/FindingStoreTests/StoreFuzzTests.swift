import Glibc
import Testing

@testable import FindingStore

/// `make test` mutates a fixed number of stores from a fixed seed. By hand, PATCHSIM_FUZZ_SECONDS says how long and
/// PATCHSIM_FUZZ_SEED from where.
@Suite struct StoreFuzzTests {
    private static let iterationsUsual = 2000

    @Test("Whatever happened to the file, the store opens, keeps or sets aside, and works afterwards")
    func mutations() throws {
        func number(_ name: String) -> UInt64? { getenv(name).flatMap { UInt64(String(cString: $0)) } }
        let seeds = try Self.seeds()
        var numbers = SeededNumbers(state: number("PATCHSIM_FUZZ_SEED") ?? 1)
        let deadline = number("PATCHSIM_FUZZ_SECONDS").map { time(nil) + Int($0) }
        var (iteration, kept, aside) = (0, 0, 0)
        while deadline.map({ time(nil) < $0 }) ?? (iteration < Self.iterationsUsual) {
            let wasAside = try tryOne(seeds[iteration % seeds.count], iteration, &numbers)
            wasAside ? (aside += 1) : (kept += 1)
            iteration += 1
        }
        // Both ways were gone: mutations are neither harmless nor always fatal.
        #expect(kept > iteration / 100 && aside > iteration / 100, "kept \(kept), set aside \(aside)")
        if deadline != nil { print("\(iteration) stores: \(kept) kept, \(aside) set aside") }
    }

    /// Whether the store was set aside.
    private func tryOne(
        _ seed: [(name: String, contents: [UInt8])], _ iteration: Int, _ numbers: inout SeededNumbers
    ) throws -> Bool {
        let directory = TestDirectory()
        for (name, contents) in seed {
            write(StoreMutation.mutate(contents, &numbers), to: "\(directory.path)/\(name)")
        }
        do {
            let store = try directory.open()
            switch store.condition {
            case .durable: break
            case .volatile(let reason):
                #expect(reason.contains("version"), "iteration \(iteration)")
                return false
            case .unavailable(let reason):
                Issue.record("iteration \(iteration): unavailable: \(reason)")
                return false
            }
            // All that can be read is read, and the next change is taken.
            _ = try store.inputs()
            _ = try store.findings(count: 10_000)
            _ = try store.findingCounts()
            try store.set("mark", "\(iteration)")
            _ = try store.record(.example(iteration))
        }
        let again = try directory.open()
        #expect(try again.setting("mark") == "\(iteration)", "iteration \(iteration)")
        return !directory.setAside.isEmpty
    }

    /// Tests/seeds/store: stores as they lie on disk, NAME.db with the NAME.db-wal of a killed daemon where there is one.
    private static func seeds() throws -> [[(name: String, contents: [UInt8])]] {
        let folder = seedsFolder
        let names = fileNames(in: folder).filter { $0.hasSuffix(".db") }
        try #require(!names.isEmpty, "\(folder) has stores")
        return names.map { name in
            let file = (name: StoreFile.name, contents: bytes(of: "\(folder)/\(name)") ?? [])
            guard let log = bytes(of: "\(folder)/\(name)-wal") else { return [file] }
            return [file, (name: StoreFile.name + "-wal", contents: log)]
        }
    }

    private static var seedsFolder: String {
        let parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
        return parts.dropLast(2).joined(separator: "/") + "/seeds/store"
    }
}

/// Damage as disks, crashes and people make it.
enum StoreMutation {
    static func mutate(_ contents: [UInt8], _ numbers: inout SeededNumbers) -> [UInt8] {
        var bytes = contents
        for _ in 0..<Int.random(in: 1...4, using: &numbers) where !bytes.isEmpty {
            let at = Int.random(in: 0..<bytes.count, using: &numbers)
            switch Int.random(in: 0..<9, using: &numbers) {
            case 0: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &numbers)
            case 1: bytes[at] = UInt8.random(in: 0...255, using: &numbers)
            case 2: bytes[at] = [0, 1, 0x7f, 0x80, 0xff].randomElement(using: &numbers)!
            case 3: bytes.removeLast(bytes.count - at)
            case 4: for index in at..<min(at + 512, bytes.count) { bytes[index] = 0 }
            case 5: swapPages(&bytes, &numbers)
            case 6: bytes += [UInt8](repeating: UInt8.random(in: 0...255, using: &numbers), count: at % 8192)
            // In the header, where one byte counts most.
            case 7: bytes[at % min(100, bytes.count)] = UInt8.random(in: 0...255, using: &numbers)
            default: bytes.removeSubrange(at..<min(at + Int.random(in: 1...64, using: &numbers), bytes.count))
            }
        }
        return bytes
    }

    private static func swapPages(_ bytes: inout [UInt8], _ numbers: inout SeededNumbers) {
        let pages = bytes.count / 4096
        guard pages > 1 else { return }
        let (one, other) = (Int.random(in: 0..<pages, using: &numbers), Int.random(in: 0..<pages, using: &numbers))
        for index in 0..<4096 { bytes.swapAt(one * 4096 + index, other * 4096 + index) }
    }
}
