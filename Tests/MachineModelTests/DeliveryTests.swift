import MachineModel
import Testing
import X86

private let (sp, di) = (4, 7)

/// Frames byte by byte, shadows, masks and nesting (SDM vol. 3, 6.8, 6.12 to 6.15).
@Suite("Delivery")
struct DeliveryTests {
    private static let handler = VirtualAddress(0x1800)
    private static let nmiStack: UInt64 = 0x7f000

    /// Kernel code at 0x1000, a handler that is IRET at 0x1800, gates for all exceptions.
    private func scratch(
        _ bytes: [UInt8], _ mode: ProcessorMode = .x86_64, level: Int = 0, handler: [UInt8]? = nil
    ) throws -> Scratch {
        var scratch = try Scratch(bytes, mode, level: level)
        let code = handler ?? (mode == .x86_64 ? [0x48, 0xcf] : [0xcf])
        #expect(scratch.machine.load(code, at: Self.handler) == true)
        var gates = GateTable()
        for vector: UInt8 in 0..<64 {
            gates[vector] = Gate(
                handler: Self.handler, selector: LinuxSelector.kernelCode(mode), privilegeLevel: vector == 3 ? 3 : 0,
                interruptStack: vector == 2 && mode == .x86_64 ? 1 : 0)
        }
        scratch.machine.cpu.gates = gates
        scratch.machine.cpu.system.task.stack0 = 0x7e000
        scratch.machine.cpu.system.task.stackSegment0 = LinuxSelector.kernelData(mode)
        scratch.machine.cpu.system.task.interruptStacks[0] = Self.nmiStack
        return scratch
    }

    private func words(_ scratch: Scratch, _ address: UInt64, _ count: Int, _ size: Int) -> [UInt64?] {
        (0..<count).map { scratch.word(address + UInt64($0 * size), size) }
    }

    @Test("#BP in the kernel, 64 bit: RSP is aligned, then SS, RSP, RFLAGS, CS, RIP", arguments: [0, 8, 15])
    func breakpoint64(misalignment: UInt64) throws {
        var scratch = try scratch([0xcc])
        scratch[sp] -= misalignment
        scratch.flags = 0x246
        let interrupted = scratch[sp]
        let aligned = interrupted & ~15
        // The handler's IRETQ is the one step.
        scratch.run()
        #expect(words(scratch, aligned - 40, 5, 8) == [0x1001, 0x10, 0x246, interrupted, 0x18])
        #expect(scratch[sp] == interrupted && scratch.machine.cpu.context.rip == 0x1001 && scratch.flags == 0x246)
    }

    @Test("#BP in the kernel, 32 bit: EFLAGS, CS, EIP at the stack as it is, no ESP")
    func breakpoint32() throws {
        var scratch = try scratch([0xcc], .i386)
        scratch.flags = 0x246
        scratch.set(0x7ff00, 0xdead_beef, 4)
        scratch.run()
        #expect(words(scratch, 0x7fef4, 4, 4) == [0x1001, 0x60, 0x246, 0xdead_beef])
        #expect(scratch[sp] == 0x7ff00 && scratch.machine.cpu.context.rip == 0x1001)
    }

    @Test(
        "From user mode the frame stands on the kernel's stack with the user's SS and stack pointer",
        arguments: ProcessorMode.allCases)
    func userMode(mode: ProcessorMode) throws {
        var scratch = try scratch([0xcc, 0x90], mode, level: 3)
        scratch.flags = 0x202
        scratch.run()
        let size = mode.wordSize
        let code = UInt64(LinuxSelector.userCode(mode))
        let data = UInt64(LinuxSelector.userData(mode))
        #expect(words(scratch, 0x7e000 - UInt64(5 * size), 5, size) == [0x1001, code, 0x202, 0x7ff00, data])
        #expect(scratch.machine.cpu.system.privilegeLevel == 3 && scratch[sp] == 0x7ff00)
        #expect(scratch.machine.cpu.system[.ss] == UInt16(data) && scratch.machine.cpu.system[.cs] == UInt16(code))
    }

    @Test("#PF pushes its error code, loads CR2, sets RF in the saved flags and clears IF")
    func pageFault() throws {
        for mode in ProcessorMode.allCases {
            // The handler halts, so that its state can be looked at.
            var scratch = try scratch([0x89, 0x07], mode, handler: [0xf4])
            scratch[di] = 0x50004
            scratch.flags = 0x202
            #expect(scratch.run().isHalted == true)
            let size = UInt64(mode.wordSize)
            #expect(scratch.word(scratch[sp], Int(size)) == 2)
            #expect(scratch.word(scratch[sp] + size, Int(size)) == 0x1000)
            #expect(scratch.word(scratch[sp] + 3 * size, Int(size)) == 0x202 | FlagBit.resume)
            #expect(scratch.machine.cpu.system.cr2 == 0x50004 && scratch.flags == FlagBit.alwaysSet)
        }
    }

    @Test("A trap gate leaves IF on; both clear TF and NT")
    func gateTypes() throws {
        var scratch = try scratch([0xcc], handler: [0xf4])
        scratch.machine.cpu.gates?[3]?.isTrap = true
        scratch.flags = 0x202 | FlagBit.nestedTask
        #expect(scratch.run().isHalted && scratch.flags == 0x202)
    }

    @Test("INT n through a kernel-only gate is #GP at CPL 3, with the gate's code; INT3's own gate is open")
    func gatePrivilege() throws {
        var scratch = try scratch([0xcd, 0x20], level: 3, handler: [0xf4])
        #expect(scratch.run().isHalted == true)
        #expect(scratch.word(scratch[sp]) == 0x20 << 3 | 2)
    }

