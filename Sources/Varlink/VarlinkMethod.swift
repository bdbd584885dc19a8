internal import CPlatform
internal import FoundationEssentials

/// Who is at the other end of a connection.
public struct VarlinkPeer: Sendable, Hashable {
    /// Names the connection among all of this server's, from 1 on.
    public let connection: Int
    public let pid: Int32
    public let uid: UInt32
    public let gid: UInt32
    /// Supplementary groups; like the other credentials those of the moment when it connected.
    public let groups: [UInt32]

    public init(connection: Int, pid: Int32, uid: UInt32, gid: UInt32, groups: [UInt32] = []) {
        self.connection = connection
        self.pid = pid
        self.uid = uid
        self.gid = gid
        self.groups = groups
    }

    /// Asks the kernel who connected. Where it doesn't say, the peer is nobody: user and group are the highest numbers,
    /// which chown(2) and setuid(2) refuse as well.
    init(connection: Int, descriptor: Int32) {
        var (pid, uid, gid) = (Int32(0), UInt32.max, UInt32.max)
        _ = patchsim_peer_credentials(descriptor, &pid, &uid, &gid)
        self.init(connection: connection, pid: pid, uid: uid, gid: gid, groups: Self.groups(descriptor))
    }

    private static func groups(_ descriptor: Int32) -> [UInt32] {
        var capacity = groupsUsualMax
        while true {
            let (found, count) = withUnsafeTemporaryAllocation(of: UInt32.self, capacity: capacity) { buffer in
                let count = Int(patchsim_peer_groups(descriptor, buffer.baseAddress, Int32(capacity)))
                return (count <= capacity ? Array(buffer.prefix(max(count, 0))) : [], count)
            }
            if count <= capacity || count > groupsMax { return found }
            capacity = count
        }
    }
}

/// Groups for which there is room at the first try.
private let groupsUsualMax = 32
/// NGROUPS_MAX.
private let groupsMax = 65_536

/// A method with its handler.
public struct VarlinkMethod: Sendable {
    /// Fully qualified.
    public let name: String
    /// The types of both directions, for the test that holds them against the interface's description.
    public let parametersType: any (Decodable & SendableMetatype).Type
    public let replyType: any (Encodable & SendableMetatype).Type
    let run: @Sendable (CallContext) async throws -> [UInt8]
    /// Writes the whole reply without its NUL, or nothing if the answer can't be had at once: then `run` is asked.
    private(set) var answerAtOnce: (@Sendable (VarlinkPeer, inout OutputBuffer) throws -> Bool)?
    /// Types of the parameters; filled in from the interface's description.
    var types = ParameterTypes()

    /// The handler's result is the last reply; what comes before it is sent through the replies' `send`.
    public init<Parameters: Decodable & Sendable, Reply: Encodable & Sendable>(
        _ name: String, parameters: Parameters.Type, reply: Reply.Type,
        handler: @escaping @Sendable (Parameters, VarlinkReplies<Reply>) async throws -> Reply
    ) {
        self.name = name
        parametersType = parameters
        replyType = reply
        run = { context in
            let last = try await handler(try context.decode(Parameters.self), VarlinkReplies(context: context))
            return try context.encode(last, continues: false)
        }
    }

    /// The same method, with a way to answer on the spot. `answer` is called on the thread that serves all connections: it
    /// must be quick and must not wait; where it would have to, it returns nil and the handler is asked. It is for methods
    /// without parameters.
    public func answeringAtOnce<Reply: JSONWritable>(
        _ answer: @escaping @Sendable (VarlinkPeer) throws -> Reply?
    ) -> VarlinkMethod {
        var method = self
        method.answerAtOnce = { peer, output in
            guard let reply = try answer(peer) else { return false }
            output.writeReply(reply)
            return true
        }
        return method
    }
}

/// A reply that writes itself: JSON by Codable costs ten times as much.
public protocol JSONWritable: Sendable {
    func write(to json: inout OutputBuffer)
}

extension OutputBuffer {
    /// The message around a reply's parameters.
    fileprivate mutating func writeReply(_ reply: some JSONWritable) {
        beginObject()
        member("parameters")
        reply.write(to: &self)
        endObject()
    }
}

/// A call that is answered by a handler.
struct WaitingCall: Sendable {
    let head: CallHead
    let method: VarlinkMethod
    let parameters: Data
    /// On the clock of Dispatch; 0 where nobody wants to know.
    let started: UInt64

    init(head: CallHead, method: VarlinkMethod, frame: UnsafeRawBufferPointer, started: UInt64) {
        self.head = head
        self.method = method
        self.started = started
        parameters = head.parameters.map { Data(frame[$0]) } ?? Data("{}".utf8)
    }
}

/// One call on its way through a handler.
struct CallContext: Sendable {
    /// A JSON object.
    let parameters: Data
    let peer: VarlinkPeer
    let wantsMore: Bool
    let isOneway: Bool
    let replyBytesMax: Int
    let errors: LimitErrors
    let types: ParameterTypes
    /// Sends a reply of a stream; waits while the peer reads too slowly.
    let send: @Sendable ([UInt8]) async throws -> Void

    func decode<Parameters: Decodable>(_ type: Parameters.Type) throws -> Parameters {
        do {
            return try JSONDecoder().decode(type, from: parameters)
        } catch let error as DecodingError {
            // The decoder says of a number that does not fit only that something is no JSON.
            if case .dataCorrupted = error, let (path, message) = types.misfit(in: parameters) {
                throw VarlinkError.invalidParameter(path, message)
            }
            let (path, message) = explain(error)
            throw VarlinkError.invalidParameter(path, message)
        }
    }

    func encode(_ reply: some Encodable, continues: Bool) throws -> [UInt8] {
        if !continues, let writable = reply as? any JSONWritable { return try written(writable) }
        let bytes = Array(
            try makeEncoder().encode(ReplyMessage(parameters: reply, continues: continues ? true : nil)))
        guard bytes.count <= replyBytesMax else { throw errors.replyTooLarge(replyBytesMax) }
        return bytes
    }
}

extension CallContext {
    private func written(_ reply: any JSONWritable) throws -> [UInt8] {
        var output = OutputBuffer()
        output.writeReply(reply)
        guard output.count <= replyBytesMax else { throw errors.replyTooLarge(replyBytesMax) }
        return Array(output.unsent)
    }
}

/// Where a handler sends the replies of a stream before its last one.
public struct VarlinkReplies<Reply: Encodable & Sendable>: Sendable {
    let context: CallContext

    /// Whether the client asked for more than one reply.
    public var wantsMore: Bool { context.wantsMore }

    public var peer: VarlinkPeer { context.peer }

    /// Sends a reply that is not the last one. Throws ExpectedMore if the client wants only one, and when the connection is
    /// gone.
    public func send(_ reply: Reply) async throws {
        guard context.wantsMore else { throw VarlinkError.expectedMore() }
        let bytes = try context.encode(reply, continues: true)
        try await context.send(bytes)
    }
}

/// An interface: its description and the handlers of its methods.
public struct VarlinkInterface: Sendable {
    public let description: InterfaceDescription
    /// The description as text, comments and all.
    public let text: String
    public let methods: [VarlinkMethod]

    public init(text: String, methods: [VarlinkMethod]) throws(InterfaceDescriptionError) {
        description = try InterfaceDescription(parsing: text)
        self.text = text
        self.methods = methods
        let names = Set(description.methods.map { "\(description.name).\($0.name)" })
        for method in methods {
            precondition(names.contains(method.name), "\(method.name) stands in the interface's description")
        }
    }
}
