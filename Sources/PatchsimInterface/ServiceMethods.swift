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
