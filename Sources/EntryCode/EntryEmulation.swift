import KernelModel
import MachineModel
import X86

/// The trial's #BP handler behind the look-up: what int3_emulate_*() does, in the frame or with a moved one.
struct EntryEmulation {
    let regs: PtRegs
    let site: UInt64
    /// The site under trial; else a call to a tracer is emulated.
    let isOuter: Bool
    let scene: EntryScene
    var machine: EntryProcessor
    /// EAX and EDX for a form whose handler moves the frame: whether to push, and what.
    private(set) var answer: (ax: UInt64, dx: UInt64)?

    init(regs: PtRegs, site: UInt64, isOuter: Bool, scene: EntryScene, machine: EntryProcessor) {
        self.regs = regs
        self.site = site
        self.isOuter = isOuter
        self.scene = scene
        self.machine = machine
    }

    private var entryCase: EntryCase { scene.entryCase }
    private var mode: ProcessorMode { entryCase.form.mode }
    private var instruction: EmulatedInstruction { isOuter ? entryCase.instruction : .call }
    private var target: UInt64 { isOuter ? scene.places.target : scene.unit["tracer"] }

    mutating func run() -> (kind: String, message: String)? {
        if isOuter, case .kretprobe(let rule) = entryCase.nesting, !replaceReturnAddress(rule) {
            return ("#PF", "the kretprobe's store through kernel_stack_pointer() = \(rule.rawValue) faults")
        }
        let allows = isOuter && entryCase.origin == .userAC
        if allows { machine.allowsUserAccess = true }
        defer { if allows { machine.allowsUserAccess = false } }
        if entryCase.form.treatment == .moves { return moved() }
        do throws(Int3EmulationFailure) {
            try inPlace()
            return nil
        } catch {
            switch error {
            case .notEmulatable(let bytes): return ("refused", "\(bytes) can not be emulated")
            case .stackFault(let address):
                return ("#PF", "#PF in the handler, at \(scene.shown(address.rawValue))")
            }
        }
    }

    /// arch_prepare_kretprobe(): the word at kernel_stack_pointer() is the return address, or so it believes.
    private mutating func replaceReturnAddress(_ rule: StackPointerRule) -> Bool {
        var memory = machine
        defer { machine = memory }
        let place: UInt64? = rule == .saved ? regs.read(.sp, &memory) : regs.address(.sp)
        return place.map { memory.store($0, scene.places.trampoline, size: mode.wordSize) } ?? false
    }

    private mutating func inPlace() throws(Int3EmulationFailure) {
        var emulation = Int3Emulation(regs, machine)
        defer { machine = emulation.memory }
        switch instruction {
        case .push, .twoPushes:
            // Not an instruction that text is patched with: the helper alone.
            for (slot, _) in zip([PtRegs.Slot.bp, .bx], 0..<instruction.count) {
                guard let value = regs.read(slot, &emulation.memory) else {
                    throw .stackFault(VirtualAddress(regs.address(slot)))
                }
                try emulation.push(value)
            }
            try emulation.jump(to: site &+ UInt64(instruction.count))
        case .call, .jump, .ret, .takenJump, .untakenJump, .nop:
            let bytes = instruction.bytes(at: site, target: target, mode)
            try emulation.emulate(InstructionBytes(bytes), at: VirtualAddress(site))
        }
    }

    /// The frame is short, and the entry code's own text moves it: regs->ip is all that changes here.
    private mutating func moved() -> (kind: String, message: String)? {
        var memory = machine
        defer { machine = memory }
        guard let flags = regs.read(.flags, &memory), let bp = regs.read(.bp, &memory) else {
            return ("#PF", "the handler cannot read its frame")
        }
        let bytes = instruction.bytes(at: site, target: target, mode)
        let next = site &+ UInt64(bytes.count)
        let isTaken = ConditionCode.holds(bytes.count > 1 ? bytes[1] : 0, flags: flags)
        let ip: UInt64
        switch instruction {
        case .call, .jump: ip = target
        case .takenJump, .untakenJump: ip = isTaken ? target : next
        case .push, .nop: ip = next
        case .twoPushes, .ret: return ("refused", "a frame that moves down by one word can not say this")
        }
        guard regs.write(.ip, ip, &memory) else { return ("#PF", "the handler cannot write regs->ip") }
        answer = (instruction.pushedWords == 1 ? 1 : 0, instruction == .call ? next : bp)
        return nil
    }
}
