public import ScheduleExplorer

/// Number of a property that a step can break.
public enum PokeProperty {
    /// I1 ... I9 are 1 ... 9.
    public static let invariants: ClosedRange<UInt8> = 1...9
    public static let tornInstruction: UInt8 = 1
    public static let lostCall: UInt8 = 2
    public static let trueEmulation: UInt8 = 3
    public static let unexplainedBreakpoint: UInt8 = 4
    public static let progress: UInt8 = 5
    public static let closure: UInt8 = 8
    public static let completion: UInt8 = 9
    /// A variable would leave its declared range.
    public static let range: UInt8 = 10
    /// A batch would hold more than its declared size.
    public static let overflow: UInt8 = 11
    /// A lock is released that the CPU does not hold.
    public static let lock: UInt8 = 12
    /// More versions of a chunk than are kept apart: no violation, but the end of what can be said.
    public static let history: UInt8 = 13
    /// The first of the design's own assertions and invariants.
    public static let assertions: UInt8 = 16
}

/// What never changes while a model is searched. A class, so that copies of the model share it.
final class ModelTables: Sendable {
    let program: PokeProgram
    let layout: StateLayout
    let siteLengths: [Int]
    let effects: [Effect]
    /// For each op that an event's code consists of, the event's kind.
    let eventKinds: [EventKind?]
    /// The effect of each instruction, as a number in `effects`.
    let effectNumbers: [Int]

    init(_ program: PokeProgram, framesMax: Int) {
        self.program = program
        siteLengths = program.sites.map { program.instructions[$0.contents[0]].bytes.count }
        let effects = program.effects
        self.effects = effects
        effectNumbers = program.instructions.map { effects.firstIndex(of: $0.effect) ?? Effect.wildNumber }
        layout = StateLayout(program, framesMax: framesMax)
        var kinds = [EventKind?](repeating: nil, count: program.code.count + 1)
        for event in program.events {
            for index in event.start...event.end { kinds[index] = event.kind }
        }
        eventKinds = kinds
    }
}

/// A design in a scenario, as something to search.
public struct PokeModel: TransitionSystem {
    private let tables: ModelTables
    let cpuCount: Int
    public let wordCount: Int

    init(_ program: PokeProgram) {
        tables = ModelTables(program, framesMax: Self.framesNeeded(program))
        cpuCount = program.processes.count
        wordCount = tables.layout.globalWords + cpuCount * tables.layout.laneWords
    }

    var program: PokeProgram { _read { yield tables.program } }
    var layout: StateLayout { _read { yield tables.layout } }
    var siteLengths: [Int] { _read { yield tables.siteLengths } }
    var effects: [Effect] { _read { yield tables.effects } }
    var eventKinds: [EventKind?] { _read { yield tables.eventKinds } }
    var effectNumbers: [Int] { _read { yield tables.effectNumbers } }

    /// Contexts that nest on one CPU: a process, events, a handler in each of them, and one handler more to see that the
    /// handler traps on itself.
    private static func framesNeeded(_ program: PokeProgram) -> Int {
        let events = program.processes.indices.map { cpu in
            program.events.filter { $0.cpu == cpu }.map(\.max).reduce(0, +)
        }
        return 2 * (1 + (events.max() ?? 0)) + 2
    }

    // MARK: States

    public func writeInitial(_ state: UnsafeMutablePointer<UInt64>) {
        state.update(repeating: 0, count: wordCount)
        for (number, variable) in program.variables.enumerated() where !variable.isPerCPU {
            for field in layout.variables[number] { field.set(state, variable.initial) }
        }
        for (number, site) in program.sites.enumerated() {
            layout.sites[number].current.set(state, site.contents[0])
            var bytes = program.instructions[site.contents[0]].bytes
            if site.hasForeignInt3 { bytes[0] = 0xcc }
            for chunk in layout.sites[number].chunks {
                layout.chunks[chunk].count.set(state, 1)
                layout.chunks[chunk].versions[0].set(state, layout.chunks[chunk].code(of: bytes))
            }
        }
        for (number, event) in program.events.enumerated() { layout.budgets[number].set(state, event.max) }
        for (cpu, process) in program.processes.enumerated() {
            let lane = lane(state, cpu)
            layout.interruptFlag.set(lane, 1)
            layout.frames[0].pc.set(lane, process.start)
            for (number, fields) in layout.ownVariables {
                for field in fields { field.set(lane, program.variables[number].initial) }
            }
            var stepper = Stepper(self, state, cpu)
            stepper.settle()
        }
    }

