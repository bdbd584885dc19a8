public import X86

/// For those who look between delivery and execution.
extension ScratchMachine {
    /// Delivers an exception through `cpu.gates` in front of the next instruction; false where the processor shuts down.
    public mutating func deliver(_ exception: ProcessorException, source: EventSource) -> Bool {
        cpu.deliver(exception, source: source, MachineAccess(environment: environment))
    }

    /// Executes `instruction`, which the caller has decoded from what stands at RIP, with all its repetitions. An exception
    /// is returned and not delivered.
    public mutating func execute(_ instruction: Instruction) -> ProcessorException? {
        let machine = MachineAccess(environment: environment)
        return withUnsafePointer(to: instruction) { pointer in
            var trap: Trap
            do throws(Trap) {
                try cpu.checkFetch(cpu.context.rip)
                trap = cpu.step(pointer, machine)
            } catch {
                trap = error
            }
            while trap == .none, cpu.isRepeating { trap = cpu.step(pointer, machine) }
            return cpu.exception(trap)
        }
    }
}
