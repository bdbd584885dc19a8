import Testing

@testable import PatchsimService

@Suite struct WorkloadTests {
    @Test func theShippedFileIsRead() {
        let workload = WorkloadFile.standard
        #expect(workload.entries.contains { $0.function == "vfs_read" && $0.weight == 120 })
        #expect(workload.served.contains("schedule"))
        #expect(workload.cpus == 4 && workload.seed == 1 && workload.instructionsPerSecond == nil)
        #expect(workload.irqRate == 250 && !workload.irqEntries.isEmpty && !workload.nmiEntries.isEmpty)
    }

    @Test(arguments: [
        ("cpu = 4", 1, "cpu", "did you mean cpus?"),
        ("seed = 1\ncpus = 65\n[[entry]]\nfunction = \"f\"", 2, "cpus", "65 is not in 1 to 64"),
        ("\ncpus = \"4\"", 2, "cpus", "must be a whole number"),
        ("[interrupts]\nirq_rate = -1", 2, "interrupts.irq_rate", "not in 0"),
        ("[interupts]\nirq_rate = 1", 1, "interupts", "did you mean interrupts?"),
        (
            "[[entry]]\nfunction = \"f\"\n\n[[entry]]\nfunctoin = \"g\"", 5, "entry[2].functoin",
            "did you mean function?"
        ),
        ("[[entry]]\nfunction = \"f\"\n\n[[entry]]\nweight = 2", 4, "entry[2].function", "is missing"),
        ("[[entry]]\nfunction = \"f\"\nweight = 0", 3, "entry[1].weight", "not in 1"),
        ("served = [\"a\", 1]", 1, "served", "entry 2 is not a name"),
        ("[entry]\nfunction = \"f\"", 1, "entry", "[[entry]]"),
        ("zzzzzzz = 1", 1, "zzzzzzz", "keys here are"),
    ])
    func mistakesAreErrorsWithFileLineAndKey(text: String, line: Int, key: String, hint: String) {
        do {
            _ = try WorkloadFile(parsing: text, file: "w.toml")
            Issue.record("parsed")
        } catch {
            #expect(error.line == line)
            #expect(error.key == key)
            #expect(error.message.contains(hint), "\(error.message)")
            #expect(error.description.hasPrefix("w.toml:\(line): \(key): "))
        }
    }

    @Test(arguments: ["", "cpus = 4", "a = = b", "[[entry]\n", "\"", "a = \"\u{0}\""])
    func whatIsNoWorkloadIsAnError(text: String) {
        #expect(throws: ConfigurationError.self) { try WorkloadFile(parsing: text, file: "w.toml") }
    }

    @Test func theCommandLineGoesBeforeTheFileAndTheFileBeforeTheDefaults() throws {
        var options = ServiceOptions()
        #expect(try options.settings().cpus == 4)
        options.cpus = 2
        options.ablated = ["sync1"]
        let settings = try options.settings()
        #expect(settings.cpus == 2 && settings.tasks == 16 && settings.ablated == ["sync1"])
        options.cpus = 0
        #expect(throws: ServiceStartError(.usage, "--cpus 0: is not in 1 to 64")) { try options.settings() }
        options.cpus = nil
        options.workloadPath = "/nonexistent"
        #expect(throws: ServiceStartError(.unreadable, "/nonexistent: No such file or directory")) {
            try options.settings()
        }
    }

    @Test func theNearestNameIsTheOneWithTheFewestSlips() {
        let names = ["vfs_read", "vfs_write", "vfs_readv", "schedule"]
        #expect(nearest(to: "vfs_raed", in: names, countMax: 2) == ["vfs_read"])
        #expect(nearest(to: "vfs_reads", in: names, countMax: 2) == ["vfs_read", "vfs_readv"])
        #expect(nearest(to: "xyz", in: names, countMax: 2).isEmpty)
        #expect(editDistance(Array("kitten".utf8), Array("sitting".utf8), max: 5) == 3)
        #expect(editDistance([], Array("abc".utf8), max: 5) == 3)
    }
}
