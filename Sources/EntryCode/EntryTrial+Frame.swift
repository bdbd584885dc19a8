import KernelModel
import MachineModel
import X86

extension EntryTrial {
    /// Runs up to the call of #BP's handler. What it is given, or what went wrong before.
    mutating func runToHandler() -> (regs: PtRegs?, finding: EntryFinding?) {
        let handler = scene.unit["exc_int3"]
        let first = scene.entryCase.form.mode == .x86_64 ? RegisterNumber.di : RegisterNumber.ax
        for _ in 0..<Self.stepsMax {
            if machine.ip == handler { return (PtRegs(base: machine[first], mode: scene.entryCase.form.mode), nil) }
            guard let fault = machine.step() else { continue }
            guard fault.vector == ExceptionVector.breakpoint.rawValue else { return (nil, lost(fault)) }
            if let fault = machine.enter(.breakpoint) { return (nil, lost(fault)) }
        }
        return (nil, EntryFinding(kind: "no end", message: "the handler is not called", boundary: nil))
    }
}

extension EntryScene {
    /// What the processor pushes when it leaves virtual 8086 mode (SDM vol. 3, 20.3): the highest first.
    static let virtual8086Frame: [(name: String, word: UInt64)] = [
        ("gs", 0x1100), ("fs", 0x2200), ("ds", 0x3300), ("es", 0x4400), ("ss", 0x5500), ("esp", 0x6600),
        ("flags", FlagBit.virtual8086 | FlagBit.interrupt | FlagBit.alwaysSet), ("cs", 0x7700), ("ip", 0x8801),
    ]

    /// An INT3 in virtual 8086 mode, with a CS whose low bits are zero: the nine words that the processor pushed have to
    /// stand at the end of pt_regs when the handler is called. The mode itself is not executed.
    func judgeVirtual8086() -> EntryFinding? {
        var trial = EntryTrial(self)
        trial.machine.sp = places.stackTop
        for (_, word) in Self.virtual8086Frame {
            trial.machine.sp -= 4
            trial.machine.poke(trial.machine.sp, word)
        }
        trial.machine.flags &= ~FlagBit.interrupt
        trial.machine.ip = unit["asm_exc_int3"]
        let (regs, finding) = trial.runToHandler()
        guard let regs else { return finding }
        var place = regs.address(.ip)
        for (name, word) in Self.virtual8086Frame.reversed() {
            let actual = trial.machine.word(place) ?? 0
            if actual & 0xffff != word & 0xffff {
                return EntryFinding(
                    kind: "pt_regs",
                    message: "pt_regs holds \(VirtualAddress(actual)) where the processor's \(name) belongs",
                    boundary: nil)
            }
            place += 4
        }
        return nil
    }
}
