import Ftrace
import KernelModel
import MachineModel
import TextPatching
import X86

/// The kernel thread that carries updates out: one step of the routine a turn, on whatever CPU the scheduler gave it.
struct PatcherTask: Sendable {
    let taskIndex: Int
    let ablation: TextPokeAblation
    var queue: [(ticket: UInt64, steps: [FtraceStep])] = []
    /// Next step of the update in hand.
    var position = 0
    /// Batches of the poke in hand that have not begun.
    var batches: [[TextPokeLocation]] = []
    var routine: TextPokeRoutine?
    /// The RCU-tasks grace period waited for.
    var gracePeriod: UInt64?
    var summary: UpdateSummary?

    init(taskIndex: Int, ablation: TextPokeAblation) {
        self.taskIndex = taskIndex
        self.ablation = ablation
    }

    var hasWork: Bool {
        !queue.isEmpty
    }
}

/// What the patcher's CPU does next.
enum PatcherOutcome: Sendable, Hashable {
    case advanced
    /// Waits for acknowledgements with preemption off.
    case spinning
    /// Sleeps until a grace period ends.
    case sleeping
    /// Nothing is left to do.
    case idle
}

extension KernelState {
    /// One statement of the patcher task on `cpu`.
    mutating func stepPatcher(_ cpu: inout SimulatedCPU, choice: Int) -> PatcherOutcome {
        if patcher.routine != nil { return stepRoutine(&cpu, choice: choice) }
        if let number = patcher.gracePeriod {
            guard ablationSkipsGracePeriod || scheduler.isOver(number) else { return .sleeping }
            patcher.gracePeriod = nil
            return .advanced
        }
        if !patcher.batches.isEmpty {
            let batch = patcher.batches.removeFirst()
            patcher.routine = TextPokeRoutine(batch, ablation: patcher.ablation)
            patcher.summary?.batches += 1
            patcher.summary?.sites += batch.count
            record(
                .batchBegan(count: batch.count, first: batch[0].address, last: batch[batch.count - 1].address),
                cpu: cpu.index)
            return .advanced
        }
        guard let (ticket, steps) = patcher.queue.first else { return .idle }
        if patcher.summary == nil {
            patcher.summary = UpdateSummary(ticket: ticket, beganNanoseconds: nanoseconds)
            patcher.summary!.traps = traps.taken
            record(.updateBegan(ticket: ticket), cpu: cpu.index)
        }
        guard patcher.position < steps.count else {
            finishUpdate(ticket, cpu.index)
            return .advanced
        }
        patcher.position += 1
        begin(steps[patcher.position - 1], cpu.index)
        return .advanced
    }

    private var ablationSkipsGracePeriod: Bool {
        patcher.ablation.contains(.rcuTasks)
    }

    private mutating func finishUpdate(_ ticket: UInt64, _ cpu: Int) {
        patcher.queue.removeFirst()
        patcher.position = 0
        completed = ticket
        if var summary = patcher.summary {
            summary.endedNanoseconds = nanoseconds
            summary.traps = traps.taken - summary.traps
            if updates.count == Self.updatesKeptMax { updates.removeFirst() }
            updates.append(summary)
        }
        patcher.summary = nil
        record(.updateFinished(ticket: ticket), cpu: cpu)
    }

    private mutating func begin(_ step: FtraceStep, _ cpu: Int) {
        switch step {
        case .mapTrampoline(let address, let bytes):
            text.map(bytes, at: address)
            record(.trampolineMapped(address: address), cpu: cpu)
        case .poke(let command): patcher.batches = TextPokeArray.batches(command)
        case .synchronizeRCUTasks:
            let number = scheduler.beginGracePeriod()
            patcher.gracePeriod = number
            record(.gracePeriodBegan(number: number), cpu: cpu)
        case .unmapTrampoline(let address):
            text.unmap(address)
            record(.trampolineFreed(address: address), cpu: cpu)
        }
    }

    private mutating func stepRoutine(_ cpu: inout SimulatedCPU, choice: Int) -> PatcherOutcome {
        let progress = patcher.routine!.step(&array, &text, &interrupts, &cpu.state, choice: choice)
        switch progress {
        case .advanced: return .advanced
        case .synced(let number):
            patcher.summary?.syncs += 1
            record(.syncRequested(number: number), cpu: cpu.index)
            return .advanced
        case .waiting:
            verdict.count(.progress)
            if let message = Progress.check(interrupts, handling: syncInHand) {
                violate(.progress, message, cpu: cpu.index, address: patcher.routine!.batch[0].address.rawValue)
            }
            return .spinning
        case .finished:
            record(.batchFinished(count: patcher.routine!.batch.count), cpu: cpu.index)
            patcher.routine = nil
            return .advanced
        }
    }
}
