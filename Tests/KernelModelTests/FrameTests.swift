import KernelModel
import MachineModel
import Testing
import X86

/// Exception frames of x86_64 and the emulation on them.
@Suite("Frames")
struct FrameTests {
    private static let site = VirtualAddress(0xffff_ffff_8100_0040)

    private final class Text: @unchecked Sendable {
        // Sendable: written only before init returns.
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 64)
        init() { memory.initializeMemory(as: UInt8.self, repeating: 0x90) }
        deinit { memory.deallocate() }
    }

    private func machine() -> (MachineAccess, CPUState) {
        let text = Text()
        let environment = MachineEnvironment(
            text: TextSource(
                address: VirtualAddress(0xffff_ffff_8100_0000), bytes: UnsafeRawBufferPointer(text.memory), owner: text),
            regions: [], perCPUTemplate: nil, havocTargets: [], served: [], mode: .x86_64, patchableSites: [])
        var context = ExecutionContext(memory: GuestMemory(number: 0, seed: 1), seed: 2)
        context.rip = Self.site.rawValue + 1
        context.rsp -= 512
        for number in 0..<16 where number != RegisterNumber.sp { context.registers[number] = UInt64(0x1000 + number) }
        return (
            MachineAccess(environment: environment, cache: DecodeCache(environment)),
            CPUState(index: 0, environment: environment, context: context)
        )
    }

    @Test("The frame stands where the processor and the entry code put it", arguments: [0, 8], [false, true])
    func layout(misalignment: UInt64, leavesGap: Bool) throws {
        var (machine, cpu) = machine()
        cpu.context.rsp -= misalignment
        let interrupted = cpu.context.rsp
        let aligned = interrupted & ~15
        let registers = (0..<16).map { cpu.context.registers[$0] }
        let flags = cpu.context.rflags
        let regs = try #require(KernelEntry.enter(&cpu, on: .current, leavesGap: leavesGap, machine))
        let shift: UInt64 = leavesGap ? 48 : 0
        #expect(regs.address(.ss) == aligned - 8 - shift)
        #expect(regs.address(.ip) == aligned - 40 - shift)
        #expect(regs.base == aligned - PtRegs.size - shift)
        #expect(cpu.context.rsp == regs.base && !cpu.context.interruptsEnabled)
        #expect(
            regs.read(.ss, &cpu, machine) == Segment.kernelData && regs.read(.cs, &cpu, machine) == Segment.kernelCode)
        #expect(regs.read(.sp, &cpu, machine) == interrupted && regs.read(.flags, &cpu, machine) == flags)
        #expect(regs.read(.ip, &cpu, machine) == Self.site.rawValue + 1 && regs.read(.origAx, &cpu, machine) == ~0)
        #expect(regs.read(.di, &cpu, machine) == registers[7] && regs.read(.r15, &cpu, machine) == registers[15])
        KernelEntry.leave(&cpu, regs, flagsAreHavoc: false, machine)
        #expect((0..<16).map { cpu.context.registers[$0] } == registers && cpu.context.rflags == flags)
        #expect(cpu.context.rip == Self.site.rawValue + 1)
    }

    @Test("The NMI's frame stands on its own stack, whatever the interrupted one")
    func ist() throws {
        var (machine, cpu) = machine()
        cpu.context.rsp = 0x123
        let top = cpu.nmiStackTop
        let regs = try #require(KernelEntry.enter(&cpu, on: .ist(top: top), leavesGap: false, machine))
        #expect(regs.address(.ss) == top - 8 && regs.read(.sp, &cpu, machine) == 0x123)
    }

    @Test("An entry on a stack without room changes nothing")
    func noRoom() {
        var (machine, cpu) = machine()
        cpu.context.rsp = cpu.context.memory.stackBase + 64
        let before = cpu.context.registers[3]
        #expect(KernelEntry.enter(&cpu, on: .current, leavesGap: false, machine) == nil)
        #expect(cpu.context.rsp == cpu.context.memory.stackBase + 64 && cpu.context.registers[3] == before)
    }

    private func emulateCall(misalignment: UInt64, leavesGap: Bool) throws -> (
        selector: UInt64, top: UInt64?, sp: UInt64
    ) {
        var (machine, cpu) = machine()
        cpu.context.rsp -= misalignment
        let interrupted = cpu.context.rsp
        let regs = try #require(KernelEntry.enter(&cpu, on: .current, leavesGap: leavesGap, machine))
        let call = InstructionBytes.call(from: Self.site, to: Self.site + 0x100)
        try Int3Emulation.emulate(call, at: Self.site, regs, &cpu, machine)
        #expect(regs.read(.ip, &cpu, machine) == Self.site.rawValue + 0x100)
        let selector = regs.read(.ss, &cpu, machine)
        let sp = regs.read(.sp, &cpu, machine)
        return (selector, cpu.readWord(interrupted - 8, machine), sp &- interrupted)
    }

    @Test("With the gap an emulated CALL pushes its return address and hurts nothing", arguments: [0, 8])
    func callWithGap(misalignment: UInt64) throws {
        let (selector, top, moved) = try emulateCall(misalignment: misalignment, leavesGap: true)
        #expect(
            KernelEntry.acceptsStackSegment(selector) && top == Self.site.rawValue + 5
                && moved == UInt64(bitPattern: -8))
    }

    @Test("Without the gap it overwrites the saved SS when RSP is 16-aligned, and works by luck when it is not")
    func callWithoutGap() throws {
        let aligned = try emulateCall(misalignment: 0, leavesGap: false)
        #expect(aligned.selector == Self.site.rawValue + 5 && !KernelEntry.acceptsStackSegment(aligned.selector))
        let lucky = try emulateCall(misalignment: 8, leavesGap: false)
        #expect(KernelEntry.acceptsStackSegment(lucky.selector) && lucky.top == Self.site.rawValue + 5)
    }

    @Test("RET, JMP32, JMP8, Jcc8, Jcc32 and the NOPs are emulated as the processor executes them")
    func others() throws {
        func target(_ bytes: [UInt8], zero: Bool = false, top: UInt64? = nil) throws -> [Int] {
            var (machine, cpu) = machine()
            if zero { cpu.context.rflags |= FlagBit.zero }
            if let top { _ = cpu.writeWord(cpu.context.rsp, top, machine) }
            let interrupted = cpu.context.rsp
            let regs = try #require(KernelEntry.enter(&cpu, on: .current, leavesGap: true, machine))
            try Int3Emulation.emulate(InstructionBytes(bytes), at: Self.site, regs, &cpu, machine)
            return [
                VirtualAddress(regs.read(.ip, &cpu, machine)) - Self.site,
                Int(regs.read(.sp, &cpu, machine) &- interrupted),
            ]
        }
        #expect(try target([0xc3, 0xcc, 0xcc, 0xcc, 0xcc], top: Self.site.rawValue + 77) == [77, 8])
        #expect(try target([0xe9, 0x10, 0, 0, 0]) == [0x15, 0])
        #expect(try target([0xeb, 0xfe]) == [0, 0])
        #expect(try target([0x74, 0x10], zero: true) == [0x12, 0])
        #expect(try target([0x74, 0x10]) == [2, 0])
        #expect(try target([0x0f, 0x85, 0, 1, 0, 0]) == [0x106, 0])
        #expect(try target(InstructionBytes.nop5.bytes) == [5, 0])
        #expect(try target(InstructionBytes.nop2.bytes) == [2, 0])
        #expect(throws: Int3Emulation.Failure.self) { _ = try target([0x48, 0x89, 0xd8]) }
    }
}
