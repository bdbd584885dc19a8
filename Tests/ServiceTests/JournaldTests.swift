import Testing

/// The built programs with a real journald, in namespaces of its own: Tests/journal.
@Suite("With a real journald") struct JournaldTests {
    @Test("Entries, catalog, lost journald, floods and patchsimctl journal are as documented") func checks() throws {
        let folder = builtProgram("patchsimd").dropLast("/patchsimd".count)
        let tests = "\(packagePath)/Tests/journal"
        let finished = try run(["\(tests)/sandbox.sh", "source", "\(tests)/checks.sh", String(folder)])
        #expect(finished.status == 0, "\(finished.output)\(finished.errors)")
        #expect(finished.output.contains("checks, 0 failed\n"))
    }

    @Test("Where there can be no sandbox, that is a failure") func noSandbox() throws {
        let finished = try run(["\(packagePath)/Tests/journal/sandbox.sh"])
        #expect(finished.status == 125)
    }
}
