public import MachineModel
import Simulation
public import X86

/// A CPU as it stood after its last turn: what others may see without stopping it.
public struct CPUView: Sendable, Hashable {
    public let index: Int
    public let rip: VirtualAddress
    public let interruptsEnabled: Bool
    /// Index of its task.
    public let task: Int
    /// `task`, `irq`, `nmi`, `int3` or `ipi`.
    public let context: String
    /// Exception contexts above the task.
    public let nesting: Int
    public let counts: RetiredCounts
    public let interruptsTaken: UInt64
    public let nmisTaken: UInt64

    init(_ cpu: borrowing SimulatedCPU) {
        index = cpu.index
        rip = VirtualAddress(cpu.state.context.rip)
        interruptsEnabled = cpu.state.context.interruptsEnabled
        task = cpu.task
        context = cpu.contextName
        nesting = cpu.nesting
        counts = cpu.state.counts
        interruptsTaken = cpu.interruptsTaken
        nmisTaken = cpu.nmisTaken
    }
}
