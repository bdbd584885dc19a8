// Written by Tests/embed.sh from docs/varlink/io.patchsim.Findings.varlink; edit that.

extension EmbeddedTexts {
    static let describedFindings = #"""
        # Violations of invariants, kept from the moment they were found; they survive the daemon where it has a state directory.
        interface io.patchsim.Findings

        # A line of the verdict's table at the moment of the violation.
        type Checks (
          invariant: string,
          title: string,
          checks: int,
          violations: int
        )

        type Finding (
          # From 1 on; a number is never given twice.
          id: int,
          # Unix time in seconds.
          foundAt: int,
          # The daemon's version.
          version: string,
          # "builtin", or the path of the kernel image.
          kernel: string,
          # The kernel's linux_banner.
          banner: string,
          # "I1" ...
          invariant: string,
          title: string,
          # What was seen, and what would have been right.
          message: string,
          cpu: int,
          # "0x..." in hexadecimal.
          address: string,
          symbol: string,
          # Simulated time since boot.
          nanoseconds: int,
          # Hash of all events up to the violation, 16 hexadecimal digits: two runs with the same hash saw the same.
          eventHash: string,
          # The bounds of the run: fetch model, CPUs, driver, seed.
          bounds: string,
          # The line for io.patchsim.Invariants.Replay; empty where it was too long to be kept, which the message then says.
          replay: string,
          checks: []Checks
        )

        # What becomes of findings, and of changes that a restart has to do again.
        type Store (
          # The state directory; absent where there is none.
          path: ?string,
          # Whether what is stored survives the daemon.
          durable: bool,
          # Why not.
          reason: ?string,
          # Findings that are kept. At most 1000 are, and 64 MiB of them: the oldest make room.
          kept: int,
          # Findings that made room since the store was made.
          dropped: int,
          # Findings that could not be stored yet; they are in the journal.
          waiting: int
        )

        # The newest first.
        method List(
          # Only findings with numbers below this one.
          before: ?int,
          # 1 to 32; 32 if absent.
          count: ?int
        ) -> (
          findings: []Finding,
          store: Store
        )

        method Get(id: int) -> (finding: Finding)

        # All findings, or those named, the newest first, a reply each. Needs "more" where there are several.
        method Export(
          # At most 1000.
          ids: ?[]int
        ) -> (
          # Absent in the last reply, which says only that all have been sent.
          finding: ?Finding
        )

        # Deletes findings for good. Either ids or all is needed. If one is missing, none is deleted.
        method Delete(
          # At most 1000.
          ids: ?[]int,
          all: ?bool
        ) -> (deleted: int)

        # There is no finding of that number.
        error NoSuchFinding (
          id: int,
          # The numbers there are, the newest first, at most 16.
          near: []int
        )
        """# + "\n"
}
