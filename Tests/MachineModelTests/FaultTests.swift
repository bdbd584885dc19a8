import MachineModel
import Testing
import X86

private let (ax, cx, dx, bx, sp, bp, si, di) = (0, 1, 2, 3, 4, 5, 6, 7)

/// Faults, their codes, and that they change nothing (SDM vol. 3, 4.7 and 6.15).
@Suite("Faults")
struct FaultTests {
    /// A machine with supervisor pages beside the user's: 0x30000 read-only, 0x32000 writable.
    private func scratch(_ bytes: [UInt8], _ mode: ProcessorMode = .x86_64, level: Int = 0) throws -> Scratch {
        var scratch = try Scratch(bytes, mode, level: level)
        try scratch.machine.map(VirtualAddress(0x30000), size: 0x1000, [])
        try scratch.machine.map(VirtualAddress(0x32000), size: 0x1000, [.write])
        try scratch.machine.map(VirtualAddress(0x34000), size: 0x1000, [.user])
        return scratch
    }

    private func code(
        _ bytes: [UInt8], at address: UInt64, level: Int = 0,
        _ change: (inout Scratch) -> Void = { (_: inout Scratch) in }
    ) throws -> UInt32? {
        var codes: [UInt32?] = []
        for mode in ProcessorMode.allCases {
            var scratch = try scratch(bytes, mode, level: level)
            scratch[di] = address
            change(&scratch)
            scratch.machine.markBaseline()
            let outcome = scratch.run()
            #expect(outcome.exception.map { $0.vector == 14 && $0.address == VirtualAddress(address) } ?? true)
            #expect(outcome.exception == nil || outcome.steps == 0 && scratch.machine.changes.isEmpty)
            #expect(outcome.exception == nil || scratch.machine.cpu.context.rip == Scratch.code.rawValue)
            codes.append(outcome.exception?.errorCode)
        }
        #expect(codes[0] == codes[1], "both widths agree")
        return codes[0]
    }

    private static let load: [UInt8] = [0x8b, 0x07]
    private static let store: [UInt8] = [0x89, 0x07]
    private static let modify: [UInt8] = [0x01, 0x07]

    @Test("#PF says present, write, user")
    func pageFaults() throws {
        #expect(try code(Self.load, at: 0x50000) == 0)
        #expect(try code(Self.store, at: 0x50000) == 2)
        #expect(try code(Self.modify, at: 0x50000) == 2)
        #expect(try code(Self.load, at: 0x50000, level: 3) == 4)
        #expect(try code(Self.load, at: 0x30000, level: 3) == 5)
        #expect(try code(Self.store, at: 0x34000, level: 3) == 7)
        #expect(try code(Self.store, at: 0x30000) == 3)
        let unprotected = try code(Self.store, at: 0x30000) { (scratch: inout Scratch) in
            scratch.machine.cpu.system.cr0 &= ~ControlBit.writeProtect
        }
        #expect(unprotected == nil)
        #expect(try code(Self.load, at: 0x30000) == nil)
        #expect(try code(Self.store, at: 0x32000) == nil)
    }

    @Test("SMAP keeps the kernel from user pages unless AC is set")
    func accessPrevention() throws {
        func enable(_ scratch: inout Scratch) {
            scratch.machine.cpu.system.cr4 |= ControlBit.supervisorAccessPrevention
        }
        #expect(try code(Self.load, at: 0x20000, enable) == 1)
        #expect(try code(Self.store, at: 0x20000, enable) == 3)
        let allowed = try code(Self.load, at: 0x20000) { (scratch: inout Scratch) in
            enable(&scratch)
            scratch.flags |= FlagBit.alignmentCheck
        }
        #expect(allowed == nil)
        #expect(try code(Self.load, at: 0x20000, level: 3, enable) == nil)
        #expect(try code(Self.load, at: 0x32000, enable) == nil)
    }

    @Test("Fetches: not present, not executable, SMEP, and an instruction that reaches into such a page")
    func fetches() throws {
        func fetch(at address: UInt64, level: Int = 0, smep: Bool = false) throws -> ProcessorException? {
            var scratch = try scratch([], level: level)
            if smep { scratch.machine.cpu.system.cr4 |= ControlBit.supervisorExecutionPrevention }
            scratch.machine.cpu.context.rip = address
            return scratch.run().exception
        }
        #expect(try fetch(at: 0x50000)?.errorCode == 0x10)
        #expect(try fetch(at: 0x20000)?.errorCode == 0x11)
        #expect(try fetch(at: 0x20000, level: 3)?.errorCode == 0x15)
        #expect(try fetch(at: 0x1000, smep: true)?.errorCode == 0x11)
        var crossing = try scratch([])
        #expect(crossing.machine.load([0xe9, 0], at: VirtualAddress(0x2ffe)) == true)
        crossing.machine.cpu.context.rip = 0x2ffe
        let exception = crossing.run().exception
        #expect(exception?.vector == 14 && exception?.address == VirtualAddress(0x3000))
    }

