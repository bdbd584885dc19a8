import KernelImage
import Testing
import X86

/// Derives the booted text a second time, by walking the file's tables with plain code, and compares every byte.
@Suite("The booted text, derived twice")
struct BootedTextTests {
    @Test("amd64: every byte of .text is the file's byte or what its table says")
    func amd64() throws {
        let kernel = try RealKernel.amd64.get()
        var derivation = Derivation(kernel)
        try compare(kernel, derivation.textWithSymbols())
    }

    @Test("i386: every byte of .text is the file's byte or what its table says")
    func i386() throws {
        let kernel = try RealKernel.i386.get()
        var derivation = Derivation(kernel)
        try compare(kernel, derivation.textWithoutDataSymbols())
    }

    private func compare(_ kernel: RealKernel, _ expected: [UInt8]) throws {
        let text = kernel.image.text
        let found = try #require(text.withBytes { Array($0) })
        try #require(found.count == expected.count)
        let wrong = expected.indices.filter { expected[$0] != found[$0] }
        let places = wrong.prefix(5).map { "\(text.address + $0)" }.joined(separator: ", ")
        #expect(wrong.isEmpty, "\(wrong.count) bytes differ, at \(places)")
    }
}

private struct Derivation {
    let file: PlainVmlinux
    let symbols: SymbolTable
    let start: UInt64
    var text: [UInt8]
    /// Static keys that the boot updates switch.
    var switched: [UInt64: Bool] = [:]
    /// The functions that they give to static calls, by name; 0 is NULL.
    var functions: [String: UInt64] = [:]

    init(_ kernel: RealKernel) {
        file = PlainVmlinux(kernel.vmlinux)
        symbols = kernel.image.symbols
        let section = file.section(".text")
        start = section.address
        text = Array(file.bytes[section.offset..<section.offset + section.size])
        for line in BootUpdates.builtIn.lines where kernel.release.hasPrefix(line.releasePrefix) {
            switch line.action {
            case .staticCall(let name, let function):
                functions[name] = function.map { symbols.address(of: $0)!.rawValue } ?? 0
            case .staticKey(let place, let isOn):
                let found = symbols.indices(named: place.symbol)
                guard !found.isEmpty else { continue }
                let index = found[max(place.position, 1) - 1]
                switched[symbols.address(at: index).rawValue + UInt64(place.offset)] = isOn
            }
        }
    }

    private func address(_ name: String) -> UInt64 { symbols.address(of: name)!.rawValue }

    private func isText(_ address: UInt64) -> Bool {
        address >= start && address < start + UInt64(text.count)
    }

    private mutating func write(_ address: UInt64, _ bytes: [UInt8]) {
        for (index, byte) in bytes.enumerated() { text[Int(address - start) + index] = byte }
    }

    private func relative(_ opcode: UInt8, _ site: UInt64, _ target: UInt64) -> [UInt8] {
        let distance = UInt32(truncatingIfNeeded: target &- site &- 5)
        return [opcode] + (0..<4).map { UInt8(truncatingIfNeeded: distance >> UInt32($0 * 8)) }
    }

    mutating func textWithSymbols() -> [UInt8] {
        for field in stride(from: address("__start_mcount_loc"), to: address("__stop_mcount_loc"), by: 8) {
            let site = file.word(file.offset(field)!)
            if isText(site) { write(site, [0x0f, 0x1f, 0x44, 0, 0]) }
        }
        let returns = file.section(".return_sites")
        for field in stride(from: returns.address, to: returns.address + UInt64(returns.size), by: 4) {
            let site = file.relative(field)
            if isText(site) { write(site, [0xc3, 0xcc, 0xcc, 0xcc, 0xcc]) }
        }
        writeStaticCalls()
        writeTrampolines()
        for entry in stride(from: address("__start___jump_table"), to: address("__stop___jump_table"), by: 16) {
            let key = entry + 8 &+ file.word(file.offset(entry + 8)!)
            writeJump(file.relative(entry), file.relative(entry + 4), key)
        }
        return text
    }

