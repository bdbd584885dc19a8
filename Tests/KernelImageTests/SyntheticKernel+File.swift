import X86

extension SyntheticKernel {
    struct Section {
        let name: String
        let type: UInt32
        let flags: UInt64
        let address: UInt64
        var bytes: [UInt8]
        var size = 0
    }

    /// A file and where its structures stand in it.
    struct File {
        var bytes: [UInt8]
        /// File ranges of headers, sections and tables, by name.
        var places: [String: Range<Int>]
    }

    /// The vmlinux. The section headers follow the ELF header, so that a cut anywhere leaves them readable.
    func build() -> File {
        var places: [String: Range<Int>] = [:]
        var tables: [String: Range<Int>] = [:]
        let rodataBytes = rodataSection(&tables)
        var sections = [
            Section(name: ".text", type: 1, flags: 6, address: base, bytes: text()),
            Section(name: ".rodata", type: 1, flags: 3, address: rodata, bytes: rodataBytes),
            Section(name: ".data", type: 1, flags: 3, address: data, bytes: dataSection()),
            Section(name: ".init.text", type: 1, flags: 6, address: initText, bytes: initTextSection()),
            Section(name: ".init.data", type: 1, flags: 3, address: initData, bytes: mcountTable()),
            Section(name: ".bss", type: 8, flags: 3, address: bss, bytes: [], size: 0x1000),
        ]
        if mode == .x86_64 {
            sections.append(
                Section(name: ".data..percpu", type: 1, flags: 3, address: 0, bytes: [UInt8](repeating: 7, count: 64)))
            sections.append(
                Section(name: ".return_sites", type: 1, flags: 2, address: returnSites, bytes: returnTable()))
        }
        if hasSymbolTable {
            let (table, strings) = symbolTable()
            sections.append(Section(name: ".symtab", type: 2, flags: 0, address: 0, bytes: table))
            sections.append(Section(name: ".strtab", type: 3, flags: 0, address: 0, bytes: strings))
        }
        var names: [UInt8] = [0]
        var nameOffsets: [Int] = []
        for section in sections + [Section(name: ".shstrtab", type: 3, flags: 0, address: 0, bytes: [])] {
            nameOffsets.append(names.count)
            names += Array(section.name.utf8) + [0]
        }
        sections.append(Section(name: ".shstrtab", type: 3, flags: 0, address: 0, bytes: names))
        let headerSize = wordSize == 8 ? 64 : 52
        let entrySize = wordSize == 8 ? 64 : 40
        let tableEnd = headerSize + (sections.count + 1) * entrySize
        places["ELF header"] = 0..<headerSize
        places["section headers"] = headerSize..<tableEnd
        var writer = ByteWriter(bytes: elfHeader(sections.count + 1, headerSize, entrySize))
        writer.append([UInt8](repeating: 0, count: entrySize))
        var offset = tableEnd
        for (index, section) in sections.enumerated() {
            offset = (offset + 7) & ~7
            appendHeader(&writer, section, nameOffsets[index], offset, link: section.type == 2 ? index + 2 : 0)
            places[section.name] = offset..<offset + section.bytes.count
            offset += section.bytes.count
        }
        for section in sections {
            writer.align(8)
            writer.append(section.bytes)
        }
        for (name, range) in tables {
            let start = places[".rodata"]!.lowerBound
            places[name] = start + range.lowerBound..<start + range.upperBound
        }
        return File(bytes: writer.bytes, places: places)
    }

    private func elfHeader(_ sections: Int, _ headerSize: Int, _ entrySize: Int) -> [UInt8] {
        var writer = ByteWriter()
        writer.append([0x7f, 0x45, 0x4c, 0x46, wordSize == 8 ? 2 : 1, 1, 1] + [UInt8](repeating: 0, count: 9))
        writer.append(UInt16(2))
        writer.append(UInt16(wordSize == 8 ? 62 : 3))
        writer.append(UInt32(1))
        writer.word(base, wordSize)
        writer.word(0, wordSize)
        writer.word(UInt64(headerSize), wordSize)
        writer.append(UInt32(0))
        for value in [headerSize, 0, 0, entrySize, sections, sections - 1] { writer.append(UInt16(value)) }
        return writer.bytes
    }

