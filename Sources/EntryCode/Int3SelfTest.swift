import KernelModel
import MachineModel
public import X86

/// What the kernel does at boot before it trusts its INT3 emulation (int3_selftest): an INT3 over a CALL while the call's
/// argument is live in a register. The callee stores through the argument.
public struct Int3SelfTest: Sendable {
    /// What became of it.
    public struct Failure: Error, Sendable, Hashable {
        public let mode: ProcessorMode
        public let message: String
    }

    /// The form that a kernel of today has.
    public static func form(_ mode: ProcessorMode) -> EntryForm {
        let name = mode == .x86_64 ? "gap" : "full-frame-6"
        guard let form = EntryForm.named(name, mode) else { preconditionFailure("there is the form \(name)") }
        return form
    }

    static let stored: UInt64 = 0x1234

    private static func text(_ mode: ProcessorMode) -> String {
        let register = mode == .x86_64 ? "%rdi" : "%eax"
        return """
            int3_selftest_callee:
                    movl $0x1234, (\(register))
                    ret

            """
    }

    /// Runs the test on `form`; returns the instructions that it took.
    public static func run(_ form: EntryForm) throws(Failure) -> Int {
        let places = EntryPlaces(form.mode, isUser: false)
        let scene: EntryScene
        let callee: AssembledText
        do throws(AssemblerError) {
            scene = try EntryBench(form).scene(EntryCase(form: form, instruction: .call))
            callee = try Assembler(mode: form.mode).assemble(
                text(form.mode), at: VirtualAddress(places.target))
        } catch {
            throw Failure(mode: form.mode, message: "the entry code does not assemble: \(error)")
        }
        var trial = EntryTrial(scene)
        trial.machine.load(callee.bytes, at: places.target)
        // An unused word of the interrupted stack is the variable.
        let variable = places.stackTop - 64
        let argument = form.mode == .x86_64 ? RegisterNumber.di : RegisterNumber.ax
        trial.machine[argument] = variable
        let before = (0..<form.mode.registerCount).map { trial.machine[$0] }
        if let finding = trial.runToReturn() { throw Failure(mode: form.mode, message: finding.message) }
        let isStored = trial.machine.word(variable).map { $0 & 0xffff_ffff } == stored
        let after = (0..<form.mode.registerCount).map { trial.machine[$0] }
        guard isStored else { throw Failure(mode: form.mode, message: "the callee was not called with its argument") }
        guard before == after else { throw Failure(mode: form.mode, message: "a register was changed") }
        return trial.path.count
    }
}

extension EntryTrial {
    /// Runs until the instruction behind the site is next; nil when it gets there.
    mutating func runToReturn() -> EntryFinding? {
        let behind = scene.places.site + UInt64(InstructionBytes.nop5.count)
        while path.count < Self.stepsMax {
            if machine.ip == behind { return nil }
            if let finding = advance() { return finding }
        }
        return EntryFinding(kind: "no end", message: "the call does not come back", boundary: nil)
    }
}
