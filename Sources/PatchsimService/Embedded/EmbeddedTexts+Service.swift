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

        # A key of the configuration, as patchsimd.toml(5) explains it.
        type ConfigurationEntry (
          # With its table, "limits.connections_max".
          key: string,
          # The value in force, as TOML writes it.
          value: string,
          # FILE:LINE, "environment VARIABLE", "option --NAME", "client", or "default".
          origin: string,
          effect: Effect,
          # The value that waits for the daemon's next start.
          waiting: ?string
        )

        # When a change of a key is followed.
        type Effect (reload, restart)

        # A key whose configured value has changed.
        type ConfigurationChange (
          key: string,
          # Values as TOML writes them.
          before: string,
          after: string,
          origin: string
        )

        # The configuration in force, and where each value comes from.
        method GetConfiguration() -> (
          entries: []ConfigurationEntry,
          # The files that were read, in the order in which they count.
          files: []string
        )

        # Reads the configuration again and returns when it is followed. One with a mistake changes nothing.
        method Reload() -> (
          # Changes that are in force now.
          changed: []ConfigurationChange,
          # Changes that wait for the daemon's next start.
          waiting: []ConfigurationChange
        )

        # Sets the least severity that is logged, until the next reload.
        method SetLogLevel(
          # trace, debug, info, notice, warning, error or critical.
          level: string
        ) -> (
          # The level before.
          before: string
        )

        # The configuration has mistakes; the one before stays in force.
        error ConfigurationRefused (
          # Each with file, line, key, and what would be right.
          problems: []string
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