    private func appendHeader(
        _ writer: inout ByteWriter, _ section: Section, _ name: Int, _ offset: Int, link: Int
    ) {
        writer.append(UInt32(name))
        writer.append(section.type)
        writer.word(section.flags, wordSize)
        writer.word(section.address, wordSize)
        writer.word(UInt64(offset), wordSize)
        writer.word(UInt64(section.type == 8 ? section.size : section.bytes.count), wordSize)
        writer.append(UInt32(link))
        writer.append(UInt32(0))
        writer.word(8, wordSize)
        writer.word(0, wordSize)
    }

    // MARK: sections

    private func mcountTable() -> [UInt8] {
        var writer = ByteWriter()
        guard hasFtrace else { return [0, 0, 0, 0, 0, 0, 0, 0] }
        // The last two are init code's.
        for site in (0..<functions).map(function) + [initText, initText + 64] { writer.word(site, wordSize) }
        return writer.bytes
    }

    private func initTextSection() -> [UInt8] {
        var text = [UInt8](repeating: 0xcc, count: 128)
        for at in [0, 64] where hasFtrace {
            let site = initText + UInt64(at)
            text.replaceSubrange(at..<at + 5, with: hasNopsInFile ? nop5 : relative(0xe8, site, fentry))
        }
        return text
    }

    private func dataSection() -> [UInt8] {
        var bytes = ByteWriter(bytes: [UInt8](repeating: 0, count: 0x200))
        for (index, target) in [function(1), 0, returnZero, returnZero].enumerated() {
            bytes.put(target, at: index * 16)
        }
        bytes.put(UInt32(1), at: 0x100)
        // A pointer to function 7, for the functions that an indirect call can reach.
        if wordSize == 8 { bytes.put(function(7), at: 0x180) } else { bytes.put(UInt32(function(7)), at: 0x180) }
        return bytes.bytes
    }

    private func returnTable() -> [UInt8] {
        var writer = ByteWriter()
        for index in 0..<functions {
            let field = returnSites + UInt64(writer.count)
            writer.append(UInt32(truncatingIfNeeded: returnSite(index) &- field))
        }
        return writer.bytes
    }

    /// The banner, the tables of static calls and branches, and kallsyms.
    private func rodataSection(_ places: inout [String: Range<Int>]) -> [UInt8] {
        var writer = ByteWriter()
        // The line without a build number, which must not be taken for the banner.
        writer.append(Array("Linux version \(Self.release) (nobody) # SMP\n".utf8) + [0])
        writer.align(8)
        let banner = writer.count
        writer.append(Array("Linux version \(Self.release) (nobody) #1 SMP\n".utf8) + [0])
        writer.align(8)
        let jumps = writer.count
        appendJumps(&writer)
        places["__jump_table"] = jumps..<writer.count
        let jumpsEnd = writer.count
        writer.append([UInt8](repeating: 0, count: 16))
        let calls = writer.count
        if mode == .x86_64 { appendCalls(&writer) }
        places[".static_call_sites"] = calls..<writer.count
        let callsEnd = writer.count
        writer.append([UInt8](repeating: 0, count: 16))
        guard hasKallsyms else { return writer.bytes }
        let names = [
            ("linux_banner", banner), ("__start___jump_table", jumps), ("__stop___jump_table", jumpsEnd),
            ("__start_static_call_sites", calls), ("__stop_static_call_sites", callsEnd),
        ]
        let start = writer.count
        writer.append(
            SyntheticKallsyms(
                layout: layout, isAbsolutePerCPU: isAbsolutePerCPU, wordSize: wordSize, symbols: symbols(names)
            ).build())
        places["kallsyms"] = start..<writer.count
        return writer.bytes
    }

    private func appendJumps(_ writer: inout ByteWriter) {
        for index in 0..<functions {
            for (site, target) in [
                (jumpSite(index), function(index) + 48), (shortJumpSite(index), function(index) + 48),
            ] {
                let entry = rodata + UInt64(writer.count)
                writer.append(UInt32(truncatingIfNeeded: site &- entry))
                writer.append(UInt32(truncatingIfNeeded: target &- (entry + 4)))
                let key = branchKey(branchKeyIndex(index)) | (isBranch(index) ? 1 : 0)
                writer.word(key &- (entry + 8), wordSize)
            }
        }
    }

