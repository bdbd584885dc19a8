/// What one statement of a built-in function does. The accumulator is rax in a leaf and rbx in a function with a frame.
enum BuiltinStatement: Sendable, Hashable {
    /// `count` arithmetic instructions on the accumulator.
    case mix(Int)
    /// Stores the accumulator to the stack, changes it, and adds the stored value.
    case local
    /// Increments a counter in memory.
    case count(String)
    case load(String)
    case store(String)
    /// Looks up a word of an array of `words` (a power of two) by the accumulator.
    case table(String, words: Int)
    /// Adds up `bytes` bytes of a buffer in a loop.
    case sum(String, bytes: Int)
    /// A loop without memory access.
    case spin(Int)
    /// Takes the smaller of the accumulator and a word in memory, with CMOV.
    case minimum(String)
    /// Adds a comparison's outcome, with SETcc.
    case flag
    /// Clears `words` words with REP STOS.
    case clear(String, words: Int)
    /// Takes a lock word by XCHG. It never waits long: a task that was unwound may have left the lock taken.
    case lock(String)
    case unlock(String)
    /// Leaves the function early for one accumulator in eight.
    case early
    case call(String)
    /// Calls the one or the other by the accumulator's lowest bit.
    case when(String, String)
    /// Calls in a loop.
    case repeated(Int, String)
    /// Calls through entry `index` of a table of operations in `.data`.
    case operation(String, Int)
    /// Calls through an entry of a table that the accumulator selects; the table's length is a power of two.
    case dispatch(String)
    /// A static_call() site.
    case staticCall(String)
    /// An out-of-line static_branch_unlikely() that calls a function; a 5-byte site.
    case unlikely(String, String)
    /// An inline static_branch_likely() around a call; a 5-byte site whose jump skips it.
    case likely(String, String)
    /// A static_branch_unlikely() with a 2-byte site.
    case unlikelyShort(String)
    /// A static_branch_likely() with a 2-byte site.
    case likelyShort(String)
    /// A short section with interrupts off.
    case interruptsOff
    case timestamp
    /// Reads a per-CPU word through gs.
    case perCPU(String)
    /// The last statement may be a tail call, direct or through a static call.
    case tail(String)
    case staticTail(String)

    /// Functions that this statement calls directly.
    var callees: [String] {
        switch self {
        case .call(let name), .repeated(_, let name), .tail(let name), .unlikely(_, let name), .likely(_, let name):
            [name]
        case .when(let first, let second): [first, second]
        default: []
        }
    }

    /// Calls something, so that the function needs a frame. A tail call doesn't.
    var needsFrame: Bool {
        switch self {
        case .operation, .dispatch, .staticCall: true
        case .tail: false
        default: !callees.isEmpty
        }
    }
}

/// One function of the built-in kernel.
struct BuiltinFunction: Sendable {
    let name: String
    /// `T` or `t`.
    let type: UInt8
    /// Starts with an mcount site. False for what the kernel marks notrace or noinstr.
    let isTraced: Bool
    /// The body of an overridden weak function: its site stays in the table, its symbol is gone.
    let isWeakLeftover: Bool
    let statements: [BuiltinStatement]
}

/// The built-in kernel's functions as its tables state them.
struct BuiltinProgram: Sendable {
    let functions: [BuiltinFunction]

    /// Parses lines such as `T vfs_read: call rw_verify_area; mix 3`. `N` and `n` mark untraced functions, `W` the body of
    /// an overridden weak function. The text is the project's own, so a mistake in it is a programmer's.
    init(parsing lines: String) {
        functions = lines.split(separator: "\n").filter { !$0.hasPrefix("#") }.map(Self.function)
    }

    private static func function(_ line: Substring) -> BuiltinFunction {
        let halves = line.split(separator: ":", maxSplits: 1)
        let head = halves[0].split(separator: " ")
        precondition(head.count == 2, "a line starts with a type and a name: \(line)")
        let body = halves.count == 2 ? halves[1] : ""
        return BuiltinFunction(
            name: String(head[1]), type: UInt8(ascii: head[0] == "T" || head[0] == "N" ? "T" : "t"),
            isTraced: head[0] == "T" || head[0] == "t" || head[0] == "W", isWeakLeftover: head[0] == "W",
            statements: body.split(separator: ";").map { statement($0.split(separator: " ").map(String.init)) })
    }

    // exempt: one switch, a case a statement
    private static func statement(_ words: [String]) -> BuiltinStatement {
        func name(_ index: Int) -> String {
            precondition(index < words.count, "the statement has its operands: \(words)")
            return words[index]
        }
        func number(_ index: Int) -> Int {
            guard let value = Int(name(index)) else { preconditionFailure("a number is expected: \(words)") }
            return value
        }
        switch words[0] {
        case "mix": return .mix(number(1))
        case "local": return .local
        case "count": return .count(name(1))
        case "load": return .load(name(1))
        case "store": return .store(name(1))
        case "table": return .table(name(1), words: number(2))
        case "sum": return .sum(name(1), bytes: number(2))
        case "spin": return .spin(number(1))
        case "minimum": return .minimum(name(1))
        case "flag": return .flag
        case "clear": return .clear(name(1), words: number(2))
        case "lock": return .lock(name(1))
        case "unlock": return .unlock(name(1))
        case "early": return .early
        case "call": return .call(name(1))
        case "when": return .when(name(1), name(2))
        case "repeat": return .repeated(number(1), name(2))
        case "ops": return .operation(name(1), number(2))
        case "dispatch": return .dispatch(name(1))
        case "static": return .staticCall(name(1))
        case "unlikely": return .unlikely(name(1), name(2))
        case "likely": return .likely(name(1), name(2))
        case "unlikely2": return .unlikelyShort(name(1))
        case "likely2": return .likelyShort(name(1))
        case "irqoff": return .interruptsOff
        case "timestamp": return .timestamp
        case "percpu": return .perCPU(name(1))
        case "tail": return .tail(name(1))
        case "statictail": return .staticTail(name(1))
        default: preconditionFailure("no such statement: \(words)")
        }
    }
}
