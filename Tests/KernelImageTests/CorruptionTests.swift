import Testing
import X86

@testable import KernelImage

/// Every damaged file ends in an error or in an image: a crash would end the test process, a hang its time limit.
@Suite("Damaged kernels", .serialized)
struct CorruptionTests {
    /// Bytes that can be damaged and restored; images loaded from them copy what they need.
    private final class Damage {
        let memory: UnsafeMutableRawBufferPointer
        let image: ImageBytes
        private var saved: [(offset: Int, byte: UInt8)] = []

        init(_ bytes: UnsafeRawBufferPointer) {
            memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max(bytes.count, 1), alignment: 64)
            memory.copyMemory(from: bytes)
            image = ImageBytes(adopting: memory)
        }

        func write(_ offset: Int, _ byte: UInt8) {
            saved.append((offset, memory[offset]))
            memory[offset] = byte
        }

        func restore() {
            while let last = saved.popLast() { memory[last.offset] = last.byte }
        }
    }

    /// Outcomes of loads, by kind of error; "loaded" where there was none.
    private struct Outcomes {
        var counts: [String: Int] = [:]
        var total: Int { counts.values.reduce(0, +) }

        mutating func load(_ bytes: ImageBytes) {
            do throws(KernelImageError) {
                let image = try KernelImage.load(bytes: bytes, name: "damaged")
                counts["loaded", default: 0] += 1
                // An image that loads must be usable: look at what callers look at.
                precondition(image.text.bytes != nil && !image.mcountSites.isEmpty && !image.banner.isEmpty)
                _ = image.symbols.symbolize(image.mcountSites[0])
            } catch {
                precondition(!error.message.isEmpty && !error.structure.isEmpty)
                counts[error.kind.rawValue, default: 0] += 1
            }
        }
    }

    private static let values: [UInt8] = [0, 1, 0x7f, 0x80, 0xff, 0xcc]

    /// One to sixteen bytes of a structure: a bit, a random value or one that bounds are tested with.
    private static func damage(_ file: Damage, _ range: Range<Int>, _ random: inout Seeded) {
        let start = Int.random(in: range, using: &random)
        let count = [1, 1, 2, 4, 8, 16].randomElement(using: &random)!
        let kind = Int.random(in: 0..<4, using: &random)
        let value = values.randomElement(using: &random)!
        for offset in start..<min(start + count, range.upperBound) {
            switch kind {
            case 0: file.write(offset, file.memory[offset] ^ 1 << UInt8.random(in: 0..<8, using: &random))
            case 1: file.write(offset, UInt8.random(in: 0...255, using: &random))
            case 2: file.write(offset, file.memory[offset] &+ 1)
            default: file.write(offset, value)
            }
        }
    }

    @Test(
        "10,000 seeded damages to headers, kallsyms, tables and text of small kernels end in an error or an image",
        .timeLimit(.minutes(2)))
    func smallKernels() {
        var outcomes = Outcomes()
        var random = Seeded(seed: 1)
        let variants = SyntheticKernelTests.variants.map(\.1)
        for kernel in variants {
            let file = kernel.build()
            let damage = file.bytes.withUnsafeBytes(Damage.init)
            let structures = file.places.sorted { $0.key < $1.key }.map(\.value).filter { !$0.isEmpty }
            for _ in 0..<(10_000 / variants.count + 1) {
                Self.damage(damage, structures.randomElement(using: &random)!, &random)
                if Bool.random(using: &random) {
                    Self.damage(damage, structures.randomElement(using: &random)!, &random)
                }
                outcomes.load(damage.image)
                damage.restore()
            }
            // Restored, it must load: otherwise all of the above proved nothing.
            var whole = Outcomes()
            whole.load(damage.image)
            #expect(whole.counts == ["loaded": 1])
        }
        #expect(outcomes.total >= 10_000)
        // Damage must be noticed, not merely survived, and not all of it can be.
        for kind in ["loaded", "invalid", "truncated", "missing"] {
            #expect(outcomes.counts[kind, default: 0] > 20, "\(outcomes.counts)")
        }
    }

    @Test("a second executable section named .text and an unused header that claims bytes change nothing else")
    func oddHeaders() throws {
        let kernel = SyntheticKernel()
        let file = kernel.build()
        let headers = try #require(file.places["section headers"]).lowerBound
        func load(_ change: (inout ByteWriter) -> Void) throws -> KernelImage {
            var writer = ByteWriter(bytes: file.bytes)
            change(&writer)
            return try KernelImage.load(bytes: ImageBytes(writer.bytes), name: "odd headers")
        }
        // Header 1 is .text and header 4 .init.text; 6 is .bss, here of type NULL with a size beyond the file.
        let name = file.bytes[headers + 64..<headers + 68].enumerated().reduce(UInt32(0)) {
            $0 | UInt32($1.element) << UInt32($1.offset * 8)
        }
        let twice = try load { $0.put(name, at: headers + 4 * 64) }
        #expect(twice.regions.filter(\.isExecutable).map(\.address.rawValue) == [kernel.base])
        let unused = try load {
            $0.put(UInt32(0), at: headers + 6 * 64 + 4)
            $0.put(UInt64(1 << 29), at: headers + 6 * 64 + 24)
        }
        #expect(unused.regions.last?.name == ".bss" && unused.regions.last?.bytes == nil)
    }

    @Test("a small kernel cut at and around the edges of every structure is refused", .timeLimit(.minutes(1)))
    func cutSmallKernels() {
        var outcomes = Outcomes()
        for kernel in [SyntheticKernel(), SyntheticKernel(mode: .i386, layout: .late, isAbsolutePerCPU: false)] {
            let file = kernel.build()
            for place in file.places.values {
                for edge in [place.lowerBound, place.upperBound, (place.lowerBound + place.upperBound) / 2] {
                    for cut in [edge - 1, edge, edge + 1] where cut >= 0 && cut < file.bytes.count {
                        outcomes.load(ImageBytes(file.bytes[..<cut]))
                    }
                }
            }
        }
        #expect(outcomes.counts["loaded"] == nil)
        #expect(outcomes.total > 150)
    }

    @Test(
        "120 seeded damages to Debian's vmlinux, in its headers and in every table, end in an error or an image",
        .timeLimit(.minutes(2)))
    func debianVmlinux() throws {
        let kernel = try RealKernel.amd64.get()
        let damage = Damage(kernel.vmlinux.buffer)
        let file = PlainVmlinux(kernel.vmlinux)
        var structures = [0..<64, Int(file.u64(40))..<Int(file.u64(40)) + Int(file.u16(60)) * 64]
        structures.append(try kallsyms(kernel.vmlinux))
        for (start, stop) in [
            ("__start_mcount_loc", "__stop_mcount_loc"), ("__start___jump_table", "__stop___jump_table"),
            ("__start_static_call_sites", "__stop_static_call_sites"),
        ] {
            let first = try #require(kernel.image.symbols.address(of: start)).rawValue
            let last = try #require(kernel.image.symbols.address(of: stop)).rawValue - 1
            let start = try #require(file.offset(first))
            let stop = try #require(file.offset(last)) + 1
            structures.append(start..<stop)
        }
        for name in [".return_sites", ".altinstructions", ".shstrtab", ".text"] {
            structures.append(file.section(name).offset..<file.section(name).offset + file.section(name).size)
        }
        var outcomes = Outcomes()
        var random = Seeded(seed: 2)
        for index in 0..<120 {
            Self.damage(damage, structures[index % structures.count], &random)
            outcomes.load(damage.image)
            damage.restore()
        }
        #expect(outcomes.total == 120)
        #expect(outcomes.counts["loaded", default: 0] > 0 && outcomes.counts["invalid", default: 0] > 10)
    }

    /// Where the file's kallsyms stand, from num_syms to the end of token_index.
    private func kallsyms(_ vmlinux: ImageBytes) throws -> Range<Int> {
        let map = try AddressMap(try ElfFile(ByteReader(bytes: vmlinux.buffer)))
        let (bytes, layout) = try Kallsyms.locate(map)
        let start = bytes.baseAddress! - vmlinux.pointer
        // The offsets come before the count in this layout.
        return start + layout.countOffset - 8 - layout.count * 4..<start + layout.tokens.end
    }

    @Test("Debian's vmlinux cut at the edges of its sections and segments is refused", .timeLimit(.minutes(1)))
    func cutDebianVmlinux() throws {
        let kernel = try RealKernel.amd64.get()
        var outcomes = Outcomes()
        let file = PlainVmlinux(kernel.vmlinux)
        for section in file.sections where section.hasBytes {
            for cut in [section.offset, section.offset + 1, section.offset + section.size - 1] where cut > 0 {
                outcomes.load(ImageBytes(UnsafeRawBufferPointer(rebasing: kernel.vmlinux.buffer[..<cut])))
            }
        }
        #expect(outcomes.counts["loaded"] == nil)
        #expect(outcomes.total > 60)
    }

    @Test(
        "seeded damages to compressed streams end in an error or an image", .timeLimit(.minutes(2)),
        arguments: Compression.allCases)
    func streams(compression: Compression) throws {
        let bytes = SyntheticBzImage.wrap(try CompressionTests.payload(compression))
        let damage = bytes.withUnsafeBytes(Damage.init)
        var outcomes = Outcomes()
        var random = Seeded(seed: 3)
        for index in 0..<150 {
            // Half of them in the headers, where lengths and sizes stand.
            let payload = 1024 + 32..<bytes.count - 64
            let head = payload.lowerBound..<payload.lowerBound + 64
            Self.damage(damage, index % 2 == 0 ? head : payload, &random)
            if index % 10 == 0 { Self.damage(damage, 0x1f1..<0x250, &random) }
            outcomes.load(damage.image)
            damage.restore()
        }
        #expect(outcomes.total == 150)
        #expect(outcomes.counts["decompression", default: 0] > 0, "\(outcomes.counts)")
    }

    @Test("damages to the streams of Debian's two vmlinuz end in an error or an image", .timeLimit(.minutes(2)))
    func debianStreams() throws {
        for kernel in [try RealKernel.amd64.get(), try RealKernel.i386.get()] {
            let packed = try ImageBuffer.read(path: kernel.path)
            defer { withExtendedLifetime(packed) {} }
            let payload = try BzImage(packed.reader).payload
            let damage = Damage(UnsafeRawBufferPointer(packed.memory))
            var outcomes = Outcomes()
            var random = Seeded(seed: 4)
            for _ in 0..<12 {
                Self.damage(damage, payload, &random)
                outcomes.load(damage.image)
                damage.restore()
            }
            #expect(outcomes.total == 12)
        }
    }

    @Test("files made to look like endless tables are given up within seconds", .timeLimit(.minutes(1)))
    func lookalikes() {
        let digits: [UInt8] = (0..<20).map { $0 % 2 == 0 ? 0x30 + $0 / 2 : 0 }
        let fillings: [[UInt8]] = [
            digits, [UInt8](repeating: 0x41, count: 400) + digits, [0, 0, 1, 0x61], [1, 0, 0, 0], [2, 0x54, 0x41, 1],
        ]
        var outcomes = Outcomes()
        for filling in fillings {
            var file = SyntheticKernel(functions: 10_000).build()
            let rodata = file.places[".rodata"]!
            // All but the token table at the end, which a search for names starts from.
            for offset in rodata.lowerBound..<rodata.upperBound - 2048 {
                file.bytes[offset] = filling[(offset - rodata.lowerBound) % filling.count]
            }
            outcomes.load(ImageBytes(file.bytes))
        }
        #expect(outcomes.counts["loaded"] == nil)
        #expect(outcomes.total == fillings.count)
    }
}
