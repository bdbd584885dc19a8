public import KernelModel
public import MachineModel
import X86

/// What became of one step of the patcher.
public enum TextPokeProgress: Sendable, Hashable {
    case advanced
    /// A sync of this number (1 to 3) was requested.
    case synced(Int)
    /// Waits for other CPUs; nothing was done.
    case waiting
    case finished
}

/// smp_text_poke_batch_finish() (text_poke_bp_batch before 6.16) for one batch, as a routine of explicit steps.
///
/// INT3 into every first byte, sync; the tails, sync; the first bytes, sync; then the references are dropped and waited
/// for. Each byte of a tail is a step of its own, in any order: __text_poke() copies with memcpy().
public struct TextPokeRoutine: Sendable {
    enum Phase: Sendable, Hashable {
        case publish
        case int3(Int)
        case tail(Int)
        case firstByte(Int)
        case sync(Int)
        case awaitSync(Int)
        case dropReference(Int)
        case awaitReference(Int)
        case done
    }

    public let batch: [TextPokeLocation]
    let ablation: TextPokeAblation
    private(set) var phase = Phase.publish
    /// Bytes of the tail in hand that are not yet written, a bit each.
    private var tailLeft: UInt8 = 0

    public init(_ batch: [TextPokeLocation], ablation: TextPokeAblation) {
        precondition(!batch.isEmpty && batch.count <= TextPokeArray.capacity, "a batch has 1 to 256 locations")
        self.batch = batch
        self.ablation = ablation
    }

    /// __text_poke() runs with interrupts off from the switch of the address space to the switch back.
    public var holdsInterruptsOff: Bool {
        if case .tail = phase { return tailLeft != 0 }
        return false
    }

    /// Alternatives of the next step: which byte of the tail memcpy() writes next.
    public var choiceCount: Int {
        if case .tail(let index) = phase {
            return tailLeft != 0 ? tailLeft.nonzeroBitCount : max(batch[index].new.count - 1, 1)
        }
        return 1
    }

    /// The description of the next step, for people who single-step.
    public var description: String {
        switch phase {
        case .publish: "publish a batch of \(batch.count)"
        case .int3(let index): "poke INT3 at \(batch[index].address)"
        case .tail(let index): "poke the tail at \(batch[index].address)"
        case .firstByte(let index): "poke the first byte at \(batch[index].address)"
        case .sync(let number): "request sync \(number)"
        case .awaitSync(let number): "await sync \(number)"
        case .dropReference: "drop the reference"
        case .awaitReference(let cpu): "await the INT3 handler of CPU \(cpu)"
        case .done: "done"
        }
    }

    public mutating func step(
        _ array: inout TextPokeArray, _ text: inout TextMemory, _ interrupts: inout InterprocessorInterrupts,
        _ cpu: inout CPUState, choice: Int
    ) -> TextPokeProgress {
        switch phase {
        case .publish:
            precondition(zip(batch, batch.dropFirst()).allSatisfy { $0.address <= $1.address }, "a batch ascends")
            array.locations = batch
            array.count = batch.count
            for index in array.references.indices { array.references[index] = 1 }
            phase = .int3(0)
        case .int3(let index):
            poke(batch[index].address.rawValue, 0xcc, &text, &cpu)
            phase = index + 1 < batch.count ? .int3(index + 1) : .sync(1)
        case .tail(let index): pokeTail(index, &text, &cpu, choice)
        case .firstByte(let index):
            if batch[index].new[0] != 0xcc { poke(batch[index].address.rawValue, batch[index].new[0], &text, &cpu) }
            array.statistics.sites += 1
            phase = index + 1 < batch.count ? .firstByte(index + 1) : .sync(3)
        case .sync(let number): return sync(number, &array, &text, &interrupts, &cpu)
        case .awaitSync(let number):
            guard interrupts.outstanding.isEmpty else { return .waiting }
            enter(after: number)
        case .dropReference(let index):
            array.put(index)
            phase = .awaitReference(index)
        case .awaitReference(let index):
            guard array.references[index] == 0 else { return .waiting }
            if index + 1 < array.references.count {
                phase = .dropReference(index + 1)
                return .advanced
            }
            array.count = 0
            array.statistics.batches += 1
            phase = .done
            return .finished
        case .done: return .finished
        }
        return .advanced
    }

    private mutating func enter(after sync: Int) {
        switch sync {
        case 1: phase = batch.contains { $0.new.count > 1 } ? .tail(firstTail(from: 0)) : .firstByte(0)
        case 2: phase = .firstByte(0)
        default: phase = .dropReference(0)
        }
    }

    private func firstTail(from index: Int) -> Int {
        var index = index
        while index < batch.count, batch[index].new.count == 1 { index += 1 }
        return index
    }

    /// One store through the alias of this CPU: two switches of the address space serialize it (MOV to CR3).
    private func poke(_ address: UInt64, _ byte: UInt8, _ text: inout TextMemory, _ cpu: inout CPUState) {
        text.serialize(cpu: cpu.index, frontEnd: &cpu.frontEnd)
        text.store(UInt64(byte), count: 1, at: address)
        text.serialize(cpu: cpu.index, frontEnd: &cpu.frontEnd)
    }

    private mutating func pokeTail(
        _ index: Int, _ text: inout TextMemory, _ cpu: inout CPUState, _ choice: Int
    ) {
        let location = batch[index]
        if tailLeft == 0 {
            text.serialize(cpu: cpu.index, frontEnd: &cpu.frontEnd)
            tailLeft = UInt8((1 << (location.new.count - 1)) - 1)
        }
        var left = tailLeft
        for _ in 0..<choice { left &= left - 1 }
        let byte = left.trailingZeroBitCount
        tailLeft &= ~(1 << UInt8(byte))
        text.store(UInt64(location.new[byte + 1]), count: 1, at: (location.address + byte + 1).rawValue)
        guard tailLeft == 0 else { return }
        text.serialize(cpu: cpu.index, frontEnd: &cpu.frontEnd)
        let next = firstTail(from: index + 1)
        phase = next < batch.count ? .tail(next) : .sync(2)
    }

    /// text_poke_sync(): on_each_cpu(do_sync_core, NULL, 1).
    private mutating func sync(
        _ number: Int, _ array: inout TextPokeArray, _ text: inout TextMemory,
        _ interrupts: inout InterprocessorInterrupts, _ cpu: inout CPUState
    ) -> TextPokeProgress {
        let dropped: [TextPokeAblation] = [.sync1, .sync2, .sync3]
        guard !ablation.contains(dropped[number - 1]) else {
            enter(after: number)
            return .advanced
        }
        array.statistics.syncs += 1
        interrupts.requestSync(from: cpu.index)
        let last = interrupts.pending.count - 1
        if ablation.contains(.ipi), last != cpu.index { interrupts.loseSync(last) }
        text.serialize(cpu: cpu.index, frontEnd: &cpu.frontEnd)
        phase = .awaitSync(number)
        return .synced(number)
    }
}
