import MachineModel
import Testing
import X86

/// Text of a test, kept alive by whoever holds it.
final class BenchText: @unchecked Sendable {
    // Sendable: written only before init returns.
    static let base: UInt64 = 0xffff_ffff_8100_0000
    let memory: UnsafeMutableRawBufferPointer

    init(_ bytes: [UInt8], size: Int = 8192) {
        memory = .allocate(byteCount: size, alignment: 64)
        memory.initializeMemory(as: UInt8.self, repeating: 0x90)
        memory.copyBytes(from: bytes)
    }

    deinit { memory.deallocate() }

    var source: TextSource {
        TextSource(address: VirtualAddress(Self.base), bytes: UnsafeRawBufferPointer(memory), owner: self)
    }
}

/// One CPU with some text, for tests of single instructions.
struct Bench {
    let machine: MachineAccess
    var cpu: CPUState

    init(_ bytes: [UInt8], havocTargets: [UInt64] = [], regions: [DataRegion] = []) {
        let environment = MachineEnvironment(
            text: BenchText(bytes).source, regions: regions, perCPUTemplate: nil, havocTargets: havocTargets,
            served: [],
            mode: .x86_64, patchableSites: [])
        machine = MachineAccess(environment: environment, cache: DecodeCache(environment))
        var context = ExecutionContext(memory: GuestMemory(number: 0, seed: 7), seed: 9)
        context.rip = BenchText.base
        context.walkBudget = 1_000_000
        cpu = CPUState(index: 0, environment: environment, context: context)
        // Room above the stack pointer for tests that pop or store there.
        cpu.context.rsp -= 1024
    }

    mutating func run(_ steps: Int = 1) -> Trap {
        cpu.run(budget: steps, machine)
    }

    subscript(register: Int) -> UInt64 {
        get { cpu.context.registers[register] }
        set { cpu.context.registers[register] = newValue }
    }
}

/// One instruction (or a few) with hand-verified values.
struct InstructionCase: CustomTestStringConvertible {
    let name: String
    let bytes: [UInt8]
    var before: [Int: UInt64] = [:]
    var flagsBefore: UInt64 = 0
    var after: [Int: UInt64]
    /// Status flags afterwards; nil where the manual leaves them undefined or nothing changes.
    var flags: UInt64?
    var steps = 1

    init(
        _ name: String, _ bytes: [UInt8], _ before: [Int: UInt64] = [:], flagsBefore: UInt64 = 0,
        to after: [Int: UInt64] = [:], flags: UInt64? = nil, steps: Int = 1
    ) {
        (self.name, self.bytes, self.before, self.after) = (name, bytes, before, after)
        (self.flagsBefore, self.flags, self.steps) = (flagsBefore, flags, steps)
    }

    var testDescription: String { name }
}
