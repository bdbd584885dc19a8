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

    @Test("An interrupt's frame stands where the processor puts it", arguments: [0, 8])
    func layout(misalignment: UInt64) throws {
        var (machine, cpu) = machine()
        cpu.context.rsp -= misalignment
        let interrupted = cpu.context.rsp
        let aligned = interrupted & ~15
        let registers = (0..<16).map { cpu.context.registers[$0] }
        let flags = cpu.context.rflags
        let regs = try #require(KernelEntry.enter(&cpu, on: .current, machine))
        #expect(regs.address(.ss) == aligned - 8 && regs.address(.ip) == aligned - 40)
        #expect(regs.base == aligned - PtRegs.size(.x86_64))
        #expect(cpu.context.rsp == regs.base && !cpu.context.interruptsEnabled)
        func word(_ slot: PtRegs.Slot) -> UInt64? { cpu.readWord(regs.address(slot), machine) }
        #expect(word(.ss) == Segment.kernelData && word(.cs) == Segment.kernelCode)
        #expect(word(.sp) == interrupted && word(.flags) == flags)
        #expect(word(.ip) == Self.site.rawValue + 1 && word(.origAx) == ~0)
        #expect(word(.di) == registers[7] && word(.r15) == registers[15])
        KernelEntry.leave(&cpu, regs, flagsAreHavoc: false, machine)
        #expect((0..<16).map { cpu.context.registers[$0] } == registers && cpu.context.rflags == flags)
        #expect(cpu.context.rip == Self.site.rawValue + 1)
    }

    @Test("The NMI's frame stands on its own stack, whatever the interrupted one")
    func ist() throws {
        var (machine, cpu) = machine()
        cpu.context.rsp = 0x123
        let top = cpu.nmiStackTop
        let regs = try #require(KernelEntry.enter(&cpu, on: .ist(top: top), machine))
        #expect(regs.address(.ss) == top - 8 && cpu.readWord(regs.address(.sp), machine) == 0x123)
    }

    @Test("An entry on a stack without room changes nothing")
    func noRoom() {
        var (machine, cpu) = machine()
        cpu.context.rsp = cpu.context.memory.stackBase + 64
        let before = cpu.context.registers[3]
        #expect(KernelEntry.enter(&cpu, on: .current, machine) == nil)
        #expect(cpu.context.rsp == cpu.context.memory.stackBase + 64 && cpu.context.registers[3] == before)
    }

    @Test("A frame of i386 has 17 words, one of x86_64 21, and each word its place")
    func places() {
        #expect(PtRegs.size(.x86_64) == 168 && PtRegs.size(.i386) == 68)
        let wide = PtRegs(base: 0x1000, mode: .x86_64)
        #expect(wide.address(.r15) == 0x1000 && wide.address(.ax) == 0x1050 && wide.address(.ss) == 0x10a0)
        let narrow = PtRegs(base: 0x1000, mode: .i386)
        #expect(narrow.address(.bx) == 0x1000 && narrow.address(.ip) == 0x1030 && narrow.address(.ss) == 0x1040)
    }

    /// Memory of one stack, as a dictionary of words.
    private struct Words: KernelMemory {
        var words: [UInt64: UInt64] = [:]
        mutating func load(_ address: UInt64, size: Int) -> UInt64? { words[address] }
        mutating func store(_ address: UInt64, _ value: UInt64, size: Int) -> Bool {
            words[address] = value
            return true
        }
    }

    @Test("The same emulation pushes words of the frame's width", arguments: ProcessorMode.allCases)
    func width(_ mode: ProcessorMode) throws {
        let regs = PtRegs(base: 0x1000, mode: mode)
        var emulation = Int3Emulation(regs, Words())
        let size = UInt64(mode.wordSize)
        for (slot, word) in [(PtRegs.Slot.ip, UInt64(0x401)), (.sp, 0x2000), (.flags, 2)] {
            emulation.memory.words[regs.address(slot)] = word
        }
        let call = InstructionBytes.call(from: VirtualAddress(0x400), to: VirtualAddress(0x500))
        try emulation.emulate(call, at: VirtualAddress(0x400))
        #expect(emulation.memory.words[regs.address(.ip)] == 0x500)
        #expect(emulation.memory.words[regs.address(.sp)] == 0x2000 - size)
        #expect(emulation.memory.words[0x2000 - size] == 0x405)
        try emulation.emulate(InstructionBytes([0xc3]), at: VirtualAddress(0x500))
        #expect(emulation.memory.words[regs.address(.ip)] == 0x405)
        #expect(emulation.memory.words[regs.address(.sp)] == 0x2000)
        emulation.memory.words[regs.address(.sp)] = 0x3000
        #expect(throws: Int3EmulationFailure.stackFault(VirtualAddress(0x3000))) { try emulation.ret() }
    }

    @Test("RET, JMP32, JMP8, Jcc8, Jcc32 and the NOPs are emulated as the processor executes them")
    func others() throws {
        func target(_ bytes: [UInt8], zero: Bool = false, top: UInt64? = nil) throws -> [Int] {
            var (machine, cpu) = machine()
            if zero { cpu.context.rflags |= FlagBit.zero }
            if let top { _ = cpu.writeWord(cpu.context.rsp, top, machine) }
            let interrupted = cpu.context.rsp
            let regs = try #require(KernelEntry.enter(&cpu, on: .current, machine))
            return try withUnsafeMutablePointer(to: &cpu) { pointer in
                var emulation = Int3Emulation(regs, CPUMemory(pointer, machine))
                try emulation.emulate(InstructionBytes(bytes), at: Self.site)
                let ip = try #require(regs.read(.ip, &emulation.memory))
                let sp = try #require(regs.read(.sp, &emulation.memory))
                return [VirtualAddress(ip) - Self.site, Int(sp &- interrupted)]
            }
        }
        #expect(try target([0xc3, 0xcc, 0xcc, 0xcc, 0xcc], top: Self.site.rawValue + 77) == [77, 8])
        #expect(try target([0xe9, 0x10, 0, 0, 0]) == [0x15, 0])
        #expect(try target([0xeb, 0xfe]) == [0, 0])
        #expect(try target([0x74, 0x10], zero: true) == [0x12, 0])
        #expect(try target([0x74, 0x10]) == [2, 0])
        #expect(try target([0x0f, 0x85, 0, 1, 0, 0]) == [0x106, 0])
        #expect(try target(InstructionBytes.nop5.bytes) == [5, 0])
        #expect(try target(InstructionBytes.nop2.bytes) == [2, 0])
        #expect(throws: Int3EmulationFailure.self) { _ = try target([0x48, 0x89, 0xd8]) }
    }
}
