import Ftrace
import Testing
import X86

struct FtraceFilterTests {
    @Test("Words are matched one after the other; truncating forgets, appending adds, a bang takes out")
    func words() throws {
        var kernel = TestKernel()
        _ = try kernel.filter("sched* vfs_read\n")
        #expect(kernel.filterNames() == ["vfs_read", "schedule", "schedule_timeout"])
        _ = try kernel.filter("wake_up_process", append: true)
        #expect(kernel.filterNames().count == 4)
        _ = try kernel.filter("!sched*", append: true)
        #expect(kernel.filterNames() == ["wake_up_process", "vfs_read"])
        _ = try kernel.filter("*_read")
        #expect(kernel.filterNames() == ["vfs_read"])
        _ = try kernel.filter(" \t\n")
        #expect(kernel.filterNames() == [])
    }

    @Test("A number is a line of available_filter_functions")
    func index() throws {
        var kernel = TestKernel()
        _ = try kernel.filter("3 0x4")
        #expect(kernel.filterNames() == ["wake_up_process", "vfs_read"])
        #expect(throws: FtraceError.noMatch(pattern: "99")) { _ = try kernel.filter("99") }
    }

    @Test("A word that matches nothing fails, but truncation and the words before it have happened")
    func noMatch() throws {
        var kernel = TestKernel()
        _ = try kernel.filter("schedule")
        #expect(throws: FtraceError.noMatch(pattern: "nosuch")) { _ = try kernel.filter("nosuch", append: true) }
        #expect(kernel.filterNames() == ["schedule"])
        #expect(throws: FtraceError.noMatch(pattern: "nosuch")) { _ = try kernel.filter("vfs_read nosuch schedule") }
        #expect(kernel.filterNames() == ["vfs_read"])
        #expect(throws: FtraceError.noMatch(pattern: "nosuch")) { _ = try kernel.filter("nosuch") }
        #expect(kernel.filterNames() == [])
    }

    @Test("Invalid sites match no pattern")
    func invalid() {
        var kernel = TestKernel()
        #expect(throws: FtraceError.noMatch(pattern: "__ftrace_invalid*")) {
            _ = try kernel.filter("__ftrace_invalid*")
        }
    }

    @Test("A filter for a module that isn't loaded waits, and until then no function is traced")
    func module() throws {
        var kernel = TestKernel()
        _ = try kernel.filter("*:mod:ext4")
        #expect(kernel.ftrace.arrays[0].moduleFilters.map { [$0.function, $0.module] } == [["*", "ext4"]])
        #expect(kernel.tracer(.function).filter { $0.hasPrefix("queued") } == [])
        #expect(try kernel.filter("!*:mod:ext4", append: true).count == 1, "now everything is traced")
        #expect(kernel.ftrace.arrays[0].moduleFilters == [])
        // What isn't in a module is in every `!module`.
        _ = try kernel.filter("sched*:mod:!ext4")
        #expect(kernel.filterNames() == ["schedule", "schedule_timeout"])
        #expect(throws: FtraceError.unknownCommand("traceon")) { _ = try kernel.filter("schedule:traceon") }
        #expect(throws: FtraceError.noMatch(pattern: "nosuch:mod")) { _ = try kernel.filter("nosuch:mod") }
    }

    @Test("A word that is too long is refused")
    func tooLong() {
        var kernel = TestKernel()
        let word = String(repeating: "x", count: FtraceState.filterWordLengthMax + 1)
        #expect(throws: FtraceError.wordTooLong) { _ = try kernel.filter(word) }
    }
}