    private mutating func writeStaticCalls() {
        var updated: [UInt64: UInt64] = [:]
        for (name, function) in functions { updated[address("__SCK__" + name)] = function }
        let zero = address("__static_call_return0")
        for entry in stride(
            from: address("__start_static_call_sites"), to: address("__stop_static_call_sites"), by: 8)
        {
            let site = file.relative(entry)
            let field = file.relative(entry + 4)
            let key = field & ~3
            guard isText(site) else { continue }
            let function = updated[key] ?? file.offset(key).map { file.word($0) } ?? 0
            let isTail = field & 1 == 1
            if function == 0 {
                write(site, isTail ? [0xc3, 0xcc, 0xcc, 0xcc, 0xcc] : [0x0f, 0x1f, 0x44, 0, 0])
            } else if function == zero && !isTail {
                write(site, [0x2e, 0x2e, 0x2e, 0x31, 0xc0])
            } else {
                write(site, relative(isTail ? 0xe9 : 0xe8, site, function))
            }
        }
    }

    private mutating func writeTrampolines() {
        for index in 0..<symbols.count {
            let name = symbols.name(at: index)
            guard name.hasPrefix("__SCT__") else { continue }
            let site = symbols.address(at: index).rawValue
            guard isText(site) else { continue }
            let key = address("__SCK__" + name.dropFirst(7))
            let function = functions[String(name.dropFirst(7))] ?? file.offset(key).map { file.word($0) } ?? 0
            write(site, function == 0 ? [0xc3, 0xcc, 0xcc, 0xcc, 0xcc] : relative(0xe9, site, function))
        }
    }

    private mutating func writeJump(_ site: UInt64, _ target: UInt64, _ field: UInt64) {
        guard isText(site) else { return }
        let key = field & ~3
        let isOn = switched[key] ?? (file.offset(key).map { file.s32($0) > 0 } ?? false)
        let first = text[Int(site - start)]
        let isShort = first == 0xeb || first == 0x66 || first == 0x89
        if isOn != (field & 1 == 1) {
            write(
                site, isShort ? [0xeb, UInt8(truncatingIfNeeded: target &- site &- 2)] : relative(0xe9, site, target))
        } else if isShort {
            write(site, file.wide ? [0x66, 0x90] : [0x89, 0xf6])
        } else {
            write(site, file.wide ? [0x0f, 0x1f, 0x44, 0, 0] : [0x3e, 0x8d, 0x74, 0x26, 0])
        }
    }

    /// kallsyms name no table here: sites are found in the text, jump entries come from the image.
    mutating func textWithoutDataSymbols() -> [UInt8] {
        let fentry = address("__fentry__")
        for at in 0..<text.count - 4 where text[at] == 0xe8 {
            let site = start + UInt64(at)
            if relative(0xe8, site, fentry)[...] == text[at..<at + 5] { write(site, [0x3e, 0x8d, 0x74, 0x26, 0]) }
        }
        for (name, function) in functions {
            let site = address("__SCT__" + name)
            write(site, function == 0 ? [0xc3, 0xcc, 0xcc, 0xcc, 0xcc] : relative(0xe9, site, function))
        }
        // Found here once more: the run of entries that starts where no entry precedes it.
        for entry in jumpEntries() {
            writeJump(file.relative(entry), file.relative(entry + 4), file.relative(entry + 8))
        }
        return text
    }

    /// The longest run of 12-byte entries of .rodata whose three fields lead to text, text and data.
    private func jumpEntries() -> [UInt64] {
        let section = file.section(".rodata")
        let code = [file.section(".text"), file.section(".init.text"), file.section(".exit.text")]
        func isCode(_ address: UInt64) -> Bool {
            code.contains { address >= $0.address && address < $0.address + UInt64($0.size) }
        }
        let data = section.address..<start + 0x1000_0000
        var best: [UInt64] = []
        var run: [UInt64] = []
        for phase in [0, 4, 8] as [UInt64] {
            run = []
            for entry in stride(
                from: section.address + phase, to: section.address + UInt64(section.size) - 12, by: 12)
            {
                let site = file.relative(entry)
                if isCode(site), isCode(file.relative(entry + 4)), data.contains(file.relative(entry + 8)),
                    [0xeb, 0xe9, 0x89, 0x3e].contains(file.bytes[file.offset(site)!])
                {
                    run.append(entry)
                } else {
                    if run.count > best.count { best = run }
                    run = []
                }
            }
            if run.count > best.count { best = run }
        }
        return best
    }
}
