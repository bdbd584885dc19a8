import KernelImage
import Testing
import X86

@Suite("Kernels of other builds")
struct SyntheticKernelTests {
    static let variants: [(String, SyntheticKernel)] = {
        var variants: [(String, SyntheticKernel)] = []
        for layout in SyntheticKallsyms.Layout.allCases {
            variants.append(("x86_64 \(layout)", SyntheticKernel(layout: layout)))
            var plain = SyntheticKernel(layout: layout, isAbsolutePerCPU: false)
            plain.hasDataSymbols = false
            variants.append(("x86_64 \(layout) unsigned, no data symbols", plain))
            for hasDataSymbols in [true, false] {
                variants.append(
                    (
                        "i386 \(layout), data symbols \(hasDataSymbols)",
                        SyntheticKernel(
                            mode: .i386, layout: layout, isAbsolutePerCPU: false, hasDataSymbols: hasDataSymbols)
                    ))
            }
        }
        variants.append(("x86_64 NOPs in the file", SyntheticKernel(hasNopsInFile: true)))
        variants.append(("x86_64 without kallsyms", SyntheticKernel(hasKallsyms: false, hasSymbolTable: true)))
        variants.append(
            ("i386 without kallsyms", SyntheticKernel(mode: .i386, hasKallsyms: false, hasSymbolTable: true)))
        variants.append(
            (
                "x86_64 data symbols only in .symtab",
                SyntheticKernel(isAbsolutePerCPU: false, hasDataSymbols: false, hasSymbolTable: true)
            ))
        return variants
    }()

    @Test("every layout, width and choice of symbols gives the same sites and the booted text that the rules say")
    func everyVariant() throws {
        for (name, kernel) in Self.variants {
            let image: KernelImage
            do {
                image = try KernelImage.load(bytes: ImageBytes(kernel.build().bytes), name: name)
            } catch {
                Issue.record("\(name): \(error)")
                continue
            }
            #expect(image.mode == kernel.mode, "\(name)")
            #expect(image.banner == "Linux version \(SyntheticKernel.release) (nobody) #1 SMP", "\(name)")
            #expect(image.mcountSites.map(\.rawValue) == (0..<kernel.functions).map(kernel.function), "\(name)")
            #expect(image.mcountSitesInFile == kernel.functions + 2, "\(name)")
            #expect(image.jumpEntries.count == 2 * kernel.functions, "\(name)")
            #expect(image.staticCallSites.count == (kernel.mode == .x86_64 ? kernel.functions : 0), "\(name)")
            var expected = kernel
            expected.hasDataSymbols = kernel.hasDataSymbols || kernel.hasSymbolTable
            #expect(image.text.size == kernel.textSize, "\(name)")
            let text = textBytes(image, image.text.address, image.text.size)
            // Without data symbols crng_is_ready can't be named, and its sites stay as they are in the file.
            let booted = expected.hasDataSymbols ? expected.bootedText() : withoutUpdates(expected, text)
            let wrong = booted.indices.filter { booted[$0] != text[$0] }
            #expect(wrong.isEmpty, "\(name): \(wrong.prefix(4))")
            #expect(image.addressTakenFunctions.contains(VirtualAddress(kernel.function(7))), "\(name)")
            #expect(!image.addressTakenFunctions.contains(VirtualAddress(kernel.function(8))), "\(name)")
        }
    }

    /// The booted text of a kernel whose keys no update can name: sites of the updated keys are taken from the file.
    private func withoutUpdates(_ kernel: SyntheticKernel, _ found: [UInt8]) -> [UInt8] {
        var text = kernel.bootedText()
        let file = kernel.text()
        for index in 0..<kernel.functions {
            if kernel.branchKeyIndex(index) == 2 {
                for at in 16..<26 {
                    let place = index * SyntheticKernel.sizeOfFunction + at
                    text[place] = file[place]
                }
            }
            // The key of cond_resched has its value of the file, __static_call_return0.
            guard kernel.mode == .x86_64, kernel.callKeyIndex(index) == 3 else { continue }
            let site = kernel.callSite(index)
            let bytes =
                kernel.isTail(index)
                ? kernel.relative(0xe9, site, kernel.returnZero) : [0x2e, 0x2e, 0x2e, 0x31, 0xc0]
            for (at, byte) in bytes.enumerated() { text[Int(site - kernel.base) + at] = byte }
        }
        return text
    }

