import KernelModel
import MachineModel
import Testing
import X86

@testable import TextPatching

/// The patcher and the INT3 handler, step by step on one CPU.
@Suite("smp_text_poke_batch_finish")
struct TextPokeRoutineTests {
    private final class Text: @unchecked Sendable {
        // Sendable: written only before init returns.
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 64)
        init() {
            memory.initializeMemory(as: UInt8.self, repeating: 0x90)
            for site in [0, 64] {
                for (index, byte) in InstructionBytes.nop5.bytes.enumerated() { memory[site + index] = byte }
            }
        }
        deinit { memory.deallocate() }
    }

    private struct Machine {
        var text: TextMemory
        var array = TextPokeArray(cpuCount: 2)
        var interrupts = InterprocessorInterrupts(cpuCount: 2)
        var cpu: CPUState
        let access: MachineAccess
    }

    private static let base = VirtualAddress(0xffff_ffff_8100_0000)
    private static let locations = [0, 64].map {
        TextPokeLocation(address: base + $0, old: .nop5, new: .call(from: base + $0, to: base + 0x204))
    }

    private func machine() -> Machine {
        let text = Text()
        let source = TextSource(address: Self.base, bytes: UnsafeRawBufferPointer(text.memory), owner: text)
        let environment = MachineEnvironment(
            text: source, regions: [], perCPUTemplate: nil, havocTargets: [], served: [], mode: .x86_64,
            patchableSites: Self.locations.map { ($0.address, 5) })
        let context = ExecutionContext(memory: GuestMemory(number: 0, seed: 1), seed: 2)
        return Machine(
            text: TextMemory(base: source, model: .chunk16, cpuCount: 2),
            cpu: CPUState(index: 0, environment: environment, context: context),
            access: MachineAccess(environment: environment, cache: DecodeCache(environment)))
    }

    /// Steps until the routine waits or ends; the distinct contents of the two sites on the way.
    private func run(_ routine: inout TextPokeRoutine, _ machine: inout Machine) -> [[String]] {
        var stages: [[String]] = []
        while true {
            let now = Self.locations.map {
                InstructionBytes(machine.text.newestBytes(at: $0.address, count: 5)).description
            }
            if stages.last != now { stages.append(now) }
            switch routine.step(&machine.array, &machine.text, &machine.interrupts, &machine.cpu, choice: 0) {
            case .waiting, .finished: return stages
            case .advanced, .synced: break
            }
        }
    }

    @Test("INT3 into every site, sync, all tails byte by byte, sync, all first bytes, sync")
    func stages() {
        var machine = machine()
        var routine = TextPokeRoutine(Self.locations, ablation: [])
        func acknowledge() {
            var frontEnd = FrontEnd()
            machine.text.serialize(cpu: 1, frontEnd: &frontEnd)
            machine.interrupts.acknowledgeSync(1)
        }
        let nop = "0f 1f 44 00 00"
        #expect(
            run(&routine, &machine) == [[nop, nop], ["cc 1f 44 00 00", nop], ["cc 1f 44 00 00", "cc 1f 44 00 00"]])
        #expect(machine.interrupts.outstanding == [1] && machine.array.references == [1, 1])
        acknowledge()
        let tails = run(&routine, &machine)
        #expect(
            tails.first == ["cc 1f 44 00 00", "cc 1f 44 00 00"] && tails.last == ["cc ff 01 00 00", "cc bf 01 00 00"])
        #expect(tails[1] == ["cc ff 44 00 00", "cc 1f 44 00 00"], "one byte at a time")
        acknowledge()
        #expect(run(&routine, &machine).last == ["e8 ff 01 00 00", "e8 bf 01 00 00"])
        #expect(machine.array.count == 2, "until every CPU has seen the new bytes")
        acknowledge()
        _ = run(&routine, &machine)
        #expect(machine.array.count == 0 && machine.array.references == [0, 0])
        #expect(machine.array.statistics.syncs == 3 && machine.array.statistics.batches == 1 && machine.text.isSettled)
    }

    @Test("The routine waits for a handler that holds a reference")
    func reference() {
        var machine = machine()
        machine.interrupts = InterprocessorInterrupts(cpuCount: 2)
        var routine = TextPokeRoutine(Self.locations, ablation: [.sync1, .sync2, .sync3])
        _ = routine.step(&machine.array, &machine.text, &machine.interrupts, &machine.cpu, choice: 0)
        let taken = machine.array.tryGet(1)
        #expect(taken)
        _ = run(&routine, &machine)
        #expect(machine.array.count == 2 && routine.description == "await the INT3 handler of CPU 1")
        machine.array.put(1)
        _ = run(&routine, &machine)
        #expect(machine.array.count == 0 && machine.array.statistics.syncs == 0)
    }

    @Test("Interrupts are off while a tail is half written, and any byte may come next")
    func interrupts() {
        var machine = machine()
        var routine = TextPokeRoutine([Self.locations[0]], ablation: [.sync1, .sync2, .sync3])
        var counts: [Int] = []
        var off: [Bool] = []
        while machine.array.statistics.batches == 0 {
            counts.append(routine.choiceCount)
            off.append(routine.holdsInterruptsOff)
            _ = routine.step(
                &machine.array, &machine.text, &machine.interrupts, &machine.cpu, choice: routine.choiceCount - 1)
        }
        #expect(counts.prefix(8) == [1, 1, 1, 4, 3, 2, 1, 1])
        #expect(off.prefix(8) == [false, false, false, false, true, true, true, false])
    }

    private func trap(_ machine: inout Machine, at site: VirtualAddress, _ ablation: TextPokeAblation = []) throws
        -> (Int3Progress, VirtualAddress)
    {
        machine.cpu.context.rip = site.rawValue + 1
        let regs = try #require(KernelEntry.enter(&machine.cpu, on: .current, machine.access))
        var handler = Int3Handler(regs: regs, site: site, ablation: ablation)
        var progress = Int3Progress.advanced
        for _ in 0..<8 where progress == .advanced {
            progress = handler.step(&machine.array, &machine.cpu, machine.access)
        }
        let ip = machine.cpu.readWord(regs.address(.ip), machine.access)
        return (progress, VirtualAddress(try #require(ip)))
    }

    @Test("The handler claims and emulates what is in flight and leaves everything else alone")
    func handler() throws {
        var machine = machine()
        #expect(try trap(&machine, at: Self.base).0 == .unclaimed, "no batch")
        var routine = TextPokeRoutine(Self.locations, ablation: [])
        _ = run(&routine, &machine)
        let (progress, ip) = try trap(&machine, at: Self.base + 64)
        #expect(progress == .emulated(Self.locations[1].new) && ip == Self.base + 0x204)
        #expect(try trap(&machine, at: Self.base + 32).0 == .unclaimed)
        #expect(machine.array.references == [1, 1], "every reference was dropped")
        let skipped = try trap(&machine, at: Self.base + 64, .emulation)
        #expect(skipped.1 == Self.base + 69, "as a NOP: the bug of the thread")
        #expect(try trap(&machine, at: Self.base, .lookup).0 == .unclaimed)
    }
}
