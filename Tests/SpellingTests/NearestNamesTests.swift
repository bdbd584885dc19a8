import Testing

@testable import Spelling

@Suite struct NearestNamesTests {
    @Test("The nearest name is the one with the fewest slips")
    func nearestNames() {
        let names = ["vfs_read", "vfs_write", "vfs_readv", "schedule"]
        #expect(nearest(to: "vfs_raed", in: names, countMax: 1) == ["vfs_read"])
        #expect(nearest(to: "vfs_reads", in: names, countMax: 2) == ["vfs_read", "vfs_readv"])
        #expect(nearest(to: "xyz", in: names, countMax: 2).isEmpty)
        #expect(NearestName.hint(for: "vfs_raed", among: names) == "; did you mean vfs_read?")
        #expect(NearestName.hint(for: "xyz", among: names) == "")
        #expect(editDistance(Array("kitten".utf8), Array("sitting".utf8)[...], max: 5) == 3)
        #expect(editDistance([], Array("abc".utf8)[...], max: 5) == 3)
    }
}
