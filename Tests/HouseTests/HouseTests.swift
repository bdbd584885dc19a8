import Testing

/// The repository itself, held against its own rules.
@Suite struct HouseTests {
    let table = RoomRules.table(in: Repository.text(of: "docs/ARCHITECTURE.md"))
    let manifest = RoomRules.manifest(Repository.text(of: "Package.swift"))

    @Test func theRepositoryIsFound() {
        #expect(Repository.swiftFiles.count > 20)
        #expect(table.count >= 19)
        #expect(manifest["X86"] == ["CZydis"])
    }

    @Test func arrowsGoDownOnly() {
        #expect(RoomRules.violationsOfFloors(table) == [])
    }

    @Test func theManifestStatesWhatTheTableStates() {
        #expect(RoomRules.violationsOfManifest(manifest, table) == [])
    }

    @Test func everyImportIsInTheTable() {
        let found = Repository.swiftFiles.flatMap { RoomRules.violations(in: $0, table: table, manifest: manifest) }
        #expect(found == [])
    }

    @Test func filesAndFunctionsStaySmall() {
        #expect(Repository.swiftFiles.flatMap(SizeRules.violations) == [])
    }

    @Test func noFileHoldsForbiddenWords() {
        #expect(Repository.files.flatMap(WordRules.violations) == [])
    }
}
