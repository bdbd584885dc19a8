import Glibc

@testable import FindingStore

/// A directory that is gone when this object is. In memory where the machine has such a place: what is tested here is not
/// the disk, and thousands of stores are opened.
final class TestDirectory {
    let path: String

    init() {
        let base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"
        path = "\(base)/patchsim-store-\(getpid())-\(UInt64.random(in: 0 ... .max))"
        mkdir(path, 0o700)
    }

    deinit {
        for name in names { unlink("\(path)/\(name)") }
        rmdir(path)
    }

    var names: [String] { fileNames(in: path) }

    var file: String { "\(path)/\(StoreFile.name)" }

    /// Files that were set aside, without their companions.
    var setAside: [String] {
        names.filter { $0.contains(".damaged-") && !$0.hasSuffix("-wal") && !$0.hasSuffix("-shm") }
    }

    func open(_ report: @escaping @Sendable (StoreEvent) -> Void = { _ in }) throws -> FindingStore {
        try FindingStore(directory: path, report: report)
    }
}

/// Sorted.
func fileNames(in path: String) -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
        let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
}

func bytes(of path: String) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while case let count = read(descriptor, &chunk, chunk.count), count > 0 { bytes += chunk[..<count] }
    return bytes
}

func write(_ bytes: [UInt8], to path: String) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    precondition(descriptor >= 0, "\(path) can be written")
    defer { close(descriptor) }
    var sent = 0
    while sent < bytes.count {
        sent += bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + sent, bytes.count - sent) }
    }
}

extension Finding {
    static func example(_ number: Int = 1, replay: String = "patchsim1 kernel=builtin turns=17") -> Finding {
        Finding(
            foundAt: 1_700_000_000 + number, version: "0.1.0", kernel: "builtin", banner: "Linux version 6.1.0",
            invariant: "I1", title: "no torn instruction", message: "e8 01 cd ef 01, finding \(number) — \"ä\"\n\u{1}",
            cpu: 3, address: "0xffffffff81000010", symbol: "vfs_read+0x10/0x40", nanoseconds: 12_345,
            eventHash: "0123456789abcdef", bounds: "fetch model chunk16, 4 CPUs", replay: replay,
            checks: [Checks(invariant: "I1", title: "no torn instruction", checks: 1000, violations: 1)])
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers from the same seed, everywhere.
struct SeededNumbers: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }
}
