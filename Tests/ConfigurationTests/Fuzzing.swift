import Glibc

/// Random numbers that a seed fixes: SplitMix64.
struct FuzzGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }

    mutating func below(_ bound: Int) -> Int {
        bound <= 1 ? 0 : Int.random(in: 0..<bound, using: &self)
    }

    mutating func chance(oneIn count: Int) -> Bool {
        below(count) == 0
    }
}

/// How long a fuzzer runs: a fixed number of iterations from a fixed seed, or by hand as many seconds as PATCHSIM_FUZZ_SECONDS
/// says, from PATCHSIM_FUZZ_SEED if that is set.
struct FuzzRun {
    let seed: UInt64
    private let iterationsMax: Int?
    private let deadline: timespec
    private(set) var iterations = 0

    init(iterations: Int, seed: UInt64 = 1) {
        let variable = { (name: String) in getenv(name).flatMap { UInt64(String(cString: $0)) } }
        let seconds = variable("PATCHSIM_FUZZ_SECONDS")
        iterationsMax = seconds == nil ? iterations : nil
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        now.tv_sec += Int(seconds ?? 0)
        deadline = now
        self.seed = variable("PATCHSIM_FUZZ_SEED") ?? (seconds == nil ? seed : UInt64.random(in: 1...1 << 32))
    }

    /// Counts an iteration; false when it is time to end.
    mutating func goesOn() -> Bool {
        if let iterationsMax {
            guard iterations < iterationsMax else { return false }
        } else if iterations % 64 == 0 {
            var now = timespec()
            clock_gettime(CLOCK_MONOTONIC, &now)
            guard (now.tv_sec, now.tv_nsec) < (deadline.tv_sec, deadline.tv_nsec) else { return false }
        }
        iterations += 1
        return true
    }

    /// What a long run says at its end.
    func report(_ name: String) {
        guard iterationsMax == nil else { return }
        print("\(name): \(iterations) iterations from seed \(seed)")
    }
}

/// Changes inputs in the ways that break readers.
struct Mutator {
    let seeds: [[UInt8]]
    /// Pieces that mean something to the reader.
    let words: [[UInt8]]
    /// Longest output.
    var bytesMax = 4096

    init(seeds: [[UInt8]], words: [String]) {
        self.seeds = seeds
        self.words = words.map { Array($0.utf8) }
    }

    /// A seed with a few changes.
    func mutated(_ generator: inout FuzzGenerator) -> [UInt8] {
        var bytes = seeds[generator.below(seeds.count)]
        for _ in 0..<generator.below(5) { change(&bytes, &generator) }
        if bytes.count > bytesMax { bytes.removeLast(bytes.count - bytesMax) }
        return bytes
    }

    private func change(_ bytes: inout [UInt8], _ generator: inout FuzzGenerator) {
        let place = generator.below(bytes.count + 1)
        let length = generator.below(min(bytes.count - place, 16) + 1)
        switch generator.below(9) {
        case 0: bytes.removeSubrange(place..<place + length)
        case 1: bytes.removeLast(bytes.count - place)
        case 2: bytes.insert(UInt8.random(in: 0 ... .max, using: &generator), at: place)
        case 3: if place < bytes.count { bytes[place] ^= 1 << UInt8(generator.below(8)) }
        case 4: if place < bytes.count { bytes[place] = UInt8.random(in: 0 ... .max, using: &generator) }
        case 5: bytes.insert(contentsOf: words[generator.below(words.count)], at: place)
        case 6: bytes.replaceSubrange(place..<place + length, with: words[generator.below(words.count)])
        case 7:
            let other = seeds[generator.below(seeds.count)]
            let start = generator.below(other.count + 1)
            bytes.insert(contentsOf: other[start..<start + generator.below(other.count - start + 1)], at: place)
        default:
            let piece = Array(bytes[place..<place + length])
            for _ in 0..<generator.below(8) { bytes.insert(contentsOf: piece, at: place) }
        }
    }
}

/// The files of a folder of seeds, in the order of their names.
func seeds(_ folder: String, file: String = #filePath) -> [[UInt8]] {
    let tests = file.split(separator: "/", omittingEmptySubsequences: false).dropLast(2).joined(separator: "/")
    let path = tests + "/seeds/" + folder
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if !name.hasPrefix(".") { names.append(name) }
    }
    return names.sorted().map { contents(path + "/" + $0) }
}

private func contents(_ path: String) -> [UInt8] {
    let descriptor = open(path, O_RDONLY)
    guard descriptor >= 0 else { return [] }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while case let count = read(descriptor, &chunk, chunk.count), count > 0 { bytes += chunk[..<count] }
    return bytes
}
