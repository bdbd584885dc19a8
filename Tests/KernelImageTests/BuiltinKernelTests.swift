import Testing
import X86

@testable import KernelImage

/// The built-in kernel's claims about itself.
@Suite struct BuiltinKernelTests {
    let image = KernelImage.builtin()

    private func bytes(at address: VirtualAddress, count: Int) -> [UInt8] {
        let start = address - image.text.address
        return Array(image.text.bytes!.buffer[start..<(start + count)])
    }

    private func word(at address: VirtualAddress) -> UInt64 {
        let region = image.regions.first { $0.address <= address && address < $0.address + $0.size }!
        return region.bytes!.buffer.loadUnaligned(fromByteOffset: address - region.address, as: UInt64.self)
    }

    @Test func everyCallGivesTheSameBytes() {
        let again = KernelImage.builtin()
        #expect(image.text.bytes!.buffer.elementsEqual(again.text.bytes!.buffer))
        #expect(image.mcountSites == again.mcountSites)
        #expect(image.regions[0].address.rawValue == 0 && image.text.address.rawValue == 0xffff_ffff_8100_0000)
    }

    @Test func itHasSomeHundredsOfFunctionsUnderKernelNames() {
        #expect(BuiltinProgram.all.functions.count >= 200)
        #expect(image.mcountSites.count > 256, "more than one batch")
        for name in [
            "vfs_read", "schedule", "do_sys_open", "ksys_read", "kmem_cache_alloc", "tick_sched_timer", "exc_nmi",
            "default_do_nmi", "sysvec_apic_timer_interrupt", "poke_int3_handler", "text_poke_bp_batch", "__schedule",
            "arch_ftrace_ops_list_func", "function_trace_call", "__fentry__", "global_ops", "linux_banner", "_stext",
            "_etext", "__SCK__might_resched", "__SCT__might_resched", "__static_call_return0", "asm_exc_nmi",
        ] {
            #expect(image.symbols.address(of: name) != nil, "\(name)")
        }
    }

    @Test func symbolsAscendAndHaveTypeLettersOfTheirSections() {
        let symbols = (0..<image.symbols.count).map { image.symbols[$0] }
        #expect(zip(symbols, symbols.dropFirst()).allSatisfy { $0.address <= $1.address })
        #expect(Set(symbols.map(\.name)).count == symbols.count)
        let letters = [".data..percpu": "A", ".text": "Tt", ".rodata": "Rr", ".data": "Dd", ".bss": "Bb"]
        for symbol in symbols {
            let region = image.regions.last { $0.address <= symbol.address && symbol.address <= $0.address + $0.size }
            #expect(letters[region!.name]!.utf8.contains(symbol.type), "\(symbol.name)")
        }
        #expect(image.symbols.symbolize(image.symbols.address(of: "vfs_read")! + 5).hasPrefix("vfs_read+0x5/"))
    }

    @Test func everyMcountSiteIsABootedNop() {
        #expect(zip(image.mcountSites, image.mcountSites.dropFirst()).allSatisfy { $0 < $1 })
        for site in image.mcountSites {
            #expect(bytes(at: site, count: 5) == InstructionBytes.nop5.bytes)
        }
    }

    @Test func overriddenWeakFunctionsLeaveSitesBehind() {
        let leftovers = image.mcountSites.filter { image.symbols.lookup($0)!.offset != 0 }
        #expect(leftovers.count == BuiltinProgram.all.functions.filter(\.isWeakLeftover).count)
        #expect((2...4).contains(leftovers.count))
    }

    @Test func mcountSitesStandAtEveryAddressModulo64() {
        #expect(Set(image.mcountSites.map { $0.rawValue % 64 }).count == 64)
    }

