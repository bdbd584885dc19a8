import MachineModel
public import X86

/// Every entry form under everything that can happen to it: I3's verdict cell by cell.
public struct EntryTable: Sendable {
    /// One cell's result.
    public struct Cell: Sendable, Hashable {
        public let entryCase: EntryCase
        public let verdict: EntryVerdict

        public var isBroken: Bool {
            if case .broken = verdict { true } else { false }
        }

        /// `ok`, `-` or what is broken, in a word.
        public var word: String {
            switch verdict {
            case .holds: "ok"
            case .broken(let finding): finding.kind
            case .notExpressible: "-"
            }
        }
    }

    public let cells: [Cell]

    /// Computes the cells of `forms`: a few seconds for all of them.
    public init(_ forms: [EntryForm] = EntryForm.all) throws(AssemblerError) {
        var cells: [Cell] = []
        for form in forms {
            let bench = try EntryBench(form)
            for origin in Self.origins(form) {
                for nesting in Self.nestings(form, origin) {
                    for alignment in Self.alignments(form.mode, origin) {
                        for instruction in Self.instructions(origin) {
                            let entryCase = EntryCase(
                                form: form, origin: origin, alignment: alignment, instruction: instruction,
                                nesting: nesting)
                            cells.append(Cell(entryCase: entryCase, verdict: bench.verdict(entryCase)))
                        }
                    }
                }
            }
        }
        self.cells = cells
    }

    private static func origins(_ form: EntryForm) -> [EntryOrigin] {
        EntryOrigin.allCases.filter { origin in
            switch origin {
            case .entryStack: form.meetsEntryStack
            case .virtual8086: form.mode == .i386
            case .kernel, .user, .userSMAP, .userAC: true
            }
        }
    }

    private static func nestings(_ form: EntryForm, _ origin: EntryOrigin) -> [EntryNesting] {
        switch origin {
        case .kernel: EntryNesting.all(form.mode)
        case .entryStack: [.none, .nmi, .nmiInExit]
        case .user, .userSMAP, .userAC, .virtual8086: [.none]
        }
    }

    private static func alignments(_ mode: ProcessorMode, _ origin: EntryOrigin) -> [UInt64] {
        guard origin == .kernel else { return [0] }
        return mode == .x86_64 ? [0, 8] : [0, 4, 8, 12]
    }

    private static func instructions(_ origin: EntryOrigin) -> [EmulatedInstruction] {
        origin == .virtual8086 ? [.nop] : EmulatedInstruction.allCases
    }
}

/// A form's assembled code, and the search for what breaks it.
public struct EntryBench {
    public let form: EntryForm
    private let unit: EntryUnit
    private let bases: [EntryOrigin: (places: EntryPlaces, machine: EntryProcessor)]

    public init(_ form: EntryForm) throws(AssemblerError) {
        self.form = form
        unit = try EntryUnit(form, at: EntryPlaces(form.mode, isUser: false))
        var bases: [EntryOrigin: (places: EntryPlaces, machine: EntryProcessor)] = [:]
        for origin in EntryOrigin.allCases {
            let places = EntryPlaces(form.mode, isUser: origin.isUser)
            bases[origin] = (places, EntryProcessor(form.mode, places, unit, origin))
        }
        self.bases = bases
    }

    func scene(_ entryCase: EntryCase) -> EntryScene {
        guard let base = bases[entryCase.origin] else { preconditionFailure("every origin has its machine") }
        return EntryScene(entryCase, unit, base.places, base: base.machine)
    }

    /// I3 for one cell: the first broken arrival in the order of time.
    public func verdict(_ entryCase: EntryCase) -> EntryVerdict {
        if form.treatment == .moves, entryCase.instruction == .twoPushes || entryCase.instruction == .ret {
            return .notExpressible("a frame that moves down by one word can not say this")
        }
        if form.treatment == .moves, entryCase.origin.isUser || entryCase.origin == .virtual8086 {
            return .notExpressible("a frame from user mode is not moved: the stacks are two")
        }
        let scene = scene(entryCase)
        if entryCase.origin == .virtual8086 { return found(scene.judgeVirtual8086()) }
        let trap = run(EntryTrial(scene, interruptWaits: entryCase.nesting == .interrupt))
        if let finding = trap.finding { return .broken(finding) }
        let last = trap.trial.path.count - 1
        let exit = trap.trial.exitBoundary ?? last
        switch entryCase.nesting {
        case .none, .interrupt, .kretprobe: return .holds
        case .nmi: return sweep(scene, 0..<exit, false)
        case .nmiInExit: return sweep(scene, exit..<last + 1, false)
        case .nmiWithBreakpoint: return sweep(scene, 0..<last + 1, true)
        case .secondNMI: return sweepTwice(scene, [exit / 2, (exit + last) / 2])
        }
    }

    private func found(_ finding: EntryFinding?) -> EntryVerdict {
        finding.map { .broken($0) } ?? .holds
    }

    private func run(_ trial: EntryTrial) -> (trial: EntryTrial, finding: EntryFinding?) {
        var trial = trial
        let finding = trial.run()
        return (trial, finding)
    }

    private func sweep(_ scene: EntryScene, _ boundaries: Range<Int>, _ meetsBreakpoint: Bool) -> EntryVerdict {
        for boundary in boundaries {
            let trial = EntryTrial(scene, nmiArrivals: [boundary], nmiMeetsBreakpoint: meetsBreakpoint)
            if let finding = run(trial).finding { return .broken(finding) }
        }
        return .holds
    }

    private func sweepTwice(_ scene: EntryScene, _ firsts: [Int]) -> EntryVerdict {
        for first in firsts {
            let once = run(EntryTrial(scene, nmiArrivals: [first], nmiMeetsBreakpoint: true))
            if let finding = once.finding { return .broken(finding) }
            // While NMIs are masked all arrivals come to the same.
            for second in once.trial.unmasked where second > first {
                let trial = EntryTrial(scene, nmiArrivals: [first, second], nmiMeetsBreakpoint: true)
                if let finding = run(trial).finding { return .broken(finding) }
            }
        }
        return .holds
    }
}