    @inline(__always)
    func lane(_ state: UnsafeMutablePointer<UInt64>, _ cpu: Int) -> UnsafeMutablePointer<UInt64> {
        state + layout.globalWords + cpu * layout.laneWords
    }

    /// Every process has ended or stands where an endless loop begins anew, and nobody waits for anybody.
    public func isFinal(_ state: UnsafePointer<UInt64>) -> Bool {
        for cpu in 0..<cpuCount {
            let lane = state + layout.globalWords + cpu * layout.laneWords
            guard layout.depth.get(lane) == 0, layout.pending.get(lane) == 0 else { return false }
            let pc = layout.frames[0].pc.get(lane)
            if case .end = program.code[pc] { continue }
            guard program.restingPlaces.contains(pc) else { return false }
        }
        return true
    }

    // MARK: Steps

    public func appendSuccessors(of state: UnsafePointer<UInt64>, to successors: inout Successors) {
        for cpu in 0..<cpuCount {
            appendArrivals(state, cpu, &successors)
            appendSteps(state, cpu, &successors)
        }
    }

    /// A copy of `state` as the successor in hand, to be changed by a step of `cpu`.
    @inline(__always)
    func begin(_ state: UnsafePointer<UInt64>, _ cpu: Int, _ successors: inout Successors) -> Stepper {
        let next = successors.append(StepMark(actor: UInt8(truncatingIfNeeded: cpu)))
        next.update(from: state, count: wordCount)
        return Stepper(self, next, cpu)
    }

    @inline(__always)
    func finish(_ stepper: Stepper, _ successors: inout Successors) {
        var violation = stepper.violation
        if violation == 0 {
            for (number, invariant) in program.invariants.enumerated()
            where Evaluator(self, stepper.state, cpu: 0).evaluate(invariant.condition) == 0 {
                let name = program.assertions.firstIndex(of: invariant.name) ?? number
                violation = PokeProperty.assertions + UInt8(truncatingIfNeeded: name)
                break
            }
        }
        var reached: UInt16 = 0
        for (number, question) in program.questions.enumerated()
        where Evaluator(self, stepper.state, cpu: 0).evaluate(question.condition) != 0 {
            reached |= 1 << UInt16(number)
        }
        successors.markLast(violation: violation, reached: reached)
    }

    /// Interrupts, IPIs and the stopper's call, where the CPU can take them now.
    private func appendArrivals(_ state: UnsafePointer<UInt64>, _ cpu: Int, _ successors: inout Successors) {
        let lane = state + layout.globalWords + cpu * layout.laneWords
        let isShadowed = layout.shadow.get(lane) != 0
        let takesInterrupts = layout.interruptFlag.get(lane) != 0 && !isShadowed
        if takesInterrupts, layout.pending.get(lane) != 0 {
            var stepper = begin(state, cpu, &successors)
            layout.pending.set(stepper.lane, 0)
            stepper.serialize()
            finish(stepper, &successors)
        }
        let stopper = layout.stopper.get(state)
        if takesInterrupts, stopper != 0, stopper != cpu + 1 {
            var stepper = begin(state, cpu, &successors)
            stepper.push(pc: program.parkedOp, site: 0)
            finish(stepper, &successors)
        }
        for (number, event) in program.events.enumerated()
        where event.cpu == cpu && layout.budgets[number].get(state) > 0 {
            let isEnabled =
                switch event.kind {
                case .irq: takesInterrupts
                case .nmi:
                    layout.nmiMasked.get(lane) == 0
                        && (!isShadowed || program.options.contains("nmi_in_sti_shadow"))
                case .mc, .db: true
                }
            guard isEnabled else { continue }
            var stepper = begin(state, cpu, &successors)
            layout.budgets[number].set(stepper.state, layout.budgets[number].get(state) - 1)
            stepper.push(pc: event.start, site: 0)
            if event.kind == .nmi { layout.nmiMasked.set(stepper.lane, 1) }
            stepper.settle()
            finish(stepper, &successors)
        }
    }

