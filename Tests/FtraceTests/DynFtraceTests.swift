import Testing
import X86

@testable import Ftrace

struct DynFtraceTests {
    typealias Flags = DynFtrace.Flags

    /// A record with the given count and flags.
    private func record(_ count: UInt32, _ flags: Flags = []) -> DynFtrace {
        DynFtrace(address: VirtualAddress(0x1000), word: count | flags.rawValue)
    }

    @Test("Flags lie above a count of 23 bits, as in struct dyn_ftrace of 6.1")
    func layout() {
        #expect(Flags.enabled.rawValue == 0x8000_0000)
        #expect(Flags.regs.rawValue == 0x4000_0000)
        #expect(Flags.regsEnabled.rawValue == 0x2000_0000)
        #expect(Flags.trampoline.rawValue == 0x1000_0000)
        #expect(Flags.trampolineEnabled.rawValue == 0x0800_0000)
        #expect(Flags.ipModify.rawValue == 0x0400_0000)
        #expect(Flags.disabled.rawValue == 0x0200_0000)
        #expect(Flags.direct.rawValue == 0x0100_0000)
        #expect(Flags.directEnabled.rawValue == 0x0080_0000)
        #expect(DynFtrace.countMax == 0x007f_ffff)
        #expect(record(5, [.enabled, .trampoline]).count == 5)
    }

    /// Flags and count before, what the text needs, flags after.
    static let table: [(UInt32, Flags, FtraceUpdateKind, Flags)] = [
        // Nobody wants it, nobody has it.
        (0, [], .ignore, []),
        // The first user, with a trampoline of its own and without.
        (1, [.trampoline], .makeCall, [.enabled, .trampoline, .trampolineEnabled]),
        (1, [], .makeCall, [.enabled]),
        // Nothing has changed.
        (1, [.enabled, .trampoline, .trampolineEnabled], .ignore, [.enabled, .trampoline, .trampolineEnabled]),
        (2, [.enabled], .ignore, [.enabled]),
        // A second user takes the trampoline away; the first one left alone gets it back.
        (2, [.enabled, .trampolineEnabled], .modifyCall, [.enabled]),
        (1, [.enabled, .trampoline], .modifyCall, [.enabled, .trampoline, .trampolineEnabled]),
        // Registers are wanted, and no more wanted.
        (2, [.enabled, .regs], .modifyCall, [.enabled, .regs, .regsEnabled]),
        (1, [.enabled, .regsEnabled], .modifyCall, [.enabled]),
        (1, [.regs], .makeCall, [.enabled, .regs, .regsEnabled]),
        // The last user leaves: every flag goes.
        (0, [.enabled, .trampolineEnabled], .makeNop, []),
        (0, [.enabled, .regs, .regsEnabled, .ipModify], .makeNop, []),
        // A direct call only while its ops is alone.
        (1, [.direct], .makeCall, [.enabled, .direct, .directEnabled]),
        (2, [.enabled, .direct, .directEnabled], .modifyCall, [.enabled, .direct]),
        (1, [.enabled, .direct], .modifyCall, [.enabled, .direct, .directEnabled]),
        (2, [.enabled, .direct], .ignore, [.enabled, .direct]),
        // A disabled record is left alone, unless its text is a CALL.
        (0, [.disabled], .ignore, [.disabled]),
        (1, [.disabled], .ignore, [.disabled]),
        (0, [.disabled, .enabled], .makeNop, [.disabled]),
    ]

    @Test("What is wanted against what is enabled decides the update", arguments: table)
    func update(count: UInt32, before: Flags, kind: FtraceUpdateKind, after: Flags) {
        var record = record(count, before)
        #expect(record.updateKind() == kind)
        #expect(record.flags == before, "testing changes nothing")
        #expect(record.update() == kind)
        #expect(record.flags == after)
        #expect(record.updateKind() == .ignore, "an updated record is settled")
    }

    @Test("Turning all calls off keeps what is wanted")
    func disable() {
        var record = record(1, [.enabled, .trampoline, .trampolineEnabled])
        #expect(record.update(enable: false) == .makeNop)
        #expect(record.flags == [.trampoline])
        #expect(record.count == 1)
        #expect(record.updateKind() == .makeCall)
    }

    @Test("Pages and groups follow from how records are allocated")
    func totals() {
        let cloud = FtraceTotals(mode: .x86_64, sitesInFile: 37697, sites: 35609)
        #expect(cloud.records == 35609 && cloud.pages == 144 && cloud.groups == 2)
        #expect(
            cloud.bootLog == [
                "ftrace: allocating 37697 entries in 148 pages", "ftrace: allocated 148 pages with 3 groups",
            ])
        #expect(FtraceTotals(mode: .x86_64, sitesInFile: 0, sites: 0).pages == 0)
        #expect(FtraceTotals(mode: .x86_64, sitesInFile: 256, sites: 1).pages == 1)
        // A record of a 32-bit kernel has eight bytes.
        #expect(FtraceTotals(mode: .i386, sitesInFile: 512, sites: 512).pages == 1)
    }

    @Test("A hash holds records, empty means none were named, and order doesn't matter")
    func hash() {
        var hash = FtraceHash([300, 5, 64])
        #expect(hash.count == 3)
        #expect(hash.contains(64) && !hash.contains(63) && !hash.contains(100_000))
        #expect(hash.next(from: 0) == 5 && hash.next(from: 6) == 64 && hash.next(from: 301) == nil)
        hash.insert(5)
        #expect(hash.count == 3)
        hash.remove(300)
        hash.remove(301)
        #expect(hash == FtraceHash([5, 64]))
        #expect(hash.hashValue == FtraceHash([64, 5]).hashValue)
        #expect(FtraceHash().isEmpty)
    }
}
