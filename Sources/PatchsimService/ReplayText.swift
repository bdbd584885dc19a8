internal import Configuration
internal import SimulationRuntime

/// What fixes a run besides its inputs, as a replay line writes it.
struct RunDescription: Sendable, Hashable {
    var kernel: String
    var cpus: Int
    var tasks: Int
    var seed: UInt64
    var speed: Int
    /// Per CPU and simulated second.
    var irqRate: Int
    var nmiRate: Int
    var fetchModel: String
    var ablated: [String]
    /// Fingerprint of the workload file.
    var workload: UInt64

    init(_ settings: ServiceSettings) {
        kernel = settings.kernel
        cpus = settings.cpus
        tasks = settings.tasks
        seed = settings.seed
        speed = settings.instructionsPerSecond ?? WorldFactory.speedDefault
        irqRate = settings.interrupts.irqRate
        nmiRate = settings.interrupts.nmiRate
        fetchModel = settings.fetchModel.rawValue
        ablated = settings.ablated
        workload = settings.workload.fingerprint
    }

    func apply(to settings: inout ServiceSettings) {
        settings.cpus = cpus
        settings.tasks = tasks
        settings.seed = seed
        settings.instructionsPerSecond = speed
        settings.interrupts.irqRate = irqRate
        settings.interrupts.nmiRate = nmiRate
        settings.fetchModel = FetchModelName(rawValue: fetchModel) ?? settings.fetchModel
        settings.ablated = ablated
    }
}

/// A replay line: `patchsim1 kernel=builtin cpus=4 ... turns=1234 input=17:write:/sys/...:function`.
enum ReplayText {
    struct Failure: Error {
        let reason: String
    }

    /// Everything follows from the seed and the inputs: any daemon with the same kernel can take the run again.
    case seeded(RunDescription, inputs: [(turn: UInt64, input: WorldInput)], turns: UInt64)
    /// The order of turns was not drawn: only the daemon that recorded it can take it again.
    case recorded(turn: UInt64, run: RunDescription)

    static let magic = "patchsim1"
    /// Longest run that a replay takes.
    static let turnsMax: UInt64 = 50_000_000

    var line: String {
        switch self {
        case .seeded(let run, let inputs, let turns):
            ([Self.magic] + Self.words(run) + ["turns=\(turns)"] + inputs.map(Self.word)).joined(separator: " ")
        case .recorded(let turn, let run):
            ([Self.magic] + Self.words(run) + ["recorded=\(turn)"]).joined(separator: " ")
        }
    }

    private static func words(_ run: RunDescription) -> [String] {
        [
            "kernel=\(escaped(run.kernel))", "cpus=\(run.cpus)", "tasks=\(run.tasks)", "seed=\(run.seed)",
            "speed=\(run.speed)", "irq=\(run.irqRate)", "nmi=\(run.nmiRate)",
            "fetch=\(run.fetchModel)", "ablate=\(run.ablated.joined(separator: ","))",
            "workload=\(String(run.workload, radix: 16))",
        ]
    }

    private static func word(_ entry: (turn: UInt64, input: WorldInput)) -> String {
        "input=\(entry.turn):\(entry.input.action.rawValue):\(escaped(entry.input.path)):\(escaped(entry.input.text))"
    }

    init(parsing line: String) throws(Failure) {
        var words = line.split(separator: " ").map(String.init)
        guard words.first == Self.magic else { throw Failure(reason: "it does not begin with \(Self.magic)") }
        words.removeFirst()
        var fields: [String: String] = [:]
        var inputs: [(turn: UInt64, input: WorldInput)] = []
        for word in words {
            guard let equals = word.firstIndex(of: "=") else { throw Failure(reason: "\(word) is not NAME=VALUE") }
            let name = String(word[..<equals])
            let value = String(word[word.index(after: equals)...])
            if name == "input" { inputs.append(try Self.input(value)) } else { fields[name] = value }
        }
        var run = RunDescription(ServiceSettings())
        run.kernel = Self.unescaped(try Self.field("kernel", fields))
        run.cpus = Int(try Self.number("cpus", fields, max: UInt64(ServiceSettings.cpusMax)))
        run.tasks = Int(try Self.number("tasks", fields, max: UInt64(ServiceSettings.tasksMax)))
        run.seed = try Self.number("seed", fields, max: ServiceSettings.seedMax)
        run.speed = Int(try Self.number("speed", fields, max: UInt64(ServiceSettings.instructionsPerSecondMax)))
        run.irqRate = Int(try Self.number("irq", fields, max: UInt64(InterruptSettings.rateMax)))
        run.nmiRate = Int(try Self.number("nmi", fields, max: UInt64(InterruptSettings.rateMax)))
        run.fetchModel = try Self.field("fetch", fields)
        guard FetchModelName(rawValue: run.fetchModel) != nil else {
            throw Failure(reason: "fetch=\(run.fetchModel) is no fetch model")
        }
        guard run.cpus > 0 else { throw Failure(reason: "cpus=0") }
        run.ablated = try Self.field("ablate", fields).split(separator: ",").map(String.init)
        guard let workload = UInt64(try Self.field("workload", fields), radix: 16) else {
            throw Failure(reason: "workload is not a hexadecimal number")
        }
        run.workload = workload
        if fields["recorded"] != nil {
            self = .recorded(turn: try Self.number("recorded", fields, max: .max), run: run)
        } else {
            self = .seeded(run, inputs: inputs, turns: try Self.number("turns", fields, max: .max))
        }
    }

    private static func field(_ name: String, _ fields: [String: String]) throws(Failure) -> String {
        guard let value = fields[name] else { throw Failure(reason: "\(name)= is missing") }
        return value
    }

    private static func number(
        _ name: String, _ fields: [String: String], max: UInt64
    ) throws(Failure) -> UInt64 {
        let text = try field(name, fields)
        guard let value = UInt64(text), value <= max else {
            throw Failure(reason: "\(name)=\(text) is not in 0 to \(max)")
        }
        return value
    }

    private static func input(_ text: String) throws(Failure) -> (turn: UInt64, input: WorldInput) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 4, let turn = UInt64(parts[0]), let action = WorldInput.Action(rawValue: parts[1]) else {
            throw Failure(reason: "input=\(text) is not TURN:ACTION:PATH:TEXT")
        }
        return (turn, WorldInput(action, path: unescaped(parts[2]), text: unescaped(parts[3])))
    }

    // MARK: Escapes

    /// Percent signs for everything that would end a word or a part.
    static func escaped(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            let isPlain = byte > 0x20 && byte < 0x7f && byte != UInt8(ascii: "%") && byte != UInt8(ascii: ":")
            if isPlain {
                result.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                result += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
        }
        return result
    }

    static func unescaped(_ text: String) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension WorkloadFile {
    /// FNV-1a over everything that the file says about what runs; the order of entries counts.
    var fingerprint: UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        func add(_ text: String) {
            for byte in text.utf8 + [0] { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        }
        for entry in entries { add("\(entry.function) \(entry.weight)") }
        for name in irqEntries + ["|"] + nmiEntries + ["|"] + served { add(name) }
        return hash
    }
}
