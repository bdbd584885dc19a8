// Written by Tests/embed.sh from docs/varlink/io.patchsim.Text.varlink; edit that.

extension EmbeddedTexts {
    static let describedText = #"""
        # The kernel's text and symbols. Addresses are strings, "0xffffffff81000000".
        interface io.patchsim.Text

        type Line (
          address: string,
          # Two hexadecimal digits a byte, without separators.
          bytes: string,
          text: string,
          # What patchable site starts here: "mcount", "static_call" or "jump_label".
          site: ?string
        )

        type Symbol (
          name: string,
          address: string,
          # The type letter of nm and /proc/kallsyms.
          type: string,
          size: int,
          # Distance of the address asked for from the symbol.
          offset: int
        )

        type Function (
          name: string,
          address: string,
          size: int,
          # Whether ftrace can patch it.
          traceable: bool,
          # Whether its call site is enabled now.
          enabled: bool
        )

        # Reads the newest bytes of text.
        method Read(
          address: string,
          # 1 to 65536.
          length: int
        ) -> (
          address: string,
          # Two hexadecimal digits a byte, without separators.
          bytes: string
        )

        # Disassembles a function, or from an address on. One of symbol and address is needed.
        method Disassemble(
          symbol: ?string,
          address: ?string,
          # Number of instructions, 1 to 4096; to the function's end if absent.
          count: ?int
        ) -> (
          # The function that the first line stands in.
          symbol: string,
          lines: []Line
        )

        # Finds symbols by name (all of that name, in the order of kallsyms), or the one that covers an address.
        method LookupSymbol(
          name: ?string,
          address: ?string
        ) -> (symbols: []Symbol)

        # Lists functions in ascending order of address. Comes in several replies: call it with "more".
        method ListFunctions(
          # Shell-style pattern as in set_ftrace_filter; all functions if absent.
          glob: ?string
        ) -> (functions: []Function)

        # No symbol has that name, or none covers that address.
        error NoSuchSymbol (
          symbol: string,
          # Names that come close.
          near: []string
        )

        # The range is not inside of the kernel's text.
        error NotText (
          address: string,
          length: int,
          # Where text starts and ends.
          textStart: string,
          textEnd: string
        )
        """# + "\n"
}
