import KernelModel
import MachineModel
import Testing
import X86

@testable import EntryCode

/// ftrace_caller, ftrace_regs_caller and the return thunk, executed.
@Suite("Ftrace entry code")
struct FtraceEntryTests {
    private static let ops: UInt64 = 0x1234_5678

    /// A call site, the text, a stack and the pointer to the ops.
    private struct Bench {
        let mode: ProcessorMode
        let labels: [String: VirtualAddress]
        var machine: ScratchMachine
        let text: UInt64
        let data: UInt64
        let stackTop: UInt64
        let site: UInt64
        let parent: UInt64
        private(set) var atStub: ScratchMachine?

        init(_ mode: ProcessorMode) throws {
            self.mode = mode
            text = mode == .x86_64 ? 0xffff_ffff_8100_0000 : 0xc100_0000
            data = text + 0x10_0000
            stackTop = text + 0x20_2000
            site = text + 0x800
            parent = text + 0x905
            let unit = try Assembler(mode: mode).assemble(
                FtraceEntryText.all(mode) + "ftrace_stub:\n ret\n", at: VirtualAddress(text),
                symbols: ["function_trace_op": VirtualAddress(data)])
            labels = unit.labels
            machine = ScratchMachine(mode: mode)
            try machine.map(VirtualAddress(text), size: 4096, .execute)
            try machine.map(VirtualAddress(data), size: 4096, .write)
            try machine.map(VirtualAddress(stackTop - 0x2000), size: 0x2000, .write)
            let isLoaded = machine.load(unit.bytes, at: VirtualAddress(text))
            #expect(isLoaded)
            for number in 0..<(mode == .x86_64 ? 16 : 8) {
                machine.cpu.context.registers[number] = 0x1111_0000 + UInt64(number)
            }
            machine.cpu.context.rflags = FlagBit.alwaysSet | FlagBit.carry | FlagBit.zero
            machine.cpu.context.rsp = stackTop - 0x100
            poke(data, FtraceEntryTests.ops)
            poke(stackTop - 0x100, parent)
        }

        mutating func poke(_ address: UInt64, _ word: UInt64) {
            let bytes = (0..<mode.wordSize).map { UInt8(truncatingIfNeeded: word >> UInt64($0 * 8)) }
            let isLoaded = machine.load(bytes, at: VirtualAddress(address))
            #expect(isLoaded)
        }

        static func word(_ machine: ScratchMachine, _ address: UInt64) -> UInt64 {
            let bytes = machine.bytes(at: VirtualAddress(address), count: machine.mode.wordSize) ?? []
            return bytes.enumerated().reduce(0) { $0 | UInt64($1.element) << UInt64($1.offset * 8) }
        }

        /// Calls `label` from the site and runs until `end`; `callback` acts at ftrace_stub.
        mutating func call(
            _ label: String, until end: UInt64? = nil, _ callback: (inout Bench) -> Void = { _ in }
        ) throws {
            machine.cpu.context.rsp -= UInt64(mode.wordSize)
            poke(machine.cpu.context.rsp, site + 5)
            machine.cpu.context.rip = try #require(labels[label]).rawValue
            let stub = try #require(labels["ftrace_stub"]).rawValue
            for _ in 0..<200 {
                if machine.cpu.context.rip == end ?? (site + 5) { return }
                if machine.cpu.context.rip == stub {
                    atStub = machine
                    callback(&self)
                }
                let outcome = machine.run(steps: 1)
                try #require(outcome.exception == nil)
            }
            Issue.record("the call does not come back")
        }

        /// The callback's arguments: ip, parent, ops and pt_regs.
        func arguments() throws -> [UInt64] {
            let machine = try #require(atStub)
            let registers = machine.cpu.context.registers
            let sp = machine.cpu.context.rsp
            return mode == .x86_64
                ? [registers[7], registers[6], registers[2], registers[1]]
                : [registers[0], registers[2], registers[1], Self.word(machine, sp + 4)]
        }
    }

