import Testing

@testable import Configuration

@Suite struct WorkloadTests {
    @Test("The shipped workload is read, is the embedded text, and proposes what the defaults are")
    func shipped() {
        let isEmbedded = Array(ShippedFiles.workload.utf8) == packageFile("Config/workload.toml")
        #expect(isEmbedded, "run Tests/embed.sh")
        let workload = WorkloadFile.standard
        #expect(workload.entries.contains { $0.function == "vfs_read" && $0.weight == 120 })
        #expect(workload.served.contains("schedule"))
        #expect(!workload.irqEntries.isEmpty && !workload.nmiEntries.isEmpty)
        for (name, proposal) in workload.proposals {
            #expect(ConfigurationKey.named(name)?.value(in: ServiceSettings()) == proposal.value, "\(name)")
        }
    }

    @Test(
        "A mistake in a workload file is an error with file, line and key",
        arguments: [
            ("cpu = 4", "1:1: cpu: is no key of a workload file; did you mean cpus?"),
            ("seed = 1\ncpus = 65\n[[entry]]\nfunction = \"f\"", "2:1: cpus: 65 is not in 1 to 64"),
            ("\ncpus = \"4\"", "2:1: cpus: must be a whole number, 1 to 64, not a string"),
            ("[interrupts]\nirq_rate = -1", "2:1: interrupts.irq_rate: -1 is not in 0 to 1000000"),
            ("[interupts]\nirq_rate = 1", "1:1: interupts: is no key of a workload file; did you mean interrupts?"),
            (
                "[[entry]]\nfunction = \"f\"\n\n[[entry]]\nfunctoin = \"g\"\nfunction = \"g\"",
                "5:1: entry[2].functoin: is no key of an [[entry]]; did you mean function?"
            ),
            (
                "[[entry]]\nfunction = \"f\"\n\n[[entry]]\nweight = 2",
                "4:1: entry[2].function: is missing; an [[entry]] needs the name or glob of a function"
            ),
            ("[[entry]]\nfunction = \"f\"\nweight = 0", "3:1: entry[1].weight: 0 is not in 1 to 1000000"),
            ("served = [\"a\", 1]", "1:1: served: entry 2 must be a string, not a whole number"),
            ("[entry]\nfunction = \"f\"", "1:1: entry: must be a list of tables, [[entry]], not a table"),
            ("kernel = \"builtin\"", "1:1: kernel: is no key of a workload file; it belongs into patchsimd.toml"),
            (
                "zzzzzzz = 1",
                "1:1: zzzzzzz: is no key of a workload file; keys here are seed, cpus, tasks, speed, served, entry, interrupts"
            ),
        ])
    func mistakes(text: String, message: String) {
        do {
            _ = try WorkloadFile(parsing: text, file: "w.toml")
            Issue.record("was read")
        } catch {
            #expect(error.description == "w.toml:\(message)")
        }
    }

    @Test(
        "What says nothing about what to run is an error", arguments: ["", "cpus = 4", "a = = b", "[[entry]\n", "\""])
    func nothing(text: String) {
        #expect(throws: ConfigurationProblems.self) { try WorkloadFile(parsing: text, file: "w.toml") }
    }
}
