// Written by Tests/embed.sh from docs/varlink/io.patchsim.Ftrace.varlink; edit that.

extension EmbeddedTexts {
    static let describedFtrace = #"""
        # The function tracer, in one call each. io.patchsim.Files offers the same as tracefs does.
        interface io.patchsim.Ftrace

        # What an update of the call sites did.
        type Update (
          # Functions that the pattern matched.
          matched: int,
          # Call sites that are enabled now.
          enabledSites: int,
          # Locations rewritten.
          pokes: int,
          # Batches in which they were rewritten.
          batches: int,
          # INT3 traps that CPUs took meanwhile.
          traps: int,
          # Simulated time from the first to the last step.
          nanoseconds: int
        )

        type Site (
          function: string,
          # The site's address, "0x..." in hexadecimal.
          address: string,
          # The newest bytes, two hexadecimal digits each, without separators.
          bytes: string,
          # What they are: "nop", "call", "int3" or "other".
          state: string,
          enabled: bool,
          # What a call goes to, as a symbol or trampoline.
          target: ?string,
          # INT3 traps taken on this site.
          traps: int
        )

        # Traces the functions that match, besides those that are traced already; returns when all sites are rewritten.
        method Enable(glob: string) -> (update: Update)

        # Traces the functions that match no longer; returns when all sites are rewritten.
        method Disable(glob: string) -> (update: Update)

        # Lists call sites in ascending order of address. Comes in several replies: call it with "more".
        method ListSites(
          # Pattern for the function's name; all sites if absent.
          glob: ?string
        ) -> (sites: []Site)

        # No function that can be traced matches.
        error NothingMatches (
          glob: string,
          # Names that come close.
          near: []string
        )
        """# + "\n"
}
