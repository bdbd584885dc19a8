internal import Glibc

/// What one peer may cost. Every limit that a client can run into has a number here.
public struct VarlinkLimits: Sendable {
    /// The longest call, without its NUL.
    public var callBytesMax = 256 * 1024
    /// The longest single reply, without its NUL.
    public var replyBytesMax = 16 * 1024 * 1024
    /// While more than this is unsent on a connection, its stream waits, and no further call of it is begun.
    public var outputBytesMax = 1024 * 1024
    public var connectionsMax = 128
    /// Connections of one user.
    public var connectionsPerUserMax = 64
    /// Of `connectionsMax`, so many are left to the users without limits, or a quarter where that is less: whoever has to
    /// help finds a place.
    public var connectionsReservedMax = 8
    /// Users to whom the limits per user do not apply: root and this process's own.
    public var usersWithoutLimits: Set<UInt32> = [0, geteuid()]
    /// Calls that one connection sends without waiting and that are answered before others have their turn.
    public var pipelinedCallsMax = 64
    /// Calls with `more` that are being answered, on all connections. A connection has at most one: replies bear no name,
    /// so that calls behind a stream wait for its end.
    public var streamsMax = 64
    /// The same of one user.
    public var streamsPerUserMax = 32
    /// Refused connections that are kept until their peers have read why; others are closed without a word.
    public var refusedConnectionsMax = 32
    /// The same of one user.
    public var refusedConnectionsPerUserMax = 8
    /// How long a connection that is closed for an error goes on reading, so that its peer gets to the error's text.
    public var lingerMilliseconds = 2000
    /// How long accepting rests when there are no descriptors left.
    public var acceptRestMilliseconds = 100

    public init() {}
}

/// Bytes read from a socket at once.
let readChunkBytes = 64 * 1024
/// Connections that may wait to be accepted.
let listenBacklog: Int32 = 128
/// A method's name longer than this is none.
let methodNameBytesMax = 512
