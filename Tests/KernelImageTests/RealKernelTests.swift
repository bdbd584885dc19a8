import Glibc
import KernelImage
import Testing
import X86

@Suite("Debian's amd64 kernel")
struct Amd64KernelTests {
    let kernel: RealKernel
    var image: KernelImage { kernel.image }

    init() throws { kernel = try RealKernel.amd64.get() }

    @Test("every mcount site of the file is a call to __fentry__, and after boot a NOP5")
    func mcountSites() throws {
        let file = PlainVmlinux(kernel.vmlinux)
        let fentry = try #require(image.symbols.address(of: "__fentry__"))
        var calls = 0
        for site in image.mcountSites {
            let at = try #require(file.offset(site.rawValue))
            let target = site + 5 + Int(file.s32(at + 1))
            if file.bytes[at] == 0xe8 && target == fentry { calls += 1 }
        }
        #expect(calls == image.mcountSites.count)
        #expect(image.mcountSites.allSatisfy { textBytes(image, $0, 5) == InstructionBytes.nop5.bytes })
        #expect(zip(image.mcountSites, image.mcountSites.dropFirst()).allSatisfy { $0 < $1 })
        #expect(image.mcountSitesInFile >= image.mcountSites.count)
    }

    @Test("the recorded build has the recorded counts of symbols and sites")
    func recordedCounts() {
        guard kernel.release == RealKernel.recordedAmd64 else { return }
        #expect(image.symbols.count == 87347)
        #expect(image.mcountSites.count == 35609)
        #expect(image.mcountSitesInFile == 37697)
        #expect(image.staticCallSites.count == 4222)
        #expect(image.jumpEntries.count == 5822)
        #expect(image.bootReport.sitesByKind["return_site"] == 45964)
        #expect(image.bootReport.notApplied["alternatives"] == 4468)
        #expect(image.bootReport.notApplied["paravirt"] == 3679)
        #expect(image.bootReport.notApplied["retpolines"] == 7861)
    }

    @Test("the bytes that boot changes in the recorded build are, table by table, those of the recorded boot")
    func recordedDifferences() {
        guard kernel.release == RealKernel.recordedAmd64 else { return }
        #expect(
            image.bootReport.bytesByKind == [
                "mcount": 175517, "return_site": 228975, "static_call site": 15282, "static_call trampoline": 151,
                "jump_label": 144,
            ])
    }

    @Test("static call sites of the recorded build hold the recorded instructions")
    func recordedStaticCalls() {
        guard kernel.release == RealKernel.recordedAmd64 else { return }
        var found: [String: Int] = [:]
        for site in image.staticCallSites {
            let bytes = textBytes(image, site.address, 5)
            let isRelative = bytes[0] == 0xe8 || bytes[0] == 0xe9
            found[
                isRelative ? InstructionBytes(bytes[..<1]).description : InstructionBytes(bytes).description, default: 0
            ] += 1
        }
        #expect(
            found == ["e8": 2327, "0f 1f 44 00 00": 1861, "e9": 15, "c3 cc cc cc cc": 12, "2e 2e 2e 31 c0": 7])
    }

    @Test("/proc/kallsyms of the recorded build is reproduced to the byte")
    func kallsymsText() {
        var text: [UInt8] = []
        var isAscending = true
        for index in 0..<image.symbols.count {
            text.append(contentsOf: image.symbols.address(at: index).description.utf8)
            text.append(contentsOf: [0x20, image.symbols[index].type, 0x20])
            text.append(contentsOf: image.symbols.nameBytes(at: index))
            text.append(0x0a)
            isAscending =
                isAscending && (index == 0 || image.symbols.address(at: index - 1) <= image.symbols.address(at: index))
        }
        #expect(isAscending)
        #expect(image.symbols.address(of: "_text") == image.text.address)
        guard kernel.release == RealKernel.recordedAmd64 else { return }
        #expect(text.count == 3_633_960)
        #expect(MD5.hex(text) == "5d39b07b6479764c241b38a6cb858321")
    }

    @Test("the vmlinux out of the vmlinuz loads to the same image in less than half a second")
    func loadTime() throws {
        // Warm: the pages of the file and of the library are there, as they are for a daemon that reloads.
        var best = Double.infinity
        for _ in 0..<3 {
            let start = ContinuousClock.now
            let again = try KernelImage.load(bytes: kernel.vmlinux, name: "again")
            let spent = ContinuousClock.now - start
            best = min(best, Double(spent.components.attoseconds) / 1e18 + Double(spent.components.seconds))
            #expect(again.banner == image.banner)
            #expect(again.mcountSites == image.mcountSites)
            #expect(sameBytes(again.text, image.text))
        }
        #expect(best < 0.5)
    }

    @Test("functions whose address stands in data are function symbols of .text, and known ones are among them")
    func addressTaken() throws {
        let taken = Set(image.addressTakenFunctions)
        #expect(taken.count > 1000)
        #expect(zip(image.addressTakenFunctions, image.addressTakenFunctions.dropFirst()).allSatisfy { $0 < $1 })
        // Named by static structures in every kernel: file operations and the scheduler's class.
        for name in ["seq_read", "generic_file_read_iter", "noop_llseek"] {
            #expect(taken.contains(try #require(image.symbols.address(of: name))), "\(name)")
        }
        for function in image.addressTakenFunctions.prefix(500) {
            #expect(image.symbols.lookup(function)?.offset == 0)
        }
    }

    @Test("regions ascend without overlap, .init ones are gone, and only .text is executable")
    func regions() {
        for (low, high) in zip(image.regions, image.regions.dropFirst()) {
            #expect(low.address + low.size <= high.address)
        }
        #expect(image.regions.filter { $0.name.hasPrefix(".init") || $0.name.hasPrefix(".alt") }.isEmpty)
        #expect(image.regions.filter(\.isExecutable).map(\.name) == [".text"])
        #expect(image.regions.contains { $0.name == ".data..percpu" && $0.bytes != nil })
        #expect(image.regions.contains { $0.name == ".bss" && $0.bytes == nil })
        #expect(image.regions.filter { $0.name == ".rodata" }.allSatisfy { !$0.isWritable })
    }

    @Test("static call keys hold in .data the function that their sites hold in .text")
    func keysAgreeWithData() throws {
        for (key, function) in image.staticCallFunctions {
            let region = try #require(
                image.regions.last { $0.address <= key && key < $0.address + $0.size })
            let word = region.withBytes { $0.loadUnaligned(fromByteOffset: key - region.address, as: UInt64.self) }
            #expect(word == nil || word == function.rawValue)
        }
    }
}

