import PatchsimInterface
import Testing

/// systemd/patchsim.catalog against the code's kinds of entries.
@Suite("The catalog") struct CatalogTests {
    struct Entry {
        var header: [String: String] = [:]
        var body: [Substring] = []
    }

    /// Entries by MESSAGE_ID.
    private func entries() -> [String: Entry] {
        var entries: [String: Entry] = [:]
        var id = ""
        var isHeader = false
        for line in text(of: "\(packagePath)/systemd/patchsim.catalog").split(
            separator: "\n", omittingEmptySubsequences: false)
        {
            if line.hasPrefix("-- ") {
                id = String(line.dropFirst(3))
                #expect(entries[id] == nil, "\(id) stands there twice")
                entries[id] = Entry()
                isHeader = true
            } else if isHeader, line.isEmpty {
                isHeader = false
            } else if isHeader, let colon = line.firstIndex(of: ":") {
                entries[id]!.header[String(line[..<colon])] = String(line[line.index(colon, offsetBy: 2)...])
            } else if !id.isEmpty {
                entries[id]!.body.append(line)
            }
        }
        return entries
    }

    @Test("It has an entry for each kind and no other") func everyKind() {
        #expect(Set(entries().keys) == Set(MessageID.allCases.map(\.rawValue)))
    }

    @Test("Each entry has a subject of its own, a page and an explanation") func wholeEntries() {
        let entries = entries()
        #expect(Set(entries.values.map { $0.header["Subject"] ?? "" }).count == entries.count)
        for (id, entry) in entries {
            #expect(entry.header["Defined-By"] == "patchsim", "\(id)")
            #expect(entry.header["Documentation"]?.hasPrefix("man:") == true, "\(id)")
            #expect(entry.body.contains { !$0.isEmpty }, "\(id)")
        }
    }

    @Test("Each @FIELD@ is one that every entry of its kind has") func substitutions() {
        for (id, entry) in entries() {
            guard let kind = MessageID(rawValue: id) else { continue }
            let fields = Set((kind.fields + [.run]).map(\.rawValue))
            for line in entry.body {
                // Every second part stands between two signs.
                for (index, part) in line.split(separator: "@", omittingEmptySubsequences: false).enumerated()
                where index % 2 == 1 {
                    #expect(fields.contains(String(part)), "\(kind.name): @\(part)@")
                }
            }
        }
    }

    @Test("Kinds are named in small letters with dashes") func names() {
        #expect(MessageID.textUpdated.name == "text-updated")
        #expect(Set(MessageID.allCases.map(\.name)).count == MessageID.allCases.count)
    }
}
