import PatchsimInterface
import Testing

@testable import PatchsimService
@testable import Systemd

@Suite struct JournalTests {
    @Test func onlyNamesThatJournaldTakesAreFields() {
        #expect(JournalField("PATCHSIM_CPU", "1") != nil)
        #expect(JournalField("A1_", "") != nil)
        for name in ["", "_PID", "1A", "cpu", "A B", "A=B", "Ä", String(repeating: "A", count: 65)] {
            #expect(JournalField(name, "x") == nil, "\(name)")
        }
    }

    @Test func messageIDsAreDistinctAndOfTheRightForm() {
        let ids = MessageID.allCases.map(\.rawValue)
        #expect(Set(ids).count == ids.count)
        for id in ids {
            #expect(id.utf8.count == 32 && id.allSatisfy { $0.isHexDigit && !$0.isUppercase })
        }
    }

    @Test func withoutAManagerNothingIsPassedAndNobodyWatches() throws {
        #expect(try PassedDescriptor.takeAll().isEmpty)
        let manager = ServiceManager.fromEnvironment()
        #expect(manager.watchdogMicroseconds == nil && !manager.isPresent)
    }
}
