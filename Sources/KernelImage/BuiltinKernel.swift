import X86

extension KernelImage {
    /// The built-in synthetic kernel: some 300 functions of real x86_64 code as they stand after boot, assembled anew on
    /// every call, and the same every time.
    public static func builtin() -> KernelImage {
        BuiltinKernel().image
    }
}

/// The layout of the built-in kernel: sections at fixed addresses, symbols, and the tables of patchable sites.
struct BuiltinKernel {
    static let textBase = VirtualAddress(0xffff_ffff_8100_0000)

    private var readOnly = BuiltinSection(name: ".rodata", base: 0xffff_ffff_8200_0000, isWritable: false)
    private var data = BuiltinSection(name: ".data", base: 0xffff_ffff_8240_0000, isWritable: true)
    private var bss = BuiltinSection(name: ".bss", base: 0xffff_ffff_8280_0000, isWritable: true, isZero: true)
    /// x86_64 SMP kernels link their per-CPU area at 0.
    private var perCPU = BuiltinSection(name: ".data..percpu", base: 0, isWritable: true)
    private var compiler = BuiltinCompiler(base: textBase)
    private let program = BuiltinProgram.all

    init() {
        layOutReadOnlyData()
        layOutData()
        layOutPerCPUData()
        layOutZeroedData()
        for section in [readOnly, data, bss, perCPU] {
            for symbol in section.symbols { compiler.assembler.place(symbol.name, at: symbol.address) }
        }
        emitText()
        let assembler = compiler.assembler
        readOnly.resolve { assembler.address(of: $0) }
        data.resolve { assembler.address(of: $0) }
    }

    // MARK: Data

    private mutating func layOutReadOnlyData() {
        readOnly.mark("__start_rodata", type: "R")
        readOnly.define("linux_banner", type: "R", bytes: Array(BuiltinProgram.banner.utf8) + [0x0a, 0], alignment: 32)
        readOnly.define("crc32_table", type: "r", words: Self.crc32Table())
        readOnly.mark("__end_rodata", type: "R")
    }

    /// The bytewise table of the reflected CRC-32 polynomial.
    private static func crc32Table() -> [UInt64] {
        (0..<256).map { index in
            (0..<8).reduce(UInt64(index)) { value, _ in value & 1 != 0 ? value >> 1 ^ 0xedb8_8320 : value >> 1 }
        }
    }

    private mutating func layOutData() {
        data.mark("_sdata", type: "D")
        data.reserve("init_task", type: "D", bytes: 2048, alignment: 64)
        for table in BuiltinProgram.operationTables {
            data.define(table.name, type: "D", pointers: table.functions)
        }
        for key in BuiltinProgram.staticCallKeys {
            let function = key.functions[0] == "NULL" ? nil : key.functions[0]
            data.define("__SCK__\(key.name)", type: "D", pointers: [function, nil])
        }
        for key in BuiltinProgram.staticKeys {
            data.define(key.name, type: "D", words: [key.isEnabled ? 1 : 0, 0])
        }
        for word in BuiltinProgram.initialWords {
            data.define(word.name, type: "D", words: [word.value])
        }
        data.define("ftrace_list_end", type: "D", pointers: ["ftrace_stub", nil, nil, nil])
        data.define("global_ops", type: "D", pointers: ["ftrace_stub"] + Array(repeating: nil, count: 31))
        data.define("ftrace_ops_list", type: "D", pointers: ["ftrace_list_end"])
        data.define("function_trace_op", type: "D", pointers: ["ftrace_list_end"])
        data.mark("_edata", type: "D")
    }

    private mutating func layOutPerCPUData() {
        perCPU.mark("__per_cpu_start", type: "A")
        perCPU.reserve("fixed_percpu_data", type: "A", bytes: 0x1000)
        for name in BuiltinProgram.perCPUWords {
            perCPU.reserve(name, type: "A", bytes: 8)
        }
        perCPU.mark("__per_cpu_end", type: "A")
    }

