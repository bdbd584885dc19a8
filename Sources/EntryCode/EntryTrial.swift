import KernelModel
import MachineModel
import X86

/// A machine that is about to execute an INT3, and what it should look like afterwards.
struct EntryScene {
    let entryCase: EntryCase
    let places: EntryPlaces
    let unit: EntryUnit
    /// Stands at the INT3.
    let machine: EntryProcessor
    /// What the real instruction leaves.
    let expected: EntryProcessor
    private let expectedStack: [UInt8]?
    /// Words from here up to the stack's top count.
    let stackTop: UInt64

    /// Bytes between the interrupted stack pointer and its stack's top.
    static let used: UInt64 = 512
    /// The same on the entry stack: what a system call has pushed.
    static let usedOnEntryStack: UInt64 = 32

    /// - Parameter base: the pages and registers that all scenes of this origin have.
    init(_ entryCase: EntryCase, _ unit: EntryUnit, _ places: EntryPlaces, base: EntryProcessor) {
        self.entryCase = entryCase
        self.places = places
        self.unit = unit
        let origin = entryCase.origin
        let form = entryCase.form
        stackTop =
            origin.isUser
            ? places.userStackTop : origin == .entryStack ? places.entryStackTop : places.stackTop
        let used = origin == .entryStack ? Self.usedOnEntryStack : Self.used
        var machine = base
        machine.sp = stackTop &- used &+ entryCase.alignment
        machine.ip = places.site
        machine.poke(machine.sp, places.caller)
        // The real instruction.
        var real = machine
        if case .kretprobe = entryCase.nesting { real.poke(real.sp, places.trampoline) }
        let bytes = entryCase.instruction.bytes(at: places.site, target: places.target, form.mode)
        real.load(bytes, at: places.site)
        for _ in 0..<entryCase.instruction.count {
            let fault = real.step()
            precondition(fault == nil, "the instructions of a trial execute")
        }
        expected = real
        expectedStack = real.bytes(real.sp, count: Int(stackTop &- real.sp))
        machine.load([0xcc] + bytes.dropFirst(), at: places.site)
        machine.load([0xcc], at: unit["nmi_site"])
        if let site = unit.labels["memmove_site"] { machine.load([0xcc], at: site) }
        self.machine = machine
    }

    /// The first word of `machine` that is not what the real instruction leaves; nil when all are.
    func firstWrongWord(_ machine: EntryProcessor) -> EntryFinding? {
        let mode = entryCase.form.mode
        func finding(_ kind: String, _ name: String, _ actual: UInt64, _ wanted: UInt64) -> EntryFinding {
            EntryFinding(
                kind: kind,
                message: "\(name) is \(shown(actual)), the instruction leaves \(shown(wanted))", boundary: nil)
        }
        if machine.sp != expected.sp {
            return finding(mode.stackPointerName, mode.stackPointerName, machine.sp, expected.sp)
        }
        if machine.ip != expected.ip { return finding(mode.ipName, mode.ipName, machine.ip, expected.ip) }
        if machine.flags != expected.flags { return finding("flags", "the flags", machine.flags, expected.flags) }
        for number in 0..<mode.registerCount where machine[number] != expected[number] {
            return finding("register", "register \(number)", machine[number], expected[number])
        }
        if machine.privilegeLevel != expected.privilegeLevel {
            return finding(
                "CPL", "the privilege level", UInt64(machine.privilegeLevel), UInt64(expected.privilegeLevel))
        }
        if let stack = expectedStack, machine.bytes(expected.sp, count: stack.count) == stack { return nil }
        var address = expected.sp
        while address < stackTop {
            let (actual, wanted) = (machine.word(address) ?? 0, expected.word(address) ?? 0)
            if actual != wanted {
                let offset = Int64(bitPattern: address &- self.machine.sp)
                let place = offset < 0 ? "S-\(-offset)" : offset == 0 ? "S" : "S+\(offset)"
                return finding("stack", "the stack's word at \(place)", actual, wanted)
            }
            address += UInt64(mode.wordSize)
        }
        return nil
    }

    /// An address by its name where it has one.
    func shown(_ word: UInt64) -> String {
        let names = [
            places.site: "the site", places.site + 1: "site+1", places.site + 5: "site+5", places.target: "the target",
            places.caller: "the caller", places.trampoline: "the trampoline", self.machine.sp: "S",
        ]
        if let name = names[word] { return name }
        if let near = names.first(where: { $0.key &- word < 16 }) { return "\(near.value)-\(near.key &- word)" }
        let offset = Int64(bitPattern: word &- machine.sp)
        if offset != 0, abs(offset) < Int64(Self.used) { return offset < 0 ? "S-\(-offset)" : "S+\(offset)" }
        if unit.range.contains(word) { return unit.name(word) }
        let below = places.stackBase &- word
        return below > 0 && below <= UInt64(EntryPlaces.pageSize)
            ? "the guard page below the stack" : "\(VirtualAddress(word))"
    }
}

extension ProcessorMode {
    var stackPointerName: String { self == .x86_64 ? "RSP" : "ESP" }
    var ipName: String { self == .x86_64 ? "RIP" : "EIP" }
    var registerCount: Int { self == .x86_64 ? 16 : 8 }
}

/// One run through entry, handler and exit.
struct EntryTrial {
    /// Instructions before a run counts as lost.
    static let stepsMax = 20_000

