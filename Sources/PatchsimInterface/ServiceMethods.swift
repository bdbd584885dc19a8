public enum Ping: InterfaceMethod {
    public static let name = "io.patchsim.Service.Ping"

    public typealias Parameters = Nothing
    public struct Reply: Codable, Sendable, Hashable {
        public var version: String
        /// Unix time in seconds.
        public var startedAt: Int

        public init(version: String, startedAt: Int) {
            self.version = version
            self.startedAt = startedAt
        }
    }
}

/// When a change of a key is followed.
public enum ConfigurationEffect: String, Codable, Sendable, Hashable, CaseIterable {
    case reload
    case restart
}

public struct ConfigurationEntry: Codable, Sendable, Hashable {
    public var key: String
    /// As TOML writes it.
    public var value: String
    public var origin: String
    public var effect: ConfigurationEffect
    /// The value that waits for the daemon's next start.
    public var waiting: String?

    public init(key: String, value: String, origin: String, effect: ConfigurationEffect, waiting: String? = nil) {
        self.key = key
        self.value = value
        self.origin = origin
        self.effect = effect
        self.waiting = waiting
    }
}

public struct ConfigurationChange: Codable, Sendable, Hashable {
    public var key: String
    /// Values as TOML writes them.
    public var before: String
    public var after: String
    public var origin: String

    public init(key: String, before: String, after: String, origin: String) {
        self.key = key
        self.before = before
        self.after = after
        self.origin = origin
    }
}

public enum GetConfiguration: InterfaceMethod {
    public static let name = "io.patchsim.Service.GetConfiguration"

    public typealias Parameters = Nothing
    public struct Reply: Codable, Sendable, Hashable {
        public var entries: [ConfigurationEntry]
        public var files: [String]

        public init(entries: [ConfigurationEntry], files: [String]) {
            self.entries = entries
            self.files = files
        }
    }
}

public enum Reload: InterfaceMethod {
    public static let name = "io.patchsim.Service.Reload"

    public typealias Parameters = Nothing
    public struct Reply: Codable, Sendable, Hashable {
        public var changed: [ConfigurationChange]
        /// At the daemon's next start.
        public var waiting: [ConfigurationChange]

        public init(changed: [ConfigurationChange], waiting: [ConfigurationChange]) {
            self.changed = changed
            self.waiting = waiting
        }
    }
}

public enum SetLogLevel: InterfaceMethod {
    public static let name = "io.patchsim.Service.SetLogLevel"

    public struct Parameters: Codable, Sendable, Hashable {
        public var level: String

        public init(level: String) {
            self.level = level
        }
    }

    public struct Reply: Codable, Sendable, Hashable {
        public var before: String

        public init(before: String) {
            self.before = before
        }
    }
}

/// Errors of io.patchsim.Service; the limits of the protocol are reported by the Varlink server itself.
public enum ServiceFault {
    public struct TooManyConnections: InterfaceFault, Hashable {
        public static let name = "io.patchsim.Service.TooManyConnections"
        public var connectionsMax: Int
        public var uid: Int?

        public init(connectionsMax: Int, uid: Int? = nil) {
            self.connectionsMax = connectionsMax
            self.uid = uid
        }

        public var message: String {
            "too many connections: \(uid.map { "uid \($0)" } ?? "all users together") may have \(connectionsMax)"
        }
    }

    public struct TooManyStreams: InterfaceFault, Hashable {
        public static let name = "io.patchsim.Service.TooManyStreams"
        public var streamsMax: Int
        public var uid: Int?

        public init(streamsMax: Int, uid: Int? = nil) {
            self.streamsMax = streamsMax
            self.uid = uid
        }

        public var message: String {
            "too many streams: \(uid.map { "uid \($0)" } ?? "all users together") may have \(streamsMax)"
        }
    }

    public struct TooManyCalls: InterfaceFault, Hashable {
        public static let name = "io.patchsim.Service.TooManyCalls"
        public var callsMax: Int
        public var uid: Int?

        public init(callsMax: Int, uid: Int? = nil) {
            self.callsMax = callsMax
            self.uid = uid
        }

        public var message: String {
            "too many heavy calls at once: \(uid.map { "uid \($0)" } ?? "all users together") may have \(callsMax)"
        }
    }

    public struct NotDurable: InterfaceFault, Hashable {
        public static let name = "io.patchsim.Service.NotDurable"
        public var reason: String

        public init(reason: String) {
            self.reason = reason
        }

        public var message: String { reason }
    }

    public struct ConfigurationRefused: InterfaceFault, Hashable {
        public static let name = "io.patchsim.Service.ConfigurationRefused"
        public var problems: [String]

        public init(problems: [String]) {
            self.problems = problems
        }

        public var message: String {
            "the configuration was not taken over: \(problems.joined(separator: "; "))"
        }
    }

    public struct Internal: InterfaceFault, Hashable {
        public static let name = "io.patchsim.Service.Internal"
        public var reason: String

        public init(reason: String) {
            self.reason = reason
        }

        public var message: String {
            "something failed inside of the daemon: \(reason)"
        }
    }
}