    /// Whatever the functions name and no other section defines: counters, locks, tables and buffers.
    private mutating func layOutZeroedData() {
        let defined = Set([readOnly, data, perCPU].flatMap { $0.symbols.map(\.name) })
        var sizes: [String: Int] = [:]
        var order: [String] = []
        for statement in program.functions.flatMap(\.statements) {
            guard let use = statement.memoryUse, !defined.contains(use.symbol) else { continue }
            if sizes[use.symbol] == nil { order.append(use.symbol) }
            sizes[use.symbol] = max(sizes[use.symbol] ?? 0, use.bytes)
        }
        bss.mark("__bss_start", type: "B")
        for name in order {
            bss.reserve(name, type: "b", bytes: sizes[name]!)
        }
        bss.mark("__bss_stop", type: "B")
        bss.mark("_end", type: "B")
    }

    // MARK: Text

    private mutating func emitText() {
        for name in ["startup_64", "_stext", "_text"] { compiler.mark(name, type: "T") }
        // Nobody boots this kernel through its entry point.
        compiler.assembler.emit(0x0f, 0x0b)
        for function in program.functions { compiler.emit(function) }
        compiler.emitFtraceText()
        for key in BuiltinProgram.staticCallKeys {
            compiler.begin("__SCT__\(key.name)", alignment: 8)
            if key.functions[0] == "NULL" {
                compiler.assembler.emit(0xc3, 0xcc, 0xcc, 0xcc, 0xcc)
            } else {
                compiler.assembler.jump(key.functions[0])
            }
            // ud1 %esp,%ecx: the trampoline's signature.
            compiler.assembler.emit(0x0f, 0xb9, 0xcc)
        }
        compiler.assembler.padWithInt3(to: 0, modulo: 16)
        compiler.mark("_etext", type: "T")
        compiler.assembler.padWithInt3(to: 0, modulo: 4096)
        compiler.assembler.resolve()
    }

    // MARK: The image

    var image: KernelImage {
        let text = ImageRegion(
            name: ".text", address: Self.textBase, size: compiler.assembler.bytes.count,
            bytes: ImageBytes(compiler.assembler.bytes), offset: 0, isWritable: false, isExecutable: true)
        let sections = [perCPU.symbols, compiler.symbols, readOnly.symbols, data.symbols, bss.symbols]
        let jumpEntries = compiler.jumpEntries.map {
            JumpEntry(
                code: $0.code, target: compiler.assembler.address(of: $0.target),
                key: compiler.assembler.address(of: $0.key), isBranch: $0.isBranch, length: $0.length)
        }
        return KernelImage(
            name: "builtin", banner: BuiltinProgram.banner, mode: .x86_64,
            regions: [perCPU.region, text, readOnly.region, data.region, bss.region],
            symbols: SymbolTable(sections.flatMap(\.self)), mcountSites: compiler.mcountSites,
            mcountSitesInFile: compiler.mcountSites.count, staticCallSites: compiler.staticCallSites,
            jumpEntries: jumpEntries, addressTakenFunctions: addressTakenFunctions,
            // Assembled as booted: no byte was rewritten, so only the sites are counted.
            bootReport: BootReport(sitesByKind: [
                "mcount": compiler.mcountSites.count, "static_call": compiler.staticCallSites.count,
                "jump_label": jumpEntries.count,
            ]))
    }

    private var addressTakenFunctions: [VirtualAddress] {
        let text = Self.textBase..<(Self.textBase + compiler.assembler.bytes.count)
        let targets = data.pointers.map { compiler.assembler.address(of: $0.target) }
        return Set(targets.filter(text.contains)).sorted()
    }
}

extension BuiltinStatement {
    /// The memory that this statement names, and how much of it.
    fileprivate var memoryUse: (symbol: String, bytes: Int)? {
        switch self {
        case .count(let name), .load(let name), .store(let name), .minimum(let name), .lock(let name),
            .unlock(let name):
            (name, 8)
        case .table(let name, let words), .clear(let name, let words): (name, words * 8)
        case .sum(let name, let bytes): (name, bytes)
        default: nil
        }
    }
}
