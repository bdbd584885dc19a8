import Ftrace
import TextPatching
import X86

/// Addresses and bytes of the recorded kernel, Debian's 6.1.0-56-cloud-amd64.
enum RecordedKernel {
    static let ftraceCaller = VirtualAddress(0xffff_ffff_8106_b740)
    static let ftraceCall = VirtualAddress(0xffff_ffff_8106_b7be)
    static let regsCaller = VirtualAddress(0xffff_ffff_8106_b810)
    static let regsCall = VirtualAddress(0xffff_ffff_8106_b8d3)
    static let stub = VirtualAddress(0xffff_ffff_8106_b710)
    static let listFunction = VirtualAddress(0xffff_ffff_8119_f540)
    static let functionTraceCall = VirtualAddress(0xffff_ffff_811b_ed10)
    static let globalOps = VirtualAddress(0xffff_ffff_82b3_99c0)
    static let trampoline = VirtualAddress(0xffff_ffff_c020_1000)

    static let schedule = VirtualAddress(0xffff_ffff_81a1_14f0)
    static let cmdlineProcShow = VirtualAddress(0xffff_ffff_813f_5980)
    static let vfsRead = VirtualAddress(0xffff_ffff_8134_cc50)

    /// Ascending, with a site that belongs to no function.
    static let sites: [(name: String, address: VirtualAddress)] = [
        ("do_one_initcall", VirtualAddress(0xffff_ffff_8100_1b00)),
        ("__ftrace_invalid_address___496", VirtualAddress(0xffff_ffff_8100_1d60)),
        ("wake_up_process", VirtualAddress(0xffff_ffff_810e_0b00)),
        ("vfs_read", vfsRead),
        ("cmdline_proc_show", cmdlineProcShow),
        ("schedule", schedule),
        ("schedule_timeout", VirtualAddress(0xffff_ffff_81a1_6a50)),
    ]

    /// The trampoline at 0xffffffffc0201000 up to its RET, as it was dumped.
    static let trampolineText = bytes(
        """
        48 81 ec a8 00 00 00 48 89 44 24 50 48 89 4c 24 58 48 89 54 24 60 48 89 74 24 68 48 89 7c 24 70
        4c 89 44 24 48 4c 89 4c 24 40 48 c7 44 24 78 00 00 00 00 48 89 ea 48 89 54 24 20 48 8b b4 24 b0
        00 00 00 48 8b bc 24 a8 00 00 00 48 89 bc 24 80 00 00 00 48 83 ef 05 48 8d 8c 24 b0 00 00 00 48
        89 8c 24 98 00 00 00 48 8b 15 59 00 00 00 48 8d 0c 24 48 c7 84 24 88 00 00 00 00 00 00 00 e8 8d
        dc fb c0 48 8b 84 24 80 00 00 00 48 89 84 24 a8 00 00 00 48 8b 6c 24 20 4c 8b 4c 24 40 4c 8b 44
        24 48 48 8b 7c 24 70 48 8b 74 24 68 48 8b 54 24 60 48 8b 4c 24 58 48 8b 44 24 50 48 81 c4 a8 00
        00 00
        """)
    /// What follows: a RET padded to five bytes, then the pointer to the ops.
    static let trampolineEnd = bytes("c3 cc 00 00 00 c0 99 b3 82 ff ff ff ff")

    /// ftrace_caller as it stands in the kernel: the same, but for the variable it loads and the stub it calls.
    static var ftraceCallerText: [UInt8] {
        var text = trampolineText
        text.replaceSubrange(0x6a..<0x6e, with: [0x12, 0x34, 0x56, 0x01])
        text.replaceSubrange(0x7e..<0x83, with: InstructionBytes.call(from: ftraceCall, to: stub).bytes)
        return text
    }

    static func bytes(_ text: String) -> [UInt8] {
        text.split { $0 == " " || $0 == "\n" }.map { UInt8($0, radix: 16)! }
    }

    static let target = FtraceTarget(
        mode: .x86_64,
        caller: FtraceCaller(
            start: ftraceCaller, opsLoad: ftraceCaller + 0x67, call: ftraceCall,
            end: ftraceCaller + ftraceCallerText.count, bytes: ftraceCallerText),
        regsCaller: FtraceCaller(start: regsCaller, opsLoad: nil, call: regsCall, end: nil, bytes: []),
        stub: stub, listFunction: listFunction, functionTraceCall: functionTraceCall, globalOps: globalOps,
        listEnd: VirtualAddress(0xffff_ffff_82b3_9840))

    /// A 32-bit kernel with the same sites: no trampolines.
    static let target32 = FtraceTarget(
        mode: .i386,
        caller: FtraceCaller(
            start: VirtualAddress(0xc103_0000), opsLoad: nil, call: VirtualAddress(0xc103_0020), end: nil, bytes: []),
        regsCaller: FtraceCaller(
            start: VirtualAddress(0xc103_0100), opsLoad: nil, call: VirtualAddress(0xc103_0140), end: nil, bytes: []),
        stub: VirtualAddress(0xc102_ff00), listFunction: VirtualAddress(0xc110_0000),
        functionTraceCall: VirtualAddress(0xc112_0000), globalOps: VirtualAddress(0xc1c0_0000),
        listEnd: VirtualAddress(0xc1c0_0100))
}

