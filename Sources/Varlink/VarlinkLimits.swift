/// What one peer may cost. Every limit that a client can run into has a number here.
public struct VarlinkLimits: Sendable {
    /// The longest call, without its NUL.
    public var callBytesMax = 256 * 1024
    /// The longest single reply, without its NUL.
    public var replyBytesMax = 16 * 1024 * 1024
    /// A stream waits while more than this is unsent.
    public var outputBytesMax = 1024 * 1024
    public var connectionsMax = 128
    /// Calls of one connection that wait behind the one that is being answered; beyond that its socket is not read.
    public var pipelinedCallsMax = 64
    /// Calls with `more` that are being answered, on all connections. A connection has at most one: replies bear no name,
    /// so that calls behind a stream wait for its end.
    public var streamsMax = 64
    /// How long a connection that is closed for an error goes on reading, so that its peer gets to the error's text.
    public var lingerMilliseconds = 2000
    /// How long accepting rests when there are no descriptors left.
    public var acceptRestMilliseconds = 100
    /// How often a peer whose data is not being read is looked at, whether it still is there.
    public var hangupCheckMilliseconds = 1000

    public init() {}
}

/// Bytes read from a socket at once.
let readChunkBytes = 64 * 1024
/// Connections that may wait to be accepted.
let listenBacklog: Int32 = 128
/// A method's name longer than this is none.
let methodNameBytesMax = 512
