import Testing
import X86

@testable import TextPatching

@Suite("text_poke_array")
struct TextPokeArrayTests {
    private func location(_ address: Int) -> TextPokeLocation {
        let site = VirtualAddress(0xffff_ffff_8100_0000) + address
        return TextPokeLocation(address: site, old: .nop5, new: .call(from: site, to: site + 64))
    }

    @Test("A full array and an address below the last one flush the queue")
    func batches() {
        let ascending = (0..<600).map { location($0 * 16) }
        #expect(TextPokeArray.batches(.queued(ascending)).map(\.count) == [256, 256, 88])
        let turned = [location(32), location(48), location(16), location(64)]
        #expect(
            TextPokeArray.batches(.queued(turned)).map { $0.map(\.address) } == [
                [location(32).address, location(48).address], [location(16).address, location(64).address],
            ])
        #expect(TextPokeArray.batches(.single(location(0))).count == 1)
        #expect(TextPokeArray.batches(.queued([])).isEmpty)
    }

    @Test(
        "Exactly the instructions that the INT3 handler knows can be queued",
        arguments: [
            ("cc", true), ("c3", true), ("c3 cc cc cc cc", true), ("c3 90 90 90 90", false), ("e8 01 02 03 04", true),
            ("e9 01 02 03 04", true), ("e9 01 02 03 04 cc", true), ("e9 01 02 03 04 90", false), ("eb 01", true),
            ("eb 01 cc cc cc", true), ("eb 01 90", false), ("74 05", true), ("7f 05 cc", false),
            ("0f 84 01 02 03 04", true), ("0f 94 01 02 03 04", false), ("0f 1f 44 00 00", true), ("66 90", true),
            ("3e 8d 74 26 00", true), ("90", false), ("48 89 d8", false), ("2e 2e 2e 31 c0", false),
        ])
    func emulatable(_ text: String, _ expected: Bool) {
        let bytes = text.split(separator: " ").map { UInt8($0, radix: 16)! }
        #expect(TextPokeArray.isEmulatable(InstructionBytes(bytes)) == expected)
    }

    @Test("The batch in flight is found by any byte of its locations, and by nothing else")
    func covering() {
        var array = TextPokeArray(cpuCount: 1)
        array.locations = [location(0), location(16), location(21)]
        #expect(array.locationCovering(location(0).address.rawValue) == nil, "not published")
        array.count = 3
        let base = location(0).address.rawValue
        let found = (0..<40).map { array.locationCovering(base &- 4 &+ UInt64($0)) }
        let offsets = found.map { $0?.offset }
        var expected = [Int?](repeating: nil, count: 40)
        for start in [4, 20, 25] { for offset in 0..<5 { expected[start + offset] = offset } }
        #expect(offsets == expected)
        #expect(array.find(location(16).address) == location(16) && array.find(location(17).address) == nil)
    }

    @Test("A reference can't be taken before the batch is published nor after it is dropped")
    func references() {
        var array = TextPokeArray(cpuCount: 2)
        let early = array.tryGet(0)
        array.references = [1, 1]
        let taken = array.tryGet(0)
        #expect(!early && taken && array.references == [2, 1])
        array.put(0)
        array.put(0)
        let late = array.tryGet(0)
        let other = array.tryGet(1)
        #expect(!late && other)
    }
}
