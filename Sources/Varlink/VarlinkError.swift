internal import FoundationEssentials

/// An error reply: a fully qualified name, and parameters.
public struct VarlinkError: Error, Sendable {
    public let name: String
    /// The whole message.
    let frame: Data

    private struct Message<Parameters: Encodable>: Encodable {
        let error: String
        let parameters: Parameters
    }

    public init(name: String, parameters: some Encodable) {
        self.name = name
        // Parameters are strings and integers of this program's own making; an error without any is the worst outcome.
        frame =
            (try? makeEncoder().encode(Message(error: name, parameters: parameters)))
            ?? Data("{\"error\":\"\(name)\"}".utf8)
    }

    /// Of a received error reply.
    init(name: String, frame: Data) {
        self.name = name
        self.frame = frame
    }

    /// The parameters of a received error as `type`, or nil if they are something else.
    public func parameters<Parameters: Decodable>(as type: Parameters.Type) -> Parameters? {
        try? JSONDecoder().decode(ReplyBody<Parameters>.self, from: frame).parameters
    }
}

extension VarlinkError: CustomStringConvertible {
    public var description: String {
        String(decoding: frame, as: UTF8.self)
    }
}

extension VarlinkError {
    static let servicePrefix = "org.varlink.service."

    private struct Parameters: Encodable {
        var interface: String?
        var method: String?
        var parameter: String?
        var message: String?
    }

    public static func interfaceNotFound(_ interface: String) -> VarlinkError {
        VarlinkError(name: servicePrefix + "InterfaceNotFound", parameters: Parameters(interface: interface))
    }

    public static func methodNotFound(_ method: String) -> VarlinkError {
        VarlinkError(name: servicePrefix + "MethodNotFound", parameters: Parameters(method: method))
    }

    public static func methodNotImplemented(_ method: String) -> VarlinkError {
        VarlinkError(name: servicePrefix + "MethodNotImplemented", parameters: Parameters(method: method))
    }

    /// The message is an addition to what org.varlink.service has: peers ignore members that they don't know, and people
    /// learn what would have been right.
    public static func invalidParameter(_ parameter: String, _ message: String) -> VarlinkError {
        VarlinkError(
            name: servicePrefix + "InvalidParameter", parameters: Parameters(parameter: parameter, message: message))
    }

    /// The message says who may, an addition as in `invalidParameter`.
    public static func permissionDenied(_ message: String? = nil) -> VarlinkError {
        VarlinkError(name: servicePrefix + "PermissionDenied", parameters: Parameters(message: message))
    }

    public static func expectedMore() -> VarlinkError {
        VarlinkError(name: servicePrefix + "ExpectedMore", parameters: Parameters())
    }
}

/// Errors of limits and of what is no call at all. org.varlink.service has no names for them, so the product brings an
/// interface of its own, whose name is `prefix`.
struct LimitErrors: Sendable {
    let prefix: String

    private struct Limits: Encodable {
        var bytesMax: Int?
        var connectionsMax: Int?
        var streamsMax: Int?
        var uid: Int?
        var message: String?
        var reason: String?
    }

    func malformedCall(_ message: String) -> VarlinkError {
        VarlinkError(name: prefix + ".MalformedCall", parameters: Limits(message: message))
    }

    func callTooLarge(_ bytesMax: Int) -> VarlinkError {
        VarlinkError(name: prefix + ".CallTooLarge", parameters: Limits(bytesMax: bytesMax))
    }

    func replyTooLarge(_ bytesMax: Int) -> VarlinkError {
        VarlinkError(name: prefix + ".ReplyTooLarge", parameters: Limits(bytesMax: bytesMax))
    }

    /// `uid` is that of the user whose own limit it is.
    func tooManyConnections(_ connectionsMax: Int, uid: UInt32?) -> VarlinkError {
        VarlinkError(
            name: prefix + ".TooManyConnections",
            parameters: Limits(connectionsMax: connectionsMax, uid: uid.map(Int.init)))
    }

    func tooManyStreams(_ streamsMax: Int, uid: UInt32?) -> VarlinkError {
        VarlinkError(
            name: prefix + ".TooManyStreams", parameters: Limits(streamsMax: streamsMax, uid: uid.map(Int.init)))
    }

    func internalError(_ reason: String) -> VarlinkError {
        VarlinkError(name: prefix + ".Internal", parameters: Limits(reason: reason))
    }
}

func makeEncoder() -> JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.withoutEscapingSlashes]
    return encoder
}
