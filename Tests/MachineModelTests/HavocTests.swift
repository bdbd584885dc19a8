import MachineModel
import Testing
import X86

/// The rules of havoc that the interpreter itself carries out.
@Suite("Havoc")
struct HavocTests {
    private func mark(_ bench: inout Bench, _ register: Int) {
        bench.cpu.context.havocRegisters |= 1 << UInt16(register)
    }

    @Test("An instruction without semantics disturbs what it writes, and nothing else")
    func unknown() {
        // rdtsc writes EDX and EAX.
        var bench = Bench([0x0f, 0x31])
        bench[3] = 5
        #expect(bench.run() == .none)
        #expect(bench.cpu.context.havocRegisters == 0b101 && bench[3] == 5)
        #expect(bench.cpu.counts.havoc.instructions == 1 && bench.cpu.counts.exact == 0)
    }

    @Test("Rule 1: a havoc'd address leads into the arena, never to text or stack")
    func arena() {
        var bench = Bench([0x48, 0x89, 0x18, 0x48, 0x8b, 0x08])
        bench[0] = bench.cpu.context.rsp
        bench[3] = 42
        mark(&bench, 0)
        _ = bench.cpu.writeWord(bench.cpu.context.rsp, 1, bench.machine)
        #expect(bench.run(2) == .none)
        #expect(bench[1] == 42, "the load finds what the store left")
        #expect(bench.cpu.readWord(bench.cpu.context.rsp, bench.machine) == 1)
        #expect(bench.cpu.counts.havoc.addresses == 2)
    }

    @Test("Rule 2: a havoc'd indirect branch takes a function whose address is taken")
    func branch() {
        var bench = Bench([0xff, 0xd0], havocTargets: [BenchText.base + 64])
        mark(&bench, 0)
        #expect(bench.run() == .none && bench.cpu.context.rip == BenchText.base + 64)
        #expect(bench.cpu.counts.havoc.branches == 1)
    }

    @Test(
        "Rule 3: RSP, a return address and RFLAGS are never taken from havoc",
        arguments: [
            [0x48, 0x89, 0xc4], [0x48, 0x01, 0xc4], [0x50, 0xc3], [0x50, 0x9d], [0x50, 0x5c], [0x48, 0x8d, 0x20],
        ] as [[UInt8]])
    func stackPointer(_ bytes: [UInt8]) {
        var bench = Bench(bytes)
        mark(&bench, 0)
        #expect(bench.run(2) == .havocStack)
    }

    @Test("Rule 5: a section with interrupts off and a walk have budgets")
    func budgets() {
        var off = Bench([0xfa, 0xeb, 0xfe])
        #expect(off.run(CPUState.interruptsOffBudget + 10) == .budget)
        var walk = Bench([0xeb, 0xfe])
        walk.cpu.context.walkBudget = 100
        #expect(walk.run(1000) == .budget && walk.cpu.counts.instructions == 101)
    }

    @Test("Rule 6: UD2, and stores to text, fault")
    func faults() {
        var undefined = Bench([0x0f, 0x0b])
        #expect(undefined.run() == .undefinedOpcode)
        var store = Bench([0x48, 0x89, 0x18])
        store[0] = BenchText.base
        #expect(store.run() == .pageFault && store.cpu.faultAddress == BenchText.base)
    }

    @Test("Memory that nobody wrote is arbitrary, marked, and the same each time")
    func unwritten() {
        var bench = Bench([0x48, 0x8b, 0x04, 0x24, 0x48, 0x8b, 0x1c, 0x24])
        #expect(bench.run(2) == .none)
        #expect(bench[0] == bench[3] && bench.cpu.context.havocRegisters & 0b1001 == 0b1001)
    }

    @Test("XOR and SUB of a register with itself end its havoc; a 32-bit move does, an 8-bit one doesn't")
    func ending() {
        for bytes in [[0x31, 0xc0], [0x29, 0xc0], [0xb8, 1, 0, 0, 0]] as [[UInt8]] {
            var bench = Bench(bytes)
            mark(&bench, 0)
            #expect(bench.run() == .none && bench.cpu.context.havocRegisters == 0)
        }
        var partial = Bench([0xb0, 1])
        mark(&partial, 0)
        #expect(partial.run() == .none && partial.cpu.context.havocRegisters == 1)
    }

    @Test("STI holds interrupts off for one instruction, and only where they were off")
    func shadow() {
        var bench = Bench([0xfa, 0xfb, 0x90, 0xfb, 0x90])
        var shadows: [Bool] = []
        for _ in 0..<4 {
            _ = bench.run()
            shadows.append(bench.cpu.interruptShadow)
        }
        #expect(shadows == [false, true, false, false])
    }

    @Test("INT3 traps before it retires")
    func int3() {
        var bench = Bench([0xcc])
        #expect(bench.run() == .breakpoint)
        #expect(bench.cpu.context.rip == BenchText.base && bench.cpu.counts.instructions == 0)
    }
}
