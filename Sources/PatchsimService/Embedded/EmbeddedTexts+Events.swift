// Written by Tests/embed.sh from docs/varlink/io.patchsim.Events.varlink; edit that.

extension EmbeddedTexts {
    static let describedEvents = #"""
        # What happened in the simulated machine, in order.
        interface io.patchsim.Events

        type Event (
          # Counts up by one from 1; a gap is an event that was lost.
          sequence: int,
          # Simulated time since boot.
          nanoseconds: int,
          # What kind of event: "poke", "sync", "trap", "tracer", "violation" ...
          kind: string,
          cpu: ?int,
          address: ?string,
          symbol: ?string,
          # One line for people.
          text: string
        )

        # The newest events, oldest first.
        method GetRecent(
          # At most so many, 1 to 4096; 100 if absent.
          count: ?int,
          # Only events of these kinds.
          kinds: ?[]string
        ) -> (events: []Event)

        # Events as they happen, until the connection is closed. Needs "more". The first reply comes at once and may be empty.
        method Subscribe(
          # First sequence number wanted; events from now on if absent.
          from: ?int,
          # Only events of these kinds.
          kinds: ?[]string
        ) -> (
          events: []Event,
          # Events that were dropped before these, because the reader was too slow or asked for events that are no longer kept.
          lost: int
        )
        """# + "\n"
}