/// A kernel's text, changed by the steps at once.
struct TestText: TextReading {
    var bytes: [UInt64: UInt8] = [:]
    let names: [UInt64: String]

    func instruction(at address: VirtualAddress, count: Int) -> InstructionBytes? {
        var found: [UInt8] = []
        for offset in 0..<count {
            guard let byte = bytes[(address + offset).rawValue] else { return nil }
            found.append(byte)
        }
        return InstructionBytes(found)
    }

    func symbolize(_ address: VirtualAddress) -> String {
        names[address.rawValue].map { "\($0)+0x0/0x100" } ?? "0x\(String(address.rawValue, radix: 16))"
    }

    mutating func put(_ new: [UInt8], at address: VirtualAddress) {
        for (offset, byte) in new.enumerated() { bytes[(address + offset).rawValue] = byte }
    }

    func site(_ address: VirtualAddress) -> String {
        instruction(at: address, count: 5)?.description ?? "unmapped"
    }
}

/// ftrace beside a text that follows at once.
struct TestKernel {
    var ftrace: FtraceState
    var text: TestText
    var log: [String] = []

    init(_ target: FtraceTarget = RecordedKernel.target, cpuCount: Int = 2) {
        var names = FtraceNames()
        var symbols: [UInt64: String] = [
            target.listFunction.rawValue: "arch_ftrace_ops_list_func",
            target.functionTraceCall.rawValue: "function_trace_call",
        ]
        for (name, address) in RecordedKernel.sites {
            names.append(name.utf8)
            symbols[address.rawValue] = name
        }
        ftrace = FtraceState(
            target: target, sites: RecordedKernel.sites.map(\.address), names: names,
            sitesInFile: RecordedKernel.sites.count, cpuCount: cpuCount)
        text = TestText(names: symbols)
        for (_, address) in RecordedKernel.sites { text.put(InstructionBytes.nop5(target.mode).bytes, at: address) }
        for call in [target.caller.call, target.regsCaller!.call] {
            text.put(InstructionBytes.call(from: call, to: target.stub).bytes, at: call)
        }
    }

    /// Runs an operation and carries its steps out, checking that each poke finds what it says it replaces.
    mutating func run(
        _ change: (inout FtraceState, TestText) throws -> FtraceUpdate
    ) rethrows -> [String] {
        let update = try change(&ftrace, text)
        log += update.log
        var lines: [String] = []
        for step in update.steps {
            switch step {
            case .mapTrampoline(let address, let bytes):
                text.put(bytes, at: address)
                lines.append("map \(address)")
            case .unmapTrampoline(let address):
                text.bytes[address.rawValue] = nil
                lines.append("unmap \(address)")
            case .synchronizeRCUTasks:
                lines.append("synchronize_rcu_tasks")
            case .poke(.single(let location)):
                lines.append("single " + poke(location))
            case .poke(.queued(let locations)):
                lines.append("queued " + locations.map { poke($0) }.joined(separator: "; "))
            }
        }
        return lines
    }

    private mutating func poke(_ location: TextPokeLocation) -> String {
        precondition(
            text.instruction(at: location.address, count: 5) == location.old, "a poke replaces what is there")
        text.put(location.new.bytes, at: location.address)
        return "\(name(location.address)) \(location.new)"
    }

    private func name(_ address: VirtualAddress) -> String {
        if address == ftrace.target!.caller.call { return "ftrace_call" }
        if address == ftrace.target!.regsCaller!.call { return "ftrace_regs_call" }
        return text.names[address.rawValue] ?? "0x\(String(address.rawValue, radix: 16))"
    }

    mutating func filter(_ words: String, array: Int = 0, notrace: Bool = false, append: Bool = false) throws
        -> [String]
    {
        var failure: FtraceError?
        let lines = try run { ftrace, text in
            let update = try ftrace.writeFilter(
                array: array, notrace: notrace, words: words, append: append, text: text)
            failure = update.failure
            return update
        }
        if let failure { throw failure }
        return lines
    }

    mutating func tracer(_ tracer: Tracer, array: Int = 0) -> [String] {
        run { ftrace, text in ftrace.setTracer(array: array, tracer, text: text) }
    }

    func record(_ name: String) -> DynFtrace {
        ftrace.records[(0..<ftrace.names.count).first { ftrace.names.string(at: $0) == name }!]
    }

    /// The functions of a filter.
    func filterNames(array: Int = 0, notrace: Bool = false) -> [String] {
        let hash = ftrace.ops(ftrace.arrays[array].ops).hash
        let chosen = notrace ? hash.notrace : hash.filter
        return (0..<ftrace.names.count).filter { chosen.contains($0) }.map { ftrace.names.string(at: $0) }
    }
}
