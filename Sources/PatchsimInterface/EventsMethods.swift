/// Something that happened in the simulated machine.
public struct EventRecord: Codable, Sendable, Hashable {
    /// Counts up by one from 1.
    public var sequence: Int
    public var nanoseconds: Int
    public var kind: String
    public var cpu: Int?
    public var address: String?
    public var symbol: String?
    public var text: String

    public init(
        sequence: Int, nanoseconds: Int, kind: String, cpu: Int? = nil, address: String? = nil,
        symbol: String? = nil, text: String
    ) {
        self.sequence = sequence
        self.nanoseconds = nanoseconds
        self.kind = kind
        self.cpu = cpu
        self.address = address
        self.symbol = symbol
        self.text = text
    }
}

public enum GetRecentEvents: InterfaceMethod {
    public static let name = "io.patchsim.Events.GetRecent"

    public struct Parameters: Codable, Sendable, Hashable {
        public var count: Int?
        public var kinds: [String]?

        public init(count: Int? = nil, kinds: [String]? = nil) {
            self.count = count
            self.kinds = kinds
        }
    }

    public struct Reply: Codable, Sendable, Hashable {
        public var events: [EventRecord]

        public init(events: [EventRecord]) {
            self.events = events
        }
    }
}

public enum SubscribeEvents: InterfaceMethod {
    public static let name = "io.patchsim.Events.Subscribe"

    public struct Parameters: Codable, Sendable, Hashable {
        public var from: Int?
        public var kinds: [String]?

        public init(from: Int? = nil, kinds: [String]? = nil) {
            self.from = from
            self.kinds = kinds
        }
    }

    public struct Reply: Codable, Sendable, Hashable {
        public var events: [EventRecord]
        /// Events that were dropped before these.
        public var lost: Int

        public init(events: [EventRecord], lost: Int) {
            self.events = events
            self.lost = lost
        }
    }
}
