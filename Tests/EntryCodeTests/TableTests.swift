import FoundationEssentials
import Testing
import X86

@testable import EntryCode

/// The table in the documentation is what the program computes.
@Suite("Entry table")
struct TableTests {
    @Test("docs/entry-table.md holds the table that `patchsimctl entry --table` prints")
    func documentation() throws {
        let root = #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }
        let page = try String(contentsOfFile: root + "/docs/entry-table.md", encoding: .utf8)
        let parts = page.split(separator: EntryTable.marker, omittingEmptySubsequences: false)
        try #require(parts.count == 2, "the page holds the marker once")
        let table = try EntryTable().markdown
        #expect(parts[1] == "\n\n" + table)
    }

    @Test("Every form has a name of its own in its width, an origin and a text that assembles")
    func forms() throws {
        for form in EntryForm.all {
            #expect(EntryForm.named(form.name, form.mode) == form && !form.origin.isEmpty)
            let unit = try EntryUnit(form, at: EntryPlaces(form.mode, isUser: false))
            for label in ["asm_exc_int3", "asm_exc_nmi", "asm_irq", "int3_exit"] {
                #expect(unit.labels[label] != nil, "\(form.name): \(label)")
            }
        }
        #expect(EntryForm.all.count == 15)
    }
}