@Suite("Debian's i386 kernel")
struct I386KernelTests {
    let kernel: RealKernel
    var image: KernelImage { kernel.image }

    init() throws { kernel = try RealKernel.i386.get() }

    @Test("its mcount table, which no symbol names, is every call to __fentry__ that the text holds")
    func mcountSites() throws {
        let file = PlainVmlinux(kernel.vmlinux)
        let fentry = try #require(image.symbols.address(of: "__fentry__")).rawValue
        let text = file.section(".text")
        var found: [VirtualAddress] = []
        for at in text.offset..<text.offset + text.size - 4 where file.bytes[at] == 0xe8 {
            let site = text.address + UInt64(at - text.offset)
            let target = (site &+ 5 &+ UInt64(bitPattern: file.s32(at + 1))) & 0xffff_ffff
            if target == fentry { found.append(VirtualAddress(site)) }
        }
        #expect(found == image.mcountSites)
        #expect(image.mcountSites.allSatisfy { textBytes(image, $0, 5) == InstructionBytes.nop5For32Bit.bytes })
    }

    @Test("the recorded build has the recorded counts, and no inline static calls")
    func recordedCounts() {
        #expect(image.mode == .i386)
        #expect(image.staticCallSites.isEmpty)
        guard kernel.release == RealKernel.recordedI386 else { return }
        #expect(image.symbols.count == 45166)
        #expect(image.mcountSitesInFile == 36953)
        #expect(image.mcountSites.count == 36953 - 2018)
        #expect(image.jumpEntries.count == 4956)
        #expect(image.bootReport.bytesByKind["jump_label"] == 164)
        #expect(image.bootReport.bytesByKind["static_call trampoline"] == 21)
    }

    @Test("the banner is the one with a build number")
    func banner() {
        #expect(image.banner.contains("#1 SMP"))
        #expect(!image.banner.hasSuffix("\n"))
    }
}

/// Bytes of the booted text.
func textBytes(_ image: KernelImage, _ address: VirtualAddress, _ count: Int) -> [UInt8] {
    let start = address - image.text.address
    return image.text.withBytes { Array($0[start..<start + count]) }!
}

func sameBytes(_ left: ImageRegion, _ right: ImageRegion) -> Bool {
    left.size == right.size
        && left.withBytes { left in right.withBytes { memcmp(left.baseAddress!, $0.baseAddress!, left.count) == 0 } }
            == true
}
