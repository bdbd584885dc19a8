/// A design in a scenario, compiled: flat code over small integers, the same for every driver.
///
/// Code is instantiated for its scenario: the patch routine once for each `patch` statement with the batch's sites in
/// place of `for`'s variable, function bodies at each `enter` that may reach them.
struct PokeProgram: Sendable {
    var code: [Op] = []
    /// For each op the statement it came from, and the label that an ablation names it by.
    var origins: [Origin] = []
    /// Postfix expressions, one after another.
    var terms: [Term] = []
    var variables: [Variable] = []
    var locks: [Lock] = []
    var sites: [Site] = []
    /// Everything that is ever patched: a site and the instruction that goes there.
    var entries: [Entry] = []
    /// Static batches: entries of each `patch` statement.
    var batches: [[Int]] = []
    var instructions: [SiteInstruction] = []
    /// Names of functions that CALL and JMP lead to.
    var targets: [String] = []
    var processes: [Process] = []
    var events: [Event] = []
    var options: Set<String> = []
    var fetch = FetchRule.chunk16
    /// Sites that a sweep places everywhere that matters.
    var sweptSites: [Int] = []
    /// Heads of endless loops: a process that stands there owes nothing.
    var restingPlaces: Set<Int> = []
    var int3Handler: Int?
    /// The op at which stopped CPUs stand.
    var parkedOp = 0
    /// For each `enter` with functions behind it, where execution goes on.
    var enterEnds: [Int: Int] = [:]
    /// For each local variable its slot in the frame; variables that never live together share one.
    var locals: [Int] = []
    /// Bits of each slot.
    var localSlots: [Int] = []
    /// Bytes that stores may bring to a site besides those of its instructions, by site and offset.
    var pokedBytes: [Int: [Int: Set<UInt8>]] = [:]
    /// Everything that entering a site may do.
    var effects: [Effect] { [.nop, .ret, .wild] + targets.indices.flatMap { [.call(target: $0), .jump(target: $0)] } }
    var invariants: [Property] = []
    var questions: [Property] = []
    /// Names of what `assert` and `invariant` state, in the order of their property numbers.
    var assertions: [String] = []

    struct Origin: Sendable {
        let range: Range<Int>
        let file: Int
        let reference: String?
    }

    struct Variable: Sendable {
        let name: String
        let isPerCPU: Bool
        let type: ValueType
        let count: Int
        let initial: Int
    }

    struct Lock: Sendable {
        let name: String
        let kind: LockKind
    }

    struct Site: Sendable {
        let name: String
        /// Indices into `instructions`; the first is there at the start.
        var contents: [Int]
        /// Of the first byte in its 64-byte line.
        var placement: Int
        /// Somebody else's INT3 stands in the first byte from the start.
        var hasForeignInt3 = false
    }

    struct Entry: Sendable, Hashable {
        let site: Int
        let new: Int
    }

    struct SiteInstruction: Sendable, Hashable {
        let effect: Effect
        let bytes: [UInt8]
    }

    /// What runs on a CPU from the start.
    struct Process: Sendable {
        let start: Int
    }

    struct Event: Sendable {
        let kind: EventKind
        let cpu: Int
        let max: Int
        let start: Int
        /// Its last op, the IRET.
        let end: Int
    }

    struct Property: Sendable {
        let name: String
        let condition: Formula
    }
}

/// What executing an instruction does, as far as a design can see.
enum Effect: Sendable, Hashable {
    case nop
    case ret
    case int3
    case call(target: Int)
    case jump(target: Int)
    /// Control goes to an address that nobody meant.
    case wild

    /// The place of `wild` in a program's effects.
    static let wildNumber = 2
}

/// Values are small non-negative integers of a fixed number of bits.
enum ValueType: Sendable, Hashable {
    case bool
    /// Stored less its lower bound.
    case int(Int, Int)
    /// 0 is none, n is entry n - 1.
    case site
    /// A list of entries, at most so many.
    case batch(Int)
    /// 0 is none, n is instruction n - 1.
    case instruction
    case oneOf([String])
    /// A byte of a site, (site number + 1) * 32 + its offset; below it no site.
    case address
    case byte
    /// Bytes of an instruction or of a site.
    case bytes
    case none

