import Ftrace
import Testing
import X86

struct FtraceSelectionTests {
    private func select(_ kernel: inout TestKernel, _ pattern: String, traced: Bool) throws -> [String] {
        try kernel.run { ftrace, text in
            try ftrace.select(FtraceGlob(pattern), traced: traced, text: text).update
        }
    }

    private func enabled(_ kernel: TestKernel) -> [String] {
        let enabled = kernel.ftrace.records.indices.filter { kernel.ftrace.records[$0].has(.enabled) }
        #expect(kernel.ftrace.enabledCount == enabled.count)
        return enabled.map { kernel.ftrace.names.string(at: $0) }
    }

    @Test("Functions join and leave; the tracer goes on with the first and off with the last")
    func filtered() throws {
        var kernel = TestKernel()
        // What a filter said before the tracer was on doesn't count.
        _ = try kernel.filter("wake_up_process")
        #expect(try select(&kernel, "sched*", traced: true).count == 6)
        #expect(enabled(kernel) == ["schedule", "schedule_timeout"])
        #expect(try select(&kernel, "vfs_read", traced: true) == ["queued vfs_read e8 ab 43 eb 3e"])
        #expect(try select(&kernel, "vfs_read", traced: true) == [])
        #expect(try select(&kernel, "sched*", traced: false).count == 1)
        #expect(enabled(kernel) == ["vfs_read"])
        #expect(try select(&kernel, "*", traced: false).count == 5)
        #expect(kernel.ftrace.arrays[0].currentTracer == .nop && enabled(kernel) == [])
        #expect(try select(&kernel, "*", traced: false) == [])
        #expect(kernel.filterNames() == [])
    }

    @Test("With everything traced, functions leave through the notrace hash and come back")
    func everything() throws {
        var kernel = TestKernel()
        _ = kernel.tracer(.function)
        #expect(try select(&kernel, "schedule", traced: false) == ["queued schedule 0f 1f 44 00 00"])
        #expect(kernel.filterNames(notrace: true) == ["schedule"])
        #expect(try select(&kernel, "sched*", traced: true) == ["queued schedule e8 0b fb 7e 3e"])
        #expect(kernel.filterNames(notrace: true) == [])
        _ = try select(&kernel, "*", traced: false)
        #expect(kernel.ftrace.arrays[0].currentTracer == .nop && kernel.filterNames(notrace: true) == [])
    }

    @Test("A pattern that matches nothing is refused")
    func nothing() {
        var kernel = TestKernel()
        for traced in [true, false] {
            #expect(throws: FtraceError.noMatch(pattern: "nosuch")) {
                _ = try select(&kernel, "nosuch*", traced: traced)
            }
        }
    }
}
