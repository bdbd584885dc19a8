public import TextPatching
public import X86

/// What ftrace asks of the machine, in order. The patcher task carries it out.
public enum FtraceStep: Sendable, Hashable {
    /// A trampoline's text comes into being (arch_ftrace_update_trampoline); nothing calls it yet.
    case mapTrampoline(address: VirtualAddress, bytes: [UInt8])
    case poke(TextPokeCommand)
    /// synchronize_rcu_tasks(): waits until every task has left the trampolines.
    case synchronizeRCUTasks
    /// Frees a trampoline's text; executing it from now on is I7.
    case unmapTrampoline(address: VirtualAddress)
}
