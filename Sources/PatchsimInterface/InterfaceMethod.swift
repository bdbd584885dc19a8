/// A method of an `io.patchsim.*` interface: its name on the wire and the types of both directions.
///
/// The interface descriptions in docs/varlink are the source of truth; a test holds every type here against them.
public protocol InterfaceMethod: Sendable {
    associatedtype Parameters: Codable & Sendable
    associatedtype Reply: Codable & Sendable
    /// Fully qualified, `io.patchsim.Machine.GetState`.
    static var name: String { get }
}

/// An error of an `io.patchsim.*` interface. The stored properties are the parameters on the wire.
public protocol InterfaceFault: Error, Codable, Sendable {
    /// Fully qualified, `io.patchsim.Machine.NoSuchCPU`.
    static var name: String { get }
    /// One line for people, without the method's name.
    var message: String { get }
}

/// `()`.
public struct Nothing: Codable, Sendable, Hashable {
    public init() {}
}

/// Every fault, so that a client can turn an error's name back into the type.
public let interfaceFaults: [any InterfaceFault.Type] = [
    ServiceFault.TooManyConnections.self, ServiceFault.TooManyStreams.self, ServiceFault.TooManyCalls.self,
    ServiceFault.NotDurable.self, FindingsFault.NoSuchFinding.self, ServiceFault.Internal.self,
    ServiceFault.ConfigurationRefused.self,
    MachineFault.NoSuchCPU.self, MachineFault.NotPaused.self,
    MachineFault.StoppedByViolation.self, MachineFault.NotSupportedByDriver.self, TextFault.NoSuchSymbol.self,
    TextFault.NotText.self, FilesFault.self, FtraceFault.NothingMatches.self, InvariantsFault.BadReplayLine.self,
]
