public import X86
internal import MachineModel

/// One executed instruction with the registers that it changed.
public struct ScratchTraceLine: Sendable {
    public let address: VirtualAddress
    public let bytes: [UInt8]
    /// AT&T syntax.
    public let text: String
    public let changes: [(register: ScratchRegister, value: UInt64)]
}

extension ScratchRunner {
    /// Instructions that a trace shows.
    public static let traceMax = 1_000_000

    /// Executes the case instruction by instruction and shows each that retires, as far as `traceMax`.
    public func trace(
        _ scratchCase: ScratchCase, _ show: (ScratchTraceLine) -> Void
    ) throws(ScratchCaseError) {
        var machine = try machine(scratchCase)
        let disassembler = Disassembler(mode: scratchCase.mode)
        let shown = ScratchRegister.shown(scratchCase.mode).filter { $0 != .rip }
        for _ in 0..<min(scratchCase.steps, Self.traceMax) {
            let before = shown.map { $0.value(machine.cpu) }
            let address = VirtualAddress(machine.cpu.context.rip)
            var bytes: [UInt8] = []
            while bytes.count < InstructionBytes.lengthMax,
                let next = machine.bytes(at: address + bytes.count, count: 1)
            {
                bytes += next
            }
            let outcome = machine.run(steps: 1)
            guard outcome.steps == 1 else { return }
            if let line = disassembler.disassemble(bytes, at: address, linesMax: 1).first {
                var changes: [(register: ScratchRegister, value: UInt64)] = []
                for (index, register) in shown.enumerated() where register.value(machine.cpu) != before[index] {
                    changes.append((register, register.value(machine.cpu)))
                }
                show(ScratchTraceLine(address: address, bytes: line.bytes, text: line.text, changes: changes))
            }
            if outcome.exception != nil || outcome.isHalted { return }
        }
    }
}
