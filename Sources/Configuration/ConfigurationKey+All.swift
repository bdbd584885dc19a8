internal import PatchsimInterface

extension ConfigurationKey {
    /// Steps of the patching protocol that can be left out; docs/MODEL.md says what each is for.
    public static let steps = ["sync1", "sync2", "sync3", "emulation", "gap", "rcu-tasks", "ipi", "lookup"]

    /// Every key, in the order of the shipped file.
    public static let all: [ConfigurationKey] =
        machine + [
            .integer("interrupts.irq_rate", \.interrupts.irqRate, 0...InterruptSettings.rateMax, .reload),
            .integer("interrupts.nmi_rate", \.interrupts.nmiRate, 0...InterruptSettings.rateMax, .reload),
            .name("access.group", \.access.group, bytesMax: AccessSettings.groupBytesMax, .reload),
        ] + limits + [
            .choice("log.level", \.log.level, .reload, option: "--log-level"),
            .choice("log.target", \.log.target, .restart, option: "--log-target"),
        ]

    private static let machine: [ConfigurationKey] = [
        .path("kernel", words: ["builtin"], .restart, option: "--kernel", read: { $0.kernel }) { $0.kernel = $1 },
        .choice("driver", \.driver, .restart, option: "--driver"),
        .integer("cpus", \.cpus, 1...ServiceSettings.cpusMax, .restart, option: "--cpus"),
        .integer("tasks", \.tasks, 1...ServiceSettings.tasksMax, .restart, option: "--tasks"),
        .integer("seed", \.seedNumber, 0...Int(ServiceSettings.seedMax), .restart, option: "--seed"),
        .integer(
            "speed", \.instructionsPerSecond, 1...ServiceSettings.instructionsPerSecondMax, else: "auto", .reload,
            option: "--speed"),
        .path(
            "workload", words: ["shipped"], .restart, option: "--workload", read: { $0.workloadPath ?? "shipped" }
        ) { $0.workloadPath = $1 == "shipped" ? nil : $1 },
        .choice("fetch_model", \.fetchModel, .restart, option: "--fetch-model"),
        .list("ablate", \.ablated, .words(steps), .restart, option: "--ablate"),
        .path(
            "state_directory", words: ["auto", "none"], .restart, option: "--state-directory",
            read: { $0.stateDirectory.word }
        ) { $0.stateDirectory = StateDirectory(word: $1) },
    ]

    private static let limits: [ConfigurationKey] = [
        .integer("limits.connections_max", \.limits.connectionsMax, LimitSettings.connectionsRange, .reload),
        .integer("limits.connections_per_user", \.limits.connectionsPerUser, LimitSettings.connectionsRange, .reload),
        .integer("limits.streams_max", \.limits.streamsMax, LimitSettings.streamsRange, .reload),
        .integer("limits.streams_per_user", \.limits.streamsPerUser, LimitSettings.streamsRange, .reload),
        .integer("limits.calls_per_user", \.limits.callsPerUser, LimitSettings.callsRange, .reload),
        .integer(
            "limits.pipelined_calls_max", \.limits.pipelinedCallsMax, LimitSettings.pipelinedCallsRange, .reload),
        .integer("limits.call_bytes_max", \.limits.callBytesMax, LimitSettings.callBytesRange, .reload),
        .integer("limits.reply_bytes_max", \.limits.replyBytesMax, LimitSettings.replyBytesRange, .reload),
    ]
}

extension ServiceSettings {
    fileprivate var seedNumber: Int {
        get { Int(clamping: seed) }
        set { seed = UInt64(clamping: newValue) }
    }
}

extension StateDirectory {
    fileprivate init(word: String) {
        switch word {
        case "auto": self = .automatic
        case "none": self = .none
        default: self = .path(word)
        }
    }

    fileprivate var word: String {
        switch self {
        case .automatic: "auto"
        case .none: "none"
        case .path(let path): path
        }
    }
}