    @Test("A fault on the way becomes a double fault, and one more shuts the processor down")
    func doubleFault() throws {
        var scratch = try scratch([0x89, 0x07], handler: [0xf4])
        scratch[di] = 0x50000
        scratch[sp] = 0x60000
        scratch.machine.cpu.gates?[8]?.interruptStack = 1
        #expect(scratch.run().isHalted && scratch[sp] == Self.nmiStack - 48 && scratch.word(scratch[sp]) == 0)
        var worse = try self.scratch([0x89, 0x07])
        worse[di] = 0x50000
        worse[sp] = 0x60000
        #expect(worse.run().exception?.vector == 14)
    }

    private func deliverNMI(_ scratch: inout Scratch) -> Bool {
        scratch.machine.interrupt(vector: 2)
    }

    @Test("An NMI runs on its own stack and masks the next until IRET, even one that ends another exception")
    func nmi() throws {
        var scratch = try scratch([0x90, 0x90], handler: [0xcc, 0xf4])
        // #BP inside the NMI returns at once.
        #expect(scratch.machine.load([0x48, 0xcf], at: VirtualAddress(0x1900)) == true)
        scratch.machine.cpu.gates?[3]?.handler = VirtualAddress(0x1900)
        #expect(deliverNMI(&scratch) && scratch[sp] == Self.nmiStack - 40)
        #expect(deliverNMI(&scratch) == false, "masked")
        scratch.run()
        #expect(scratch.machine.cpu.context.rip == 0x1801 && !scratch.machine.cpu.nmiMasked)
        #expect(deliverNMI(&scratch) == true, "the IRET of the #BP has unmasked it")
        #expect(scratch.word(Self.nmiStack - 40) == 0x1801, "and the second overwrites the first one's frame")
    }

    @Test("STI holds interrupts off for one instruction; NMIs only where the processor says so")
    func interruptShadow() throws {
        var scratch = try scratch([0xfb, 0x90, 0x90])
        #expect(scratch.machine.interrupt(vector: 33) == false, "IF is off")
        scratch.run()
        #expect(!scratch.machine.cpu.acceptsInterrupt && scratch.machine.cpu.acceptsNMI)
        scratch.machine.cpu.options.interruptShadowBlocksNMI = true
        #expect(!scratch.machine.cpu.acceptsNMI)
        scratch.run()
        #expect(scratch.machine.cpu.acceptsInterrupt && scratch.machine.cpu.acceptsNMI)
        #expect(scratch.machine.interrupt(vector: 33) == true)
    }

    @Test("MOV SS and POP SS hold everything off for one instruction, but only the first of a row")
    func stackShadow() throws {
        for (bytes, mode) in [([0x8e, 0xd0, 0x8e, 0xd0, 0x90], ProcessorMode.x86_64), ([0x16, 0x17, 0x90], .i386)]
            as [([UInt8], ProcessorMode)]
        {
            var scratch = try scratch(bytes, mode)
            scratch.flags = 0x202
            scratch[0] = UInt64(LinuxSelector.kernelData(mode))
            if mode == .i386 { scratch.run() }
            scratch.run()
            #expect(!scratch.machine.cpu.acceptsInterrupt && !scratch.machine.cpu.acceptsNMI)
            scratch.run()
            #expect(scratch.machine.cpu.acceptsInterrupt)
        }
    }

    @Test("TF steps once an instruction, not behind MOV SS, and the handler runs without it")
    func singleStep() throws {
        var scratch = try scratch([0x90, 0x8e, 0xd0, 0x90, 0x90], handler: [0xf4])
        scratch.machine.cpu.gates = nil
        scratch[0] = UInt64(LinuxSelector.kernelData(.x86_64))
        scratch.flags = FlagBit.trap
        var places: [UInt64] = []
        for _ in 0..<3 {
            let outcome = scratch.run(5)
            #expect(outcome.exception?.vector == 1 && scratch.machine.cpu.system.debug[6] & 1 << 14 != 0)
            places.append(scratch.machine.cpu.context.rip - 0x1000)
        }
        #expect(places == [1, 4, 5])
    }

    @Test("IRET takes #GP on a stack segment that is none, and leaves everything as it was")
    func badReturn() throws {
        var scratch = try scratch([0x48, 0xcf])
        scratch.machine.cpu.gates = nil
        for (index, word) in [0x1001, 0x10, 0x202, 0x7ff00, 0xffff_8100].enumerated() {
            scratch.set(scratch[sp] + UInt64(index * 8), UInt64(word))
        }
        let before = scratch[sp]
        let exception = scratch.run().exception
        #expect(exception?.vector == 13 && exception?.errorCode == 0x8100 && scratch[sp] == before)
    }

    @Test("SYSCALL and SYSRET, SWAPGS")
    func systemCall() throws {
        var scratch = try scratch([0x0f, 0x05], level: 3, handler: [0x0f, 0x01, 0xf8, 0x48, 0x0f, 0x07])
        scratch.machine.cpu.system.star = 0x23 << 48 | 0x10 << 32
        scratch.machine.cpu.system.lstar = 0x1800
        scratch.machine.cpu.system.sfmask = FlagBit.interrupt
        scratch.machine.cpu.system.kernelGSBase = 0xffff_8880_0000_0000
        scratch.flags = 0x202
        scratch.run()
        #expect(scratch.machine.cpu.system.privilegeLevel == 0 && scratch.flags == FlagBit.alwaysSet)
        #expect(scratch[1] == 0x1002 && scratch[11] == 0x202)
        scratch.run(2)
        #expect(scratch.machine.cpu.system.privilegeLevel == 3 && scratch.flags == 0x202)
        #expect(scratch.machine.cpu.context.rip == 0x1002 && scratch.machine.cpu.system[.cs] == 0x33)
        #expect(scratch.machine.cpu.gsBase == 0xffff_8880_0000_0000)
    }
}
