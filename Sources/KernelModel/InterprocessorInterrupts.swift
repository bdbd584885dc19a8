/// What waits for delivery at each CPU, and the call-function acknowledgements of text_poke_sync().
public struct InterprocessorInterrupts: Sendable, Hashable {
    public struct Pending: Sendable, Hashable {
        /// A device or timer interrupt.
        public var irq = false
        public var nmi = false
        /// do_sync_core() was requested by IPI.
        public var sync = false

        public init() {}
    }

    public var pending: [Pending]
    /// CPUs whose acknowledgement the sender still waits for.
    public private(set) var outstanding: Set<Int> = []
    /// Syncs started so far.
    public private(set) var rounds: UInt64 = 0

    public init(cpuCount: Int) {
        pending = Array(repeating: Pending(), count: cpuCount)
    }

    /// on_each_cpu(do_sync_core): asks every CPU but the sender.
    public mutating func requestSync(from sender: Int) {
        rounds += 1
        outstanding = Set(pending.indices)
        outstanding.remove(sender)
        for cpu in outstanding { pending[cpu].sync = true }
    }

    public mutating func acknowledgeSync(_ cpu: Int) {
        outstanding.remove(cpu)
    }

    /// A lost IPI, for planted violations only: the request never reaches `cpu`.
    public mutating func loseSync(_ cpu: Int) {
        pending[cpu].sync = false
    }
}