    private func appendCalls(_ writer: inout ByteWriter) {
        for index in 0..<functions {
            let entry = rodata + UInt64(writer.count)
            writer.append(UInt32(truncatingIfNeeded: callSite(index) &- entry))
            let key = callKey(callKeyIndex(index)) | (isTail(index) ? 1 : 0)
            writer.append(UInt32(truncatingIfNeeded: key &- (entry + 4)))
        }
    }

    /// All symbols, ascending; those of data only with CONFIG_KALLSYMS_ALL.
    func symbols(_ rodataNames: [(String, Int)]) -> [SyntheticKallsyms.Symbol] {
        var symbols: [SyntheticKallsyms.Symbol] = []
        func add(_ address: UInt64, _ type: Character, _ name: String) {
            if hasDataSymbols || type == "T" || type == "t" {
                symbols.append(SyntheticKallsyms.Symbol(address: address, type: type, name: name))
            }
        }
        if mode == .x86_64 { add(0x20, "A", "cpu_number") }
        add(base, "T", "_text")
        for index in 0..<functions {
            let name = [1: "first_target", 2: "__cond_resched"][index] ?? "function_\(index)"
            // One name is long enough for a length of two bytes.
            add(function(index), "t", index == 9 ? String(repeating: "long_", count: 40) : name)
        }
        if hasFtrace { add(fentry, "T", "__fentry__") }
        add(returnThunk, "T", "__x86_return_thunk")
        add(returnZero, "T", "__static_call_return0")
        for (index, name) in Self.callNames.enumerated() { add(trampoline(index), "T", "__SCT__" + name) }
        for (name, offset) in rodataNames { add(rodata + UInt64(offset), "R", name) }
        for (index, name) in Self.callNames.enumerated() { add(callKey(index), "D", "__SCK__" + name) }
        for (index, name) in ["true_key", "false_key", "crng_is_ready"].enumerated() {
            add(branchKey(index), "D", name)
        }
        add(initText, "T", "_sinittext")
        if hasFtrace {
            add(initData, "D", "__start_mcount_loc")
            add(initData + UInt64((functions + 2) * wordSize), "D", "__stop_mcount_loc")
        }
        return symbols.enumerated().sorted { ($0.element.address, $0.offset) < ($1.element.address, $1.offset) }
            .map(\.element)
    }

    private func symbolTable() -> ([UInt8], [UInt8]) {
        var writer = ByteWriter(bytes: [UInt8](repeating: 0, count: wordSize == 8 ? 24 : 16))
        var strings: [UInt8] = [0]
        var scratch: [String: Range<Int>] = [:]
        var whole = self
        whole.hasDataSymbols = true
        whole.hasKallsyms = true
        whole.isAbsolutePerCPU = mode == .x86_64
        _ = whole.rodataSection(&scratch)
        let names = [
            ("__start___jump_table", scratch["__jump_table"]!.lowerBound),
            ("__stop___jump_table", scratch["__jump_table"]!.upperBound),
            ("__start_static_call_sites", scratch[".static_call_sites"]!.lowerBound),
            ("__stop_static_call_sites", scratch[".static_call_sites"]!.upperBound),
        ]
        for symbol in whole.symbols(names) {
            writer.append(UInt32(strings.count))
            strings += Array(symbol.name.utf8) + [0]
            let info: UInt8 = symbol.type == "t" ? 0x02 : 0x10
            let section: UInt16 = symbol.type == "A" ? 0xfff1 : symbol.type.lowercased() == "t" ? 1 : 3
            if wordSize == 8 {
                writer.append([info, 0])
                writer.append(section)
                writer.append(symbol.address)
                writer.append(UInt64(0))
            } else {
                writer.append(UInt32(truncatingIfNeeded: symbol.address))
                writer.append(UInt32(0))
                writer.append([info, 0])
                writer.append(section)
            }
        }
        return (writer.bytes, strings)
    }
}
