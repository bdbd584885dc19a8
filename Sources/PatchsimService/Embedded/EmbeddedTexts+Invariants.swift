// Written by Tests/embed.sh from docs/varlink/io.patchsim.Invariants.varlink; edit that.

extension EmbeddedTexts {
    static let describedInvariants = #"""
        # The invariants that are checked all the time, and the replay of what violated them.
        interface io.patchsim.Invariants

        type Invariant (
          # "I1" ...
          id: string,
          title: string,
          # How often it was checked.
          checks: int,
          violations: int
        )

        type Violation (
          invariant: string,
          # Simulated time since boot.
          nanoseconds: int,
          cpu: ?int,
          # What was seen, and what would have been right.
          message: string,
          # The line for Replay.
          replay: string
        )

        method GetVerdict() -> (
          # Whether no invariant was violated.
          holds: bool,
          # The bounds within which this was seen: kernel, CPUs, fetch model, instructions, time.
          bounds: string,
          invariants: []Invariant,
          # The first 64 violations.
          violations: []Violation
        )

        # Runs a schedule again in a deterministic machine beside the one that the daemon holds.
        method Replay(line: string) -> (
          # The violation that it ends in; absent when it ends without one.
          violation: ?Violation,
          # Turns taken: each is a CPU's private run and one step against what all share.
          turns: int,
          # The last events, as text.
          log: []string
        )

        # Not a replay line, or not one for this kernel.
        error BadReplayLine (
          line: string,
          reason: string
        )
        """# + "\n"
}