    @Test(
        "The callback gets call site, parent, ops and pt_regs, and the registers survive",
        arguments: ProcessorMode.allCases)
    func arguments(_ mode: ProcessorMode) throws {
        for label in ["ftrace_caller", "ftrace_regs_caller"] {
            var bench = try Bench(mode)
            let before = bench.machine.cpu.context
            try bench.call(label) { bench in
                // What the ABI lets a callback change.
                for number in mode == .x86_64 ? [0, 1, 2, 6, 7, 8, 9, 10, 11] : [0, 1, 2] {
                    // ftrace_caller leaves r10 and r11 to the callee, since a call site may change them.
                    if label == "ftrace_caller", number == 10 || number == 11 { continue }
                    bench.machine.cpu.context.registers[number] = 0xdead
                }
                bench.machine.cpu.context.rflags ^= FlagBit.carry
            }
            let (site, parent) = (bench.site, bench.parent)
            let arguments = try bench.arguments()
            #expect(arguments[0...2] == [site, parent, Self.ops], "\(label)")
            #expect((arguments[3] == 0) == (mode == .i386 && label == "ftrace_caller"))
            let after = bench.machine.cpu.context
            for number in 0..<(mode == .x86_64 ? 16 : 8) {
                #expect(after.registers[number] == before.registers[number], "\(label): register \(number)")
            }
            if label == "ftrace_regs_caller" { #expect(after.rflags == before.rflags) }
        }
    }

    @Test("ftrace_regs_caller's pt_regs are complete, word for word", arguments: ProcessorMode.allCases)
    func registers(_ mode: ProcessorMode) throws {
        var bench = try Bench(mode)
        let before = bench.machine.cpu.context
        try bench.call("ftrace_regs_caller")
        let machine = try #require(bench.atStub)
        let regs = PtRegs(base: try bench.arguments()[3], mode: mode)
        func word(_ slot: PtRegs.Slot) -> UInt64 { Bench.word(machine, regs.address(slot)) }
        let numbers: [(PtRegs.Slot, Int)] = [
            (.ax, 0), (.cx, 1), (.dx, 2), (.bx, 3), (.bp, 5), (.si, 6), (.di, 7),
        ]
        for (slot, number) in numbers { #expect(word(slot) == before.registers[number], "\(slot)") }
        #expect(word(.ip) == bench.site + 5 && word(.sp) == before.rsp && word(.flags) == before.rflags)
        #expect(word(.cs) & 0xffff == UInt64(LinuxSelector.kernelCode(mode)))
        #expect(word(.ss) & 0xffff == UInt64(LinuxSelector.kernelData(mode)))
        #expect(word(.origAx) == 0)
        if mode == .x86_64 {
            let high: [PtRegs.Slot] = [.r8, .r9, .r10, .r11, .r12, .r13, .r14, .r15]
            for (index, slot) in high.enumerated() { #expect(word(slot) == before.registers[8 + index], "\(slot)") }
        }
    }

    @Test(
        "A callback that changes regs->ip, as livepatch does, decides where the call goes",
        arguments: ProcessorMode.allCases)
    func livepatch(_ mode: ProcessorMode) throws {
        var bench = try Bench(mode)
        let elsewhere = bench.text + 0xa00
        let before = bench.machine.cpu.context.rsp
        try bench.call("ftrace_regs_caller", until: elsewhere) { bench in
            guard let base = try? bench.arguments()[3] else { return }
            bench.poke(PtRegs(base: base, mode: mode).address(.ip), elsewhere)
        }
        #expect(bench.machine.cpu.context.rsp == before)
    }

    @Test("The return thunk returns", arguments: ProcessorMode.allCases)
    func returnThunk(_ mode: ProcessorMode) throws {
        var bench = try Bench(mode)
        let before = bench.machine.cpu.context.rsp
        try bench.call("__x86_return_thunk")
        #expect(bench.machine.cpu.context.rsp == before)
    }
}
