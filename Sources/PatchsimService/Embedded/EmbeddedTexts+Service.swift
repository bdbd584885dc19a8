// Written by Tests/embed.sh from docs/varlink/io.patchsim.Service.varlink; edit that.

extension EmbeddedTexts {
    static let describedService = #"""
        # The daemon itself: whether it answers, and what any method of any io.patchsim interface may reply when a limit is reached.
        interface io.patchsim.Service

        # Answers at once, whatever the simulated machine is doing.
        method Ping() -> (
          # The daemon's version.
          version: string,
          # Unix time of the daemon's start, in seconds.
          startedAt: int
        )

        # What was received is not a call: not JSON, not an object, or a member has the wrong type. The connection is closed after this.
        error MalformedCall (
          # What is wrong, and where.
          message: string
        )

        # A message was longer than a message may be. The connection is closed after this.
        error CallTooLarge (
          # The longest message that is accepted.
          bytesMax: int
        )

        # The reply would be longer than a reply may be; ask for less.
        error ReplyTooLarge (
          # The longest reply that is sent.
          bytesMax: int
        )

        # All connections are taken. The connection is closed after this.
        error TooManyConnections (
          connectionsMax: int,
          # The user whose own limit it is; absent when it is that of all users together.
          uid: ?int
        )

        # All streams (calls with "more" that have not ended) are taken.
        error TooManyStreams (
          streamsMax: int,
          uid: ?int
        )

        # Too many heavy calls (replays, steps back, more than 1000 steps, listings, reading files) run at once.
        error TooManyCalls (
          callsMax: int,
          uid: ?int
        )

        # The change was not made, because it could not be made to survive a restart: the disk is full, or the state directory can't be
        # written. It is tried again with each change.
        error NotDurable (
          reason: string
        )

        # Something failed inside of the daemon; its journal says more.
        error Internal (
          reason: string
        )
        """# + "\n"
}
