internal import ArgumentParser
internal import PatchsimInterface

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "status", abstract: "Show the state of the machine.")
    @OptionGroup(title: "Global options") var options: GlobalOptions

    func run() throws {
        try Session.run("status", options) { session in
            try session.call(GetState.self, Nothing()) { Output.write(stateText($0.state)) }
        }
    }
}

struct PauseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "pause", abstract: "Stop all CPUs.")
    @OptionGroup(title: "Global options") var options: GlobalOptions

    func run() throws {
        try Session.run("pause", options) { session in
            try session.call(Pause.self, Nothing()) { Output.line(runText($0.state)) }
        }
    }
}

struct ResumeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "resume", abstract: "Let all CPUs run.")
    @OptionGroup(title: "Global options") var options: GlobalOptions

    func run() throws {
        try Session.run("resume", options) { session in
            try session.call(Resume.self, Nothing()) { Output.line(runText($0.state)) }
        }
    }
}

struct StepCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "step", abstract: "Execute instructions of a paused machine, or take them back.")
    @OptionGroup(title: "Global options") var options: GlobalOptions

    @Option(help: "Step this CPU only.")
    var cpu: Int?

    @Option(help: "Number of instructions.")
    var count = 1

    @Flag(help: "Step back (deterministic driver).")
    var back = false

    func run() throws {
        try Session.run("step", options) { session in
            let parameters = Step.Parameters(cpu: cpu, count: count, back: back ? true : nil)
            try session.call(Step.self, parameters) { reply in
                var table = TextTable([
                    ("TIME", .right), ("CPU", .right), ("CONTEXT", .left), ("ADDRESS", .left), ("SYMBOL", .left),
                    ("INSTRUCTION", .left),
                ])
                for step in reply.steps {
                    table.add([
                        seconds(step.nanoseconds), "\(step.cpu)", step.context.rawValue, step.address, step.symbol,
                        step.text,
                    ])
                }
                if !reply.steps.isEmpty { Output.write(table.text) }
                Output.line(runText(reply.state))
            }
        }
    }
}

struct CPUsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "cpus", abstract: "List the CPUs.")
    @OptionGroup(title: "Global options") var options: GlobalOptions

    func run() throws {
        try Session.run("cpus", options) { session in
            try session.call(ListCPUs.self, Nothing()) { reply in
                var table = TextTable([
                    ("CPU", .right), ("STATE", .left), ("PID", .right), ("COMM", .left), ("CONTEXT", .left),
                    ("IF", .left),
                    ("RETIRED", .right), ("TRAPS", .right), ("IP", .left), ("SYMBOL", .left),
                ])
                for cpu in reply.cpus {
                    table.add([
                        "\(cpu.index)", cpu.state, cpu.pid.map { "\($0)" } ?? "-", cpu.comm ?? "-",
                        cpu.context.rawValue,
                        cpu.interruptsEnabled ? "on" : "off", grouped(cpu.retired), grouped(cpu.traps), cpu.ip,
                        cpu.symbol,
                    ])
                }
                Output.write(table.text)
            }
        }
    }
}

struct TasksCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "tasks", abstract: "List the tasks.")
    @OptionGroup(title: "Global options") var options: GlobalOptions

    func run() throws {
        try Session.run("tasks", options) { session in
            try session.call(ListTasks.self, Nothing()) { reply in
                var table = TextTable([
                    ("PID", .right), ("COMM", .left), ("STATE", .left), ("CPU", .right), ("LOOPS", .right),
                    ("UNWINDS", .right), ("FUNCTION", .left),
                ])
                for task in reply.tasks {
                    let unwinds = task.unwinds.state + task.unwinds.budget + task.unwinds.fault
                    table.add([
                        "\(task.pid)", task.comm, task.state, task.cpu.map { "\($0)" } ?? "-", grouped(task.loops),
                        grouped(unwinds), task.function,
                    ])
                }
                Output.write(table.text)
            }
        }
    }
}

private func runText(_ state: MachineState) -> String {
    switch state.run {
    case .running: "running, \(seconds(state.nanoseconds).drop { $0 == " " }) s"
    case .paused: "paused at \(seconds(state.nanoseconds).drop { $0 == " " }) s"
    case .stoppedByViolation: "stopped by a violation at \(seconds(state.nanoseconds).drop { $0 == " " }) s"
    }
}

private func stateText(_ state: MachineState) -> String {
    let rows = [
        ("Kernel", "\(state.kernel) (\(state.mode))"),
        ("Banner", state.banner),
        ("State", runText(state)),
        ("Driver", "\(state.driver.rawValue), seed \(state.seed)"),
        (
            "Fetch model",
            state.fetchModel + (state.ablated.isEmpty ? "" : ", without \(state.ablated.joined(separator: ", "))")
        ),
        ("CPUs, tasks", "\(state.cpuCount), \(state.taskCount)"),
        ("Retired", "\(grouped(state.retired)) instructions"),
        (
            "Exactness",
            "\(percent(state.exactness.exactSemantics)) exact, \(percent(state.exactness.knownInputs)) with known inputs"
        ),
        ("Patching", "\(grouped(state.pokes)) pokes, \(grouped(state.batches)) batches, \(grouped(state.syncs)) syncs"),
        (
            "INT3 traps",
            "\(grouped(state.trapsTaken)) taken, \(grouped(state.trapsEmulated)) emulated, on \(grouped(state.trapSites)) sites"
        ),
        ("Tracer", "\(state.tracer), \(grouped(state.enabledSites)) sites enabled"),
        ("Events", grouped(state.eventSequence)),
        ("Violations", grouped(state.violations)),
    ]
    var table = TextTable([("", .right), ("", .left)])
    for (name, value) in rows { table.add([name + ":", value]) }
    return table.text
}