    var name: String {
        switch self {
        case .bool: "bool"
        case .int(let low, let high): "int \(low)..\(high)"
        case .site: "site"
        case .batch: "batch"
        case .instruction: "insn"
        case .oneOf(let names): "one of \(names.joined(separator: ", "))"
        case .address: "address"
        case .byte: "byte"
        case .bytes: "bytes"
        case .none: "none"
        }
    }
}

/// A run of terms.
struct Formula: Sendable, Hashable {
    let start: Int
    let end: Int
}

/// A term of a postfix expression: takes operands from a stack and puts its result there.
enum Term: Sendable, Hashable {
    case constant(Int)
    case variable(Int)
    /// The index is on the stack.
    case element(Int)
    case local(Int)
    case interruptFlag
    case cpu
    case depth
    case isIn(EventKind)
    case isInTask
    /// The address behind the INT3 that this context serves.
    case trapAddress
    case unary(UnaryOperator)
    case binary(BinaryOperator)
    /// Of the site (entry) on the stack.
    case addressOf
    case returnAddressOf
    case newInstruction
    /// What the site held when the update began.
    case oldInstruction
    /// Searches a batch variable for the address on the stack.
    case find(Int)
    case bsearch(Int)
    case length(Int)
    case last(Int)
    /// The entry at the index on the stack.
    case batchElement(Int)
}

/// A read, compare and write that is one step.
enum ReadModifyWrite: String, Sendable, CaseIterable {
    case compareExchange = "cmpxchg"
    case exchange = "xchg"
    case incrementNotZero = "inc_not_zero"
    case decrementAndTest = "dec_and_test"
}

/// Where a value is written.
enum Place: Sendable {
    case variable(Int)
    /// The index is a formula.
    case element(Int, Formula)
    case local(Int)
}

/// One operation. Those that `isLocal` says so of happen together with the step before them.
enum Op: Sendable {
    case assign(Place, Formula, isLocal: Bool)
    case assignBatch(variable: Int, BatchValue)
    case readModifyWrite(ReadModifyWrite, Place, operands: [Formula], result: Place?)
    case branch(Formula, otherwise: Int, isLocal: Bool)
    case jump(Int)
    case choose([Int])
    case atomicBegin(Formula?)
    case atomicEnd
    case await(Formula)
    case acquire(Int)
    case release(Int)
    case interruptFlag(Bool)
    case saveInterruptFlag(Int)
    case restoreInterruptFlag(Int)
    case poke(PokeTarget, from: Int, to: Int, PokeValue)
    case serialize
    case send
    case awaitAcknowledgements
    case stopAsk
    case stopWait
    case stopRelease
    /// A CPU that another one has stopped.
    case parked
    case enter(site: Int, result: Int?, bodies: [Int: Int])
    case patchBegin([Int])
    case patchEnd([Int])
    case emulate(EmulatedEffect)
    case setInterruptedFlag(Formula)
    case retry
    case resume(stub: Int?)
    case decline
    case push(Formula)
    case stubJump(Formula)
    case setInterruptFlagWithShadow
    case assert(Formula, property: Int, isLocal: Bool)
    case clearLocals([Int])
    /// IRET of an event's handler.
    case eventEnd
    /// The process has ended.
    case end

    var isLocal: Bool {
        switch self {
        case .jump, .emulate, .setInterruptedFlag, .clearLocals, .atomicEnd, .retry: true
        case .branch(_, _, let isLocal), .assign(_, _, let isLocal), .assert(_, _, let isLocal): isLocal
        default: false
        }
    }
}

enum BatchValue: Sendable {
    case empty
    case entries([Int])
    /// The list of another variable.
    case copy(Int)
    /// A variable's list with an entry behind it.
    case appended(Int, Formula)
}

enum PokeTarget: Sendable {
    case site(Int)
    /// A site (entry) value.
    case entry(Formula)
}

enum PokeValue: Sendable {
    case byte(UInt8)
    /// Bytes of an instruction value, beginning at an offset.
    case instruction(Formula, offset: Int)
}

enum EmulatedEffect: Sendable {
    case instruction(Formula)
    /// A call to where the bytes in memory behind the site's first one lead.
    case callThroughMemory
}
