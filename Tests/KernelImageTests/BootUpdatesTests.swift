import Glibc
import KernelImage
import Testing

@Suite("Boot updates")
struct BootUpdatesTests {
    @Test("the built-in text is Config/boot/linux-6.1.boot, word for word")
    func builtInIsTheFile() throws {
        let path = RealKernel.projectFile("Config/boot/linux-6.1.boot")
        let file = try #require(fopen(path, "r"), "\(path) can't be read")
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = fread(&bytes, 1, bytes.count, file)
        #expect(String(decoding: bytes[..<count], as: UTF8.self) == BootUpdates.builtInText)
        #expect(!BootUpdates.builtIn.lines.isEmpty)
    }

    @Test("every part of a line is read, and releases select lines")
    func parsing() throws {
        let text = """
            # comment
            static-key a on
            release 6.1.   # of 6.1
            static-call b none
            static-key c,2+0x10 off
            """
        let updates = try BootUpdates(parsing: text, name: "test")
        #expect(updates.lines.map(\.releasePrefix) == ["", "6.1.", "6.1."])
        #expect(updates.lines[1].action == .staticCall(name: "b", function: nil))
        guard case .staticKey(let place, let isOn) = updates.lines[2].action else {
            Issue.record("a static-key line")
            return
        }
        #expect(place.symbol == "c" && place.position == 2 && place.offset == 16 && !isOn)
    }

    @Test(
        "a line that says nothing is refused with its number",
        arguments: [
            "static-key a", "static-key a maybe", "static-call a", "release", "boot a b", "static-key ,1 on",
            "static-key a,0 on", "static-key a+10 on", "static-key a+0xfffffffff on", "static-key a,x on",
        ])
    func refusing(line: String) {
        let error = #expect(throws: KernelImageError.self) {
            try BootUpdates(parsing: "# one\n" + line, name: "test")
        }
        #expect(error?.message.hasPrefix("line 2 ") == true)
    }
}