    /// What the CPU's innermost context does next.
    private func appendSteps(_ state: UnsafePointer<UInt64>, _ cpu: Int, _ successors: inout Successors) {
        let lane = state + layout.globalWords + cpu * layout.laneWords
        let frame = layout.frames[layout.depth.get(lane)]
        let pc = frame.pc.get(lane)
        switch program.code[pc] {
        case .end: return
        case .choose(let starts):
            for start in starts {
                var stepper = begin(state, cpu, &successors)
                stepper.jump(to: start)
                finish(stepper, &successors)
            }
        case .enter(let site, _, _): appendFetches(state, cpu, site, &successors)
        default:
            guard Stepper(self, UnsafeMutablePointer(mutating: state), cpu).isEnabled(pc) else { return }
            var stepper = begin(state, cpu, &successors)
            stepper.take(pc)
            finish(stepper, &successors)
        }
    }

    // MARK: Fetching

    /// A successor for each view of the site that the fetch may be given.
    private func appendFetches(
        _ state: UnsafePointer<UInt64>, _ cpu: Int, _ site: Int, _ successors: inout Successors
    ) {
        var chosen = InlineArray<16, Int>(repeating: 0)
        appendFetches(state, cpu, site, chunk: 0, &chosen, &successors)
    }

    private func appendFetches(
        _ state: UnsafePointer<UInt64>, _ cpu: Int, _ site: Int, chunk: Int, _ chosen: inout InlineArray<16, Int>,
        _ successors: inout Successors
    ) {
        let lane = state + layout.globalWords + cpu * layout.laneWords
        let chunks = layout.sites[site].chunks
        // An INT3, or another instruction of one byte, ends the fetch: the chunks behind are not looked at.
        if chunk == chunks.count || chunk > 0 && endsEarly(state, chunks[0], chosen[0]) {
            var stepper = begin(state, cpu, &successors)
            stepper.fetched(site, chunks.prefix(chunk).enumerated().map { ($1, chosen[$0]) })
            finish(stepper, &successors)
            return
        }
        let part = layout.chunks[chunks[chunk]]
        let count = part.count.get(state)
        for version in part.floor.get(lane)..<count {
            // Of equal versions the oldest allows the most.
            let code = part.versions[version].get(state)
            let isRepeated = (part.floor.get(lane)..<version).contains { part.versions[$0].get(state) == code }
            if isRepeated { continue }
            chosen[chunk] = version
            appendFetches(state, cpu, site, chunk: chunk + 1, &chosen, &successors)
        }
    }

    private func endsEarly(_ state: UnsafePointer<UInt64>, _ chunk: Int, _ version: Int) -> Bool {
        let part = layout.chunks[chunk]
        let first = part.byte(0, of: part.versions[version].get(state))
        return first == 0xcc || first == 0xc3
    }
}

extension StateLayout.Chunk {
    /// The number that stands for the bytes of the whole site `bytes` in this chunk.
    func code(of bytes: [UInt8]) -> Int {
        var code = 0
        for (index, byte) in self.bytes.enumerated() {
            guard let number = byte.values.firstIndex(of: bytes[from + index]) else {
                preconditionFailure("a site has room for every byte that is ever stored there")
            }
            code |= number << byte.shift
        }
        return code
    }

    /// Byte `index` of the chunk in version `code`.
    func byte(_ index: Int, of code: Int) -> UInt8 {
        bytes[index].values[code >> bytes[index].shift & bytes[index].mask]
    }

    /// `code` with byte `index` replaced.
    func replacing(_ index: Int, of code: Int, with byte: UInt8) -> Int {
        guard let number = bytes[index].values.firstIndex(of: byte) else {
            preconditionFailure("a site has room for every byte that is ever stored there")
        }
        return code & ~(bytes[index].mask << bytes[index].shift) | number << bytes[index].shift
    }
}
