public enum GetState: InterfaceMethod {
    public static let name = "io.patchsim.Machine.GetState"

    public typealias Parameters = Nothing
    public struct Reply: Codable, Sendable, Hashable {
        public var state: MachineState

        public init(state: MachineState) {
            self.state = state
        }
    }
}

public enum ListCPUs: InterfaceMethod {
    public static let name = "io.patchsim.Machine.ListCPUs"

    public typealias Parameters = Nothing
    public struct Reply: Codable, Sendable, Hashable {
        public var cpus: [CPUState]

        public init(cpus: [CPUState]) {
            self.cpus = cpus
        }
    }
}

public enum ListTasks: InterfaceMethod {
    public static let name = "io.patchsim.Machine.ListTasks"

    public typealias Parameters = Nothing
    public struct Reply: Codable, Sendable, Hashable {
        public var tasks: [TaskState]

        public init(tasks: [TaskState]) {
            self.tasks = tasks
        }
    }
}

public enum Pause: InterfaceMethod {
    public static let name = "io.patchsim.Machine.Pause"

    public typealias Parameters = Nothing
    public struct Reply: Codable, Sendable, Hashable {
        public var state: MachineState

        public init(state: MachineState) {
            self.state = state
        }
    }
}

public enum Resume: InterfaceMethod {
    public static let name = "io.patchsim.Machine.Resume"

    public typealias Parameters = Nothing
    public struct Reply: Codable, Sendable, Hashable {
        public var state: MachineState

        public init(state: MachineState) {
            self.state = state
        }
    }
}

public enum Step: InterfaceMethod {
    public static let name = "io.patchsim.Machine.Step"

    public struct Parameters: Codable, Sendable, Hashable {
        public var cpu: Int?
        public var count: Int?
        public var back: Bool?

        public init(cpu: Int? = nil, count: Int? = nil, back: Bool? = nil) {
            self.cpu = cpu
            self.count = count
            self.back = back
        }
    }

    public struct Reply: Codable, Sendable, Hashable {
        public var steps: [StepRecord]
        public var state: MachineState

        public init(steps: [StepRecord], state: MachineState) {
            self.steps = steps
            self.state = state
        }
    }
}

/// Errors of io.patchsim.Machine.
public enum MachineFault {
    public struct NoSuchCPU: InterfaceFault, Hashable {
        public static let name = "io.patchsim.Machine.NoSuchCPU"
        public var cpu: Int
        public var cpuCount: Int

        public init(cpu: Int, cpuCount: Int) {
            self.cpu = cpu
            self.cpuCount = cpuCount
        }

        public var message: String {
            "there is no CPU \(cpu); there are CPUs 0 to \(cpuCount - 1)"
        }
    }

    public struct NotPaused: InterfaceFault, Hashable {
        public static let name = "io.patchsim.Machine.NotPaused"
        public init() {}

        public var message: String {
            "the machine is running; pause it first"
        }
    }

    public struct StoppedByViolation: InterfaceFault, Hashable {
        public static let name = "io.patchsim.Machine.StoppedByViolation"
        public var replay: String

        public init(replay: String) {
            self.replay = replay
        }

        public var message: String {
            "an invariant was violated and the machine is stopped; replay: \(replay)"
        }
    }

    public struct NotSupportedByDriver: InterfaceFault, Hashable {
        public static let name = "io.patchsim.Machine.NotSupportedByDriver"
        public var driver: MachineDriver
        public var reason: String

        public init(driver: MachineDriver, reason: String) {
            self.driver = driver
            self.reason = reason
        }

        public var message: String {
            "\(reason) (the driver is \(driver.rawValue))"
        }
    }
}
