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

/// Errors of io.patchsim.Service that a method may raise; the limits are reported by the Varlink server itself.
public enum ServiceFault {
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