    @Test(arguments: [8, 16, 64])
    func staticCallAndJumpSitesStraddleAtEverySplit(boundary: UInt64) {
        let long = image.staticCallSites.map(\.address) + image.jumpEntries.filter { $0.length == 5 }.map(\.code)
        let splits = Set(long.map { boundary - $0.rawValue % boundary })
        #expect(splits.isSuperset(of: 1...4))
        let short = image.jumpEntries.filter { $0.length == 2 }.map(\.code)
        #expect(short.contains { $0.rawValue % boundary == boundary - 1 })
    }

    @Test func staticCallSitesAgreeWithTheirKeys() {
        var kinds: Set<String> = []
        for site in image.staticCallSites {
            let function = VirtualAddress(word(at: site.key))
            let isReturn0 = function == image.symbols.address(of: "__static_call_return0")
            let expected: [UInt8]
            switch (function.rawValue, site.isTail) {
            case (0, false): expected = InstructionBytes.nop5.bytes
            case (0, true): expected = [0xc3, 0xcc, 0xcc, 0xcc, 0xcc]
            case (_, false) where isReturn0: expected = [0x2e, 0x2e, 0x2e, 0x31, 0xc0]
            case (_, false): expected = InstructionBytes.call(from: site.address, to: function).bytes
            case (_, true): expected = InstructionBytes.jump(from: site.address, to: function).bytes
            }
            #expect(bytes(at: site.address, count: 5) == expected)
            kinds.insert("\(function.rawValue == 0) \(isReturn0) \(site.isTail)")
            let name = image.symbols[image.symbols.lookup(site.key)!.index].name
            let trampoline = image.symbols.address(of: "__SCT__" + name.dropFirst("__SCK__".count))!
            #expect(bytes(at: trampoline + 5, count: 3) == [0x0f, 0xb9, 0xcc])
        }
        #expect(kinds.count == 5, "call, jmp, nop, ret and return0")
    }

    @Test func jumpEntriesAgreeWithTheirKeys() {
        var kinds: Set<String> = []
        for entry in image.jumpEntries {
            let isJump = (word(at: entry.key) & 1 != 0) != entry.isBranch
            let found = bytes(at: entry.code, count: entry.length)
            switch (isJump, entry.length) {
            case (true, 5): #expect(found == InstructionBytes.jump(from: entry.code, to: entry.target).bytes)
            case (true, _): #expect(found == [0xeb, UInt8(truncatingIfNeeded: entry.target - (entry.code + 2))])
            case (false, 5): #expect(found == InstructionBytes.nop5.bytes)
            case (false, _): #expect(found == InstructionBytes.nop2.bytes)
            }
            kinds.insert("\(isJump) \(entry.length) \(entry.isBranch)")
        }
        #expect(kinds.count >= 7)
    }

    @Test func addressTakenFunctionsAreFunctions() {
        #expect(image.addressTakenFunctions.count >= 40)
        #expect(image.addressTakenFunctions == image.addressTakenFunctions.sorted())
        for address in image.addressTakenFunctions {
            #expect(image.symbols.lookup(address)!.offset == 0)
        }
    }

    @Test func ftraceCallersCanBeCopied() {
        for caller in ["ftrace_caller", "ftrace_regs_caller"] {
            let start = image.symbols.address(of: caller)!
            let end = image.symbols.address(of: "\(caller)_end")!
            let load = image.symbols.address(of: "\(caller)_op_ptr")!
            let call = image.symbols.address(of: caller == "ftrace_caller" ? "ftrace_call" : "ftrace_regs_call")!
            #expect(start < load && load < call && call < end)
            #expect(bytes(at: load, count: 3) == [0x48, 0x8b, 0x15])
            let displacement = InstructionBytes([0xe8] + bytes(at: load + 3, count: 4)).displacement32
            #expect(load + 7 + displacement == image.symbols.address(of: "function_trace_op")!)
            let stub = image.symbols.address(of: "ftrace_stub")!
            #expect(bytes(at: call, count: 5) == InstructionBytes.call(from: call, to: stub).bytes)
            #expect(bytes(at: end, count: 2) == [0xc3, 0xcc])
        }
    }
}
