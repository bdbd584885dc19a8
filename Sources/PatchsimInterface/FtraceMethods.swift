/// What an update of the call sites did. Each field's meaning stands in io.patchsim.Ftrace.varlink.
public struct FtraceUpdate: Codable, Sendable, Hashable {
    public var matched: Int
    public var enabledSites: Int
    public var pokes: Int
    public var batches: Int
    public var traps: Int
    public var nanoseconds: Int

    public init(matched: Int, enabledSites: Int, pokes: Int, batches: Int, traps: Int, nanoseconds: Int) {
        self.matched = matched
        self.enabledSites = enabledSites
        self.pokes = pokes
        self.batches = batches
        self.traps = traps
        self.nanoseconds = nanoseconds
    }
}

/// A call site of ftrace.
public struct FtraceSite: Codable, Sendable, Hashable {
    public var function: String
    public var address: String
    public var bytes: String
    /// `nop`, `call`, `int3` or `other`.
    public var state: String
    public var enabled: Bool
    public var target: String?
    public var traps: Int

    public init(
        function: String, address: String, bytes: String, state: String, enabled: Bool, target: String? = nil,
        traps: Int
    ) {
        self.function = function
        self.address = address
        self.bytes = bytes
        self.state = state
        self.enabled = enabled
        self.target = target
        self.traps = traps
    }
}

public enum EnableTracing: InterfaceMethod {
    public static let name = "io.patchsim.Ftrace.Enable"

    public struct Parameters: Codable, Sendable, Hashable {
        public var glob: String

        public init(glob: String) {
            self.glob = glob
        }
    }

    public struct Reply: Codable, Sendable, Hashable {
        public var update: FtraceUpdate

        public init(update: FtraceUpdate) {
            self.update = update
        }
    }
}

public enum DisableTracing: InterfaceMethod {
    public static let name = "io.patchsim.Ftrace.Disable"

    public struct Parameters: Codable, Sendable, Hashable {
        public var glob: String

        public init(glob: String) {
            self.glob = glob
        }
    }

    public struct Reply: Codable, Sendable, Hashable {
        public var update: FtraceUpdate

        public init(update: FtraceUpdate) {
            self.update = update
        }
    }
}

public enum ListSites: InterfaceMethod {
    public static let name = "io.patchsim.Ftrace.ListSites"

    public struct Parameters: Codable, Sendable, Hashable {
        public var glob: String?

        public init(glob: String? = nil) {
            self.glob = glob
        }
    }

    public struct Reply: Codable, Sendable, Hashable {
        public var sites: [FtraceSite]

        public init(sites: [FtraceSite]) {
            self.sites = sites
        }
    }
}

/// Errors of io.patchsim.Ftrace.
public enum FtraceFault {
    public struct NothingMatches: InterfaceFault, Hashable {
        public static let name = "io.patchsim.Ftrace.NothingMatches"
        public var glob: String
        public var near: [String]

        public init(glob: String, near: [String]) {
            self.glob = glob
            self.near = near
        }

        public var message: String {
            "no function that can be traced matches \(glob)" + nearText(near)
        }
    }
}