    let scene: EntryScene
    var machine: EntryProcessor
    /// Instruction boundaries, counted from the INT3, at which an NMI arrives; ascending.
    var nmiArrivals: [Int]
    /// The NMI's handler meets an INT3.
    let nmiMeetsBreakpoint: Bool
    var interruptWaits: Bool
    /// RIP at each boundary.
    private(set) var path: [UInt64] = []
    /// Boundaries at which NMIs were not masked.
    private(set) var unmasked: [Int] = []
    /// Where the NMIs were taken.
    private(set) var taken: [UInt64] = []
    private var trapTaken = false
    private var nmiOwed = false
    /// The trial's handler has been called for the site.
    private(set) var handlerCalled = false
    private(set) var frame: PtRegs?

    init(_ scene: EntryScene, nmiArrivals: [Int] = [], nmiMeetsBreakpoint: Bool = false, interruptWaits: Bool = false) {
        self.scene = scene
        machine = scene.machine
        self.nmiArrivals = nmiArrivals
        self.nmiMeetsBreakpoint = nmiMeetsBreakpoint
        self.interruptWaits = interruptWaits
        if !nmiMeetsBreakpoint { machine.load([0x90], at: scene.unit["nmi_site"]) }
    }

    /// The boundary of `path` at which #BP's handler has returned; nil where it was not reached.
    var exitBoundary: Int? {
        let labels = ["int3_exit", "int3_user_exit"].compactMap { scene.unit.labels[$0] }
        return path.firstIndex { labels.contains($0) }
    }

    /// Runs until the interrupted code goes on. Nil when everything is as it should be then.
    mutating func run() -> EntryFinding? {
        while path.count < Self.stepsMax {
            if deliversNothing, trapTaken, !scene.unit.range.contains(machine.ip) {
                path.append(machine.ip)
                return judge()
            }
            if let finding = advance() { return finding }
        }
        return EntryFinding(kind: "no end", message: "no end after \(Self.stepsMax) instructions", boundary: boundary)
    }

    private var takesNMI: Bool {
        guard let arrival = nmiArrivals.first else { return false }
        return arrival <= path.count && !machine.isNMIMasked
    }

    private var takesInterrupt: Bool {
        interruptWaits && trapTaken && machine.takesInterrupts
    }

    private var deliversNothing: Bool { !takesNMI && !takesInterrupt }

    /// One instruction, or one delivery in front of it.
    mutating func advance() -> EntryFinding? {
        if takesNMI {
            nmiArrivals.removeFirst()
            taken.append(machine.ip)
            nmiOwed = true
            return machine.enter(.nmi).map(lost)
        }
        if takesInterrupt {
            interruptWaits = false
            return machine.enter(.interrupt).map(lost)
        }
        if nmiMeetsBreakpoint, !machine.isNMIMasked { unmasked.append(path.count) }
        path.append(machine.ip)
        if let finding = serve() { return finding }
        guard let fault = machine.step() else { return nil }
        guard fault.vector == ExceptionVector.breakpoint.rawValue else { return lost(fault) }
        // An NMI's handler has INT3s of its own.
        if machine.ip == scene.places.site + 1 { trapTaken = true }
        return machine.enter(.breakpoint).map(lost)
    }

    private var boundary: String? {
        guard let place = taken.first else { return nil }
        let names = taken.map { address in
            let text = scene.unit.instruction(address).map { ", before \($0)" } ?? ""
            return scene.unit.range.contains(address)
                ? scene.unit.name(address) + text : scene.shown(address)
        }
        return place == taken.last && taken.count == 1 ? names[0] : names.joined(separator: " and ")
    }

    private func judge() -> EntryFinding? {
        if nmiOwed {
            return EntryFinding(
                kind: "lost NMI", message: "an NMI came and its handler did not run", boundary: boundary)
        }
        guard var finding = scene.firstWrongWord(machine) else { return nil }
        finding.boundary = boundary
        return finding
    }

    func lost(_ fault: EntryFault) -> EntryFinding {
        var message = "\(fault.name)"
        if let address = fault.address { message += " at \(scene.shown(address))" }
        let text = scene.unit.instruction(machine.ip).map { " (\($0))" } ?? ""
        message += ", \(scene.entryCase.form.mode.ipName) \(scene.shown(machine.ip))\(text)"
        return EntryFinding(kind: fault.name, message: message, boundary: boundary)
    }

    // MARK: What the trial does in the text's place

    private mutating func serve() -> EntryFinding? {
        let unit = scene.unit
        switch machine.ip {
        case unit["exc_int3"]: return breakpointHandler()
        case unit["do_irq"], unit["nmi_work"]:
            if machine.ip == unit["nmi_work"] { nmiOwed = false }
            return machine.useStack().map(lost)
        default: return nil
        }
    }

    private mutating func breakpointHandler() -> EntryFinding? {
        let mode = scene.entryCase.form.mode
        let base = machine[mode == .x86_64 ? RegisterNumber.di : RegisterNumber.ax]
        let regs = PtRegs(base: base, mode: mode)
        // The handler is C: it has a frame of its own, and changes what the ABI lets it change.
        if let fault = machine.useStack() { return lost(fault) }
        guard let ip = regs.read(.ip, &machine) else {
            return EntryFinding(kind: "#PF", message: "the handler cannot read regs->ip", boundary: boundary)
        }
        let site = ip &- 1
        let isOuter = site == scene.places.site
        guard isOuter || site == scene.unit["nmi_site"] || site == scene.unit.labels["memmove_site"] else {
            return EntryFinding(
                kind: "regs->ip", message: "regs->ip is \(scene.shown(ip)), no site", boundary: boundary)
        }
        if isOuter {
            handlerCalled = true
            frame = regs
        }
        var emulation = EntryEmulation(regs: regs, site: site, isOuter: isOuter, scene: scene, machine: machine)
        let failure = emulation.run()
        machine = emulation.machine
        if let failure { return EntryFinding(kind: failure.kind, message: failure.message, boundary: boundary) }
        machine.clobberCallerSaved(keeping: emulation.answer)
        return nil
    }
}
