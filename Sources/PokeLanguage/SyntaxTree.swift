/// A name, with its place.
struct Name: Sendable, Hashable {
    let text: String
    let range: Range<Int>
}

/// A whole file: what it declares, in order.
struct FileSyntax: Sendable {
    var version: Int
    var versionRange: Range<Int>
    var items: [Item]

    enum Item: Sendable {
        case include(String, Range<Int>)
        case design(DesignSyntax)
        case scenario(ScenarioSyntax)
        case expect(ExpectSyntax)
    }
}

// MARK: Designs

struct DesignSyntax: Sendable {
    let name: Name
    var members: [DesignMember] = []
}

struct DesignMember: Sendable {
    let kind: Kind
    let range: Range<Int>

    enum Kind: Sendable {
        /// `era "v5.6"`: key and text.
        case note(Name, String)
        case variable(VariableSyntax)
        case lock(LockKind, Name)
        case needsSite(Name)
        case patch(batch: Name, Block)
        case hook(Hook, Block)
        case stub(Name, Block)
        /// `invariant name: e` holds in every state.
        case invariant(Name, Expression)
        /// `reach name: e` asks for the shortest way to a state.
        case reach(Name, Expression)
    }
}

enum LockKind: String, Sendable {
    case mutex, spinlock
}

/// Who has a copy of a variable.
enum StorageClass: String, Sendable {
    case shared, percpu
}

struct VariableSyntax: Sendable {
    let storage: StorageClass
    let type: TypeSyntax
    let name: Name
    /// Elements; nil where it is no array.
    let count: Expression?
    let initial: Expression
}

struct TypeSyntax: Sendable {
    let kind: Kind
    let range: Range<Int>

    enum Kind: Sendable {
        case bool
        case int(Expression, Expression)
        case site
        case batch(Expression)
        case insn
        case oneOf([Name])
    }
}

enum Hook: String, Sendable, CaseIterable {
    case int3
}

// MARK: Statements

struct Block: Sendable {
    var statements: [Statement] = []
    /// From brace to brace.
    var range: Range<Int>
}

struct Statement: Sendable {
    let kind: Kind
    let range: Range<Int>
    /// What an ablation leaves out by name.
    var label: Name?
    /// The kernel source that it models.
    var reference: String?

    indirect enum Kind: Sendable {
        case assign(Expression, AssignOperator, Expression)
        case letBinding(Name, Expression)
        case ifElse(Expression, Block, otherwise: Block?)
        case whileLoop(Expression, Block)
        case forLoop(Name, Expression, Block)
        /// Without a count it is a scenario's endless loop.
        case loop(Expression?, Block)
        case choose([Block])
        case atomic(when: Expression?, Block)
        case await(Expression)
        case acquire(Name)
        case release(Name)
        case irq(InterruptFlagChange)
        case poke(Expression, Expression, by: Expression?)
        case serialize
        case sync
        case ipi
        case acks
        case stopMachine(Block)
        case assert(Expression, Name)
        // Scenarios only.
        case enter(Expression, result: Name?)
        case patch([(Name, InstructionSyntax)])
        // `on int3` only.
        case emulate(Expression)
        case emulateCall(Expression)
        case retry
        case resume(at: Name?)
        case decline
        // Stubs only.
        case push(Expression)
        case jump(Expression)
        case setInterruptFlag
        case clearInterruptFlag
    }
}

enum AssignOperator: String, Sendable {
    case set = "="
    case add = "+="
    case subtract = "-="
}

enum InterruptFlagChange: String, Sendable, CaseIterable {
    case off, on, save, restore
}

// MARK: Expressions

struct Expression: Sendable {
    let kind: Kind
    let range: Range<Int>

    indirect enum Kind: Sendable {
        case number(Int)
        case bool(Bool)
        case none
        case name(String)
        case member(Expression, Name)
        case index(Expression, Expression)
        /// To the end of the site where there is no upper bound.
        case slice(Expression, Expression, Expression?)
        case unary(UnaryOperator, Expression)
        case binary(BinaryOperator, Expression, Expression)
        case call(Name, [Expression])
        case find(Expression, at: Expression)
        case bsearch(Expression, at: Expression)
        /// The bytes in memory, not those that a fetch may see.
        case read(Expression)
        case instruction(InstructionSyntax)
        case context(ContextWord)
    }
}

enum UnaryOperator: String, Sendable {
    case not = "!"
    case negate = "-"
    case complement = "~"
}

/// With the precedence of C.
enum BinaryOperator: String, Sendable, CaseIterable {
    case multiply = "*"
    case divide = "/"
    case remainder = "%"
    case add = "+"
    case subtract = "-"
    case shiftLeft = "<<"
    case shiftRight = ">>"
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
    case equal = "=="
    case notEqual = "!="
    case bitAnd = "&"
    case bitExclusiveOr = "^"
    case bitOr = "|"
    case and = "&&"
    case or = "||"

    /// Higher binds tighter.
    var precedence: Int {
        switch self {
        case .multiply, .divide, .remainder: 10
        case .add, .subtract: 9
        case .shiftLeft, .shiftRight: 8
        case .less, .lessOrEqual, .greater, .greaterOrEqual: 7
        case .equal, .notEqual: 6
        case .bitAnd: 5
        case .bitExclusiveOr: 4
        case .bitOr: 3
        case .and: 2
        case .or: 1
        }
    }
}

/// Words that say where execution stands.
enum ContextWord: String, Sendable, CaseIterable {
    case ip, site, cpu, depth
    case inNMI = "in nmi"
    case inIRQ = "in irq"
    case inMachineCheck = "in mc"
    case inTask = "in task"
}

/// An instruction as a site may hold it.
struct InstructionSyntax: Sendable {
    let kind: Kind
    let range: Range<Int>

    enum Kind: Sendable {
        case call(Name)
        case jump(Name)
        case nop5, nop2, ret, int3
    }
}

// MARK: Scenarios

struct ScenarioSyntax: Sendable {
    let name: Name
    var members: [ScenarioMember] = []
}

struct ScenarioMember: Sendable {
    let kind: Kind
    let range: Range<Int>

    enum Kind: Sendable {
        /// The instructions that the site holds in turn; the first is what it holds at the start.
        case site(Name, [InstructionSyntax], Placement?)
        case foreignInt3(Name, owner: Name)
        case function(Name, Block)
        case cpus(Expression)
        case process(cpu: Expression, Block)
        case event(EventKind, cpu: Expression, max: Expression, Block)
        case bind(Name, to: Name)
        case option(Name)
        case fetch(Name)
    }
}

/// Where in a 64-byte line a site's first byte stands.
enum Placement: Sendable {
    /// Every placement that the fetch model can tell apart.
    case every(Range<Int>)
    case at(Expression)
}

enum EventKind: String, Sendable, CaseIterable {
    case irq, nmi, mc, db
}

// MARK: Expectations

struct ExpectSyntax: Sendable {
    let design: Name
    let without: [Name]
    let scenario: Name
    let settings: [Setting]
    let verdict: Verdict
    let range: Range<Int>

    /// `fetch chunk16`, `placed 14`, `cpus 2` ...
    struct Setting: Sendable {
        let key: Name
        let value: Value
    }

    enum Value: Sendable {
        case name(Name)
        case number(Int, Range<Int>)
        case every(Range<Int>)
    }

    enum Verdict: Sendable {
        case safe(Range<Int>)
        case violates(Name)
        case reaches(Name)
    }
}