    @Test("A bad address is #GP, through the stack #SS; so is a bad branch")
    func canonical() throws {
        func run(_ bytes: [UInt8], _ register: Int, _ value: UInt64) throws -> ProcessorException? {
            var scratch = try scratch(bytes)
            scratch[register] = value
            return scratch.run().exception
        }
        let bad: UInt64 = 0x8000_0000_0000
        #expect(try run(Self.load, di, bad) == ProcessorException(vector: 13, errorCode: 0))
        #expect(try run([0x8b, 0x45, 0], bp, bad) == ProcessorException(vector: 12, errorCode: 0))
        #expect(try run([0x50], sp, bad + 64) == ProcessorException(vector: 12, errorCode: 0))
        #expect(try run([0xff, 0xe7], di, bad) == ProcessorException(vector: 13, errorCode: 0))
    }

    @Test("REP MOVSB stops at the byte that faults, and goes on from there")
    func restart() throws {
        var scratch = try scratch([0xf3, 0xa4])
        (scratch[si], scratch[di], scratch[cx]) = (0x20000, 0x21ff0, 0x20)
        let outcome = scratch.run()
        #expect(outcome.exception?.errorCode == 2 && outcome.exception?.address == VirtualAddress(0x22000))
        #expect([scratch[si], scratch[di], scratch[cx]] == [0x20010, 0x22000, 0x10])
        #expect(scratch.machine.cpu.context.rip == Scratch.code.rawValue && outcome.steps == 0)
        try scratch.machine.map(VirtualAddress(0x22000), size: 0x1000, [.write])
        #expect(scratch.run().exception == nil && scratch[cx] == 0)
    }

    @Test("#AC at CPL 3 with AM and AC, nowhere else")
    func alignment() throws {
        func run(level: Int, mask: Bool) throws -> ProcessorException? {
            var scratch = try scratch(Self.load, level: level)
            if mask { scratch.machine.cpu.system.cr0 |= ControlBit.alignmentMask }
            scratch.flags |= FlagBit.alignmentCheck
            scratch[di] = 0x20001
            return scratch.run().exception
        }
        #expect(try run(level: 3, mask: true) == ProcessorException(vector: 17, errorCode: 0))
        #expect(try run(level: 3, mask: false) == nil)
        #expect(try run(level: 0, mask: true) == nil)
    }

    @Test(
        "Privileged instructions take #GP at CPL 3",
        arguments: [
            [0xf4], [0xfa], [0xfb], [0x0f, 0x22, 0xd8], [0x0f, 0x01, 0x3f], [0x0f, 0x30], [0x0f, 0x32], [0xec],
            [0x0f, 0x09],
            [0x0f, 0x06], [0x0f, 0x01, 0x17],
        ] as [[UInt8]])
    func privileged(_ bytes: [UInt8]) throws {
        for mode in ProcessorMode.allCases {
            var scratch = try scratch(bytes, mode, level: 3)
            #expect(scratch.run().exception == ProcessorException(vector: 13, errorCode: 0))
        }
    }

    @Test("POPF at CPL 3 leaves IF and IOPL as they are, silently")
    func popFlags() throws {
        var user = try scratch([0x9d], level: 3)
        user.set(user[sp], 0x3200 | FlagBit.carry)
        #expect(user.run().exception == nil && user.flags == FlagBit.alwaysSet | FlagBit.carry)
        var kernel = try scratch([0x9d])
        kernel.set(kernel[sp], 0x3200 | FlagBit.carry)
        kernel.run()
        #expect(kernel.flags == 0x3200 | FlagBit.alwaysSet | FlagBit.carry)
    }

    @Test("UD2, INT3, INT n and bytes that are no instruction")
    func software() throws {
        func run(_ bytes: [UInt8]) throws -> (UInt8?, UInt64) {
            var scratch = try scratch(bytes)
            let vector = scratch.run().exception?.vector
            return (vector, scratch.machine.cpu.context.rip - Scratch.code.rawValue)
        }
        #expect(try run([0x0f, 0x0b]) == (6, 0) && run([0x0e]) == (6, 0))
        #expect(try run([0xcc]) == (3, 1) && run([0xcd, 0x80]) == (0x80, 2))
        #expect(try run([UInt8](repeating: 0x66, count: 16)) == (13, 0))
    }
}
