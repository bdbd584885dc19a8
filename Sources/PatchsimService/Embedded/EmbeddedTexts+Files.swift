// Written by Tests/embed.sh from docs/varlink/io.patchsim.Files.varlink; edit that.

extension EmbeddedTexts {
    static let describedFiles = #"""
        # The kernel's virtual files: tracefs, /proc and the kernel log, with the kernel's exact text.
        interface io.patchsim.Files

        type Entry (
          name: string,
          directory: bool,
          # Permissions as ls shows them, without the type: "rw-r--r--".
          permissions: string
        )

        # Lists a directory, or names a file.
        method List(path: string) -> (entries: []Entry)

        # Reads a file. Offset 0 takes a snapshot of the file; reads that go on from where the last one on the same connection
        # ended come from that snapshot. With "more" the rest of the file comes in as many replies as it needs.
        method Read(
          path: string,
          # Where to start, in bytes; 0 if absent.
          offset: ?int,
          # Bytes at most, 1 to 65536; 65536 if absent. With "more": bytes in each reply.
          count: ?int
        ) -> (
          text: string,
          # Offset of the byte after text.
          next: int,
          # Whether the file ends here.
          end: bool
        )

        # Writes to a file as write(2) does, and returns when the kernel has done what the text asks for.
        method Write(
          path: string,
          # At most 65536 bytes.
          text: string,
          # Open with O_APPEND instead of O_TRUNC; false if absent.
          append: ?bool
        ) -> ()

        # As mkdir(2), for tracing instances.
        method MakeDirectory(path: string) -> ()

        # As rmdir(2).
        method RemoveDirectory(path: string) -> ()

        # What the system call would have failed with.
        error Failed (
          # Name of the error number: "ENOENT", "EACCES", "EINVAL" ...
          errno: string,
          path: string,
          # What is wrong, and what would be right.
          reason: string
        )
        """# + "\n"
}