    @Test("symbols are those of kallsyms, names of two-byte length and per-CPU addresses among them")
    func symbols() throws {
        let kernel = SyntheticKernel(layout: .late)
        let image = try KernelImage.load(bytes: ImageBytes(kernel.build().bytes), name: "late")
        #expect(image.symbols.address(of: String(repeating: "long_", count: 40))?.rawValue == kernel.function(9))
        #expect(image.symbols.address(of: "cpu_number")?.rawValue == 0x20)
        #expect(image.symbols.symbolize(VirtualAddress(kernel.function(5) + 3)) == "function_5+0x3/0x40")
        // Between the per-CPU symbols and the kernel, and above it, there is nothing.
        #expect(image.symbols.symbolize(VirtualAddress(0x8000_0000_0000)) == "0x800000000000")
        #expect(image.symbols.symbolize(VirtualAddress(0x21)).hasPrefix("cpu_number+0x1/"))
        #expect(image.symbols.lookup(VirtualAddress(UInt64.max)) != nil)
        #expect(image.symbols.lookup(VirtualAddress(0x1f)) == nil)
        #expect(image.symbols.indices(prefix: "__SCT__").map(image.symbols.name).sorted().count == 4)
        #expect(image.symbols.indices(prefix: "no such").isEmpty)
    }

    @Test("a kernel without ftrace is refused by name")
    func withoutFtrace() {
        for kernel in [
            SyntheticKernel(hasFtrace: false), SyntheticKernel(mode: .i386, isAbsolutePerCPU: false, hasFtrace: false),
        ] {
            let error = #expect(throws: KernelImageError.self) {
                try KernelImage.load(bytes: ImageBytes(kernel.build().bytes), name: "no ftrace")
            }
            #expect(error?.kind == .missing)
            #expect(error?.message.contains("kernel without ftrace") == true)
        }
    }

    @Test("a kernel without kallsyms and without .symtab is refused")
    func withoutSymbols() {
        let error = #expect(throws: KernelImageError.self) {
            try KernelImage.load(
                bytes: ImageBytes(SyntheticKernel(hasKallsyms: false).build().bytes), name: "no symbols")
        }
        #expect(error?.kind == .missing)
        #expect(error?.structure == "kallsyms_token_table")
    }

    @Test("a mcount site that is no call to __fentry__ is refused with its place")
    func wrongSite() {
        var file = SyntheticKernel().build()
        let place = file.places[".text"]!.lowerBound + 3 * SyntheticKernel.sizeOfFunction
        file.bytes[place] = 0xe9
        let error = #expect(throws: KernelImageError.self) {
            try KernelImage.load(bytes: ImageBytes(file.bytes), name: "wrong site")
        }
        #expect(error?.kind == .invalid)
        #expect(error?.offset == place)
    }

    @Test(
        "what is no kernel is refused with what would be right",
        arguments: [
            ([], KernelImageError.Kind.unknownFormat), ([0x7f, 0x45, 0x4c, 0x46], .truncated),
            (Array("#!/bin/sh\n".utf8), .unknownFormat),
            ([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1] + [UInt8](repeating: 0, count: 9) + [1, 0, 62, 0], .invalid),
        ] as [([UInt8], KernelImageError.Kind)])
    func noKernel(bytes: [UInt8], kind: KernelImageError.Kind) {
        let error = #expect(throws: KernelImageError.self) {
            try KernelImage.load(bytes: ImageBytes(bytes), name: "no kernel")
        }
        #expect(error?.kind == kind)
    }

    @Test("a path that can't be read and one that is no file are refused")
    func unreadable() {
        for path in ["/nonexistent/vmlinuz", "/", "/dev/null"] {
            let error = #expect(throws: KernelImageError.self) { try KernelImage.load(path: path) }
            #expect(error?.kind == .unreadable)
            #expect(error?.structure == path)
        }
    }
}
