import Ftrace
import KernelFiles
import KernelImage
import Simulation
import Testing
import X86

struct TracefsTextTests {
    @Test("Untouched files read as those of a booted kernel")
    func booted() throws {
        let test = try TestWorld()
        #expect(try test.read("set_ftrace_filter") == "#### all functions enabled ####\n")
        #expect(try test.read("set_ftrace_notrace") == "#### no functions disabled ####\n")
        #expect(try test.read("current_tracer") == "nop\n")
        #expect(try test.read("available_tracers") == "function nop\n")
        #expect(try test.read("tracing_on") == "1\n")
        #expect(try test.read("enabled_functions") == "")
        let sites = TestWorld.image.mcountSites.count
        #expect(try test.read("dyn_ftrace_total_info").hasPrefix("\(sites) pages:"))
        #expect(try test.lines("available_filter_functions").count == sites)
        #expect(try test.lines("available_filter_functions").contains("schedule"))
        #expect(try test.read("/proc/version") == TestWorld.image.banner + "\n")
        #expect(try test.lines("/proc/kmsg").first == "[    0.000000] " + TestWorld.image.banner)
    }

    @Test("enabled_functions shows one ops with its trampoline and two with the list function, as recorded")
    func enabled() throws {
        var test = try TestWorld()
        let trace = try TestWorld.symbolized("function_trace_call")
        let own = "\ttramp: 0xffffffffc0201000 (\(trace)) ->\(trace)"
        try test.write("set_ftrace_filter", "schedule vfs_read")
        try test.write("current_tracer", "function\n")
        #expect(
            try test.lines("enabled_functions").sorted() == ["schedule (1)      \(own)", "vfs_read (1)      \(own)"])
        #expect(try test.lines("set_ftrace_filter").sorted() == ["schedule", "vfs_read"])

        try test.makeDirectory("instances/second")
        try test.write("instances/second/set_ftrace_filter", "schedule")
        try test.write("instances/second/current_tracer", "function")
        let list = try TestWorld.symbolized("arch_ftrace_ops_list_func")
        #expect(
            try test.lines("enabled_functions").sorted() == [
                "schedule (2)       ->\(list)", "vfs_read (1)      \(own)",
            ])

        try test.removeDirectory("instances/second")
        #expect(
            try test.lines("enabled_functions").sorted() == ["schedule (1)      \(own)", "vfs_read (1)      \(own)"])
        try test.write("current_tracer", "nop")
        #expect(try test.read("enabled_functions") == "")
    }

    static let header = """
        # tracer: function
        #
        # entries-in-buffer/entries-written: 3/3   #P:2
        #
        #                                _-----=> irqs-off/BH-disabled
        #                               / _----=> need-resched
        #                              | / _---=> hardirq/softirq
        #                              || / _--=> preempt-depth
        #                              ||| / _-=> migrate-disable
        #                              |||| /     delay
        #           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
        #              | |         |   |||||     |         |

        """

    @Test("trace has the recorded header and columns, and its lines are in the order of their times")
    func trace() throws {
        var test = try TestWorld()
        try test.write("current_tracer", "function")
        let ip = try TestWorld.address("schedule")
        let parent = try TestWorld.address("vfs_read") + 9
        let ops = test.world.kernel.ftrace.arrays[0].opsAddress
        func add(
            _ cpu: Int, _ nanoseconds: UInt64, _ comm: String, _ pid: Int32, _ flags: TraceEntry.Flags, _ depth: UInt8
        ) {
            let entry = TraceEntry(
                nanoseconds: nanoseconds, ip: ip, parent: parent, pid: pid, comm: TaskComm(comm), flags: flags,
                preemptCount: depth)
            _ = test.world.kernel.ftrace.functionTraceCall(ops: ops, cpu: cpu, entry: entry)
        }
        test.world.kernel.ftrace.clearTrace(array: 0)
        add(1, 8_070_232_600, "bash", 96, [], 0)
        add(0, 8_077_165_000, "rcu_preempt", 15, [.irqsOff, .needResched, .hardirq], 0x12)
        add(1, 12_000_000_999, "swapper/1", 0, [.nmi], 1)
        #expect(
            try test.read("trace") == Self.header + """
                            bash-96      [001] .....     8.070233: schedule <-vfs_read
                     rcu_preempt-15      [000] dnh21     8.077165: schedule <-vfs_read
                          <idle>-0       [001] ..z1.    12.000001: schedule <-vfs_read

                """)

        try test.write("trace", "ignored", append: true)
        #expect(try test.lines("trace").count == 15)
        try test.write("trace", "")
        #expect(try test.lines("trace").count == 12)
        #expect(try test.lines("trace")[2] == "# entries-in-buffer/entries-written: 0/0   #P:2")
    }

    @Test("Where old entries were overwritten, the start of each CPU's buffer is marked")
    func overrun() throws {
        var test = try TestWorld()
        try test.write("current_tracer", "function")
        let ops = test.world.kernel.ftrace.arrays[0].opsAddress
        let ip = try TestWorld.address("schedule")
        for number in 0..<TraceRing.entriesMax + 1 {
            let entry = TraceEntry(
                nanoseconds: UInt64(number) * 1000, ip: ip, parent: VirtualAddress(0xffff_ffff_c020_1083), pid: 1,
                comm: TaskComm("init"), flags: [], preemptCount: 0)
            _ = test.world.kernel.ftrace.functionTraceCall(ops: ops, cpu: 0, entry: entry)
            if number == 10 { _ = test.world.kernel.ftrace.functionTraceCall(ops: ops, cpu: 1, entry: entry) }
        }
        let lines = try test.lines("trace")
        let count = TraceRing.entriesMax
        #expect(lines[2] == "# entries-in-buffer/entries-written: \(count + 1)/\(count + 2)   #P:2")
        #expect(lines[12].hasSuffix("schedule <-0xffffffffc0201083"))
        #expect(lines.filter { $0.hasPrefix("##### CPU") } == ["##### CPU 1 buffer started ####"])
        #expect(lines.count == 12 + count + 2)
    }

    @Test("kallsyms lists the symbols in order, and trampolines while they exist")
    func kallsyms() throws {
        var test = try TestWorld()
        let symbols = TestWorld.image.symbols
        let before = try test.lines("/proc/kallsyms")
        #expect(before.count == symbols.count)
        let first = symbols[0]
        #expect(before[0] == "\(first.address) \(Character(UnicodeScalar(first.type))) \(first.name)")
        try test.makeDirectory("instances/a")
        try test.write("current_tracer", "function")
        try test.write("instances/a/current_tracer", "function")
        #expect(
            try test.lines("/proc/kallsyms").dropFirst(symbols.count) == [
                "ffffffffc0203000 t ftrace_trampoline\t[__builtin__ftrace]",
                "ffffffffc0201000 t ftrace_trampoline\t[__builtin__ftrace]",
            ])
        try test.write("instances/a/current_tracer", "nop")
        try test.write("current_tracer", "nop")
        // The top level's ops is static, so its trampoline stays.
        #expect(try test.lines("/proc/kallsyms").count == symbols.count + 1)
    }

    @Test("Planted text makes ftrace give up: the log says where, files say ENODEV, the trace says so")
    func disabled() throws {
        var test = try TestWorld()
        // A record that claims a CALL which isn't there stands for text that somebody else wrote.
        var names = FtraceNames()
        let schedule = try TestWorld.address("schedule")
        names.append("schedule".utf8)
        let target = try #require(test.world.kernel.ftrace.target)
        test.world.kernel.ftrace = FtraceState(
            target: target, sites: [schedule + 1], names: names, sitesInFile: 1, cpuCount: 2)
        try test.write("current_tracer", "function")
        let log = try test.read("/proc/kmsg")
        #expect(log.contains("] ------------[ ftrace bug ]------------\n"))
        #expect(log.contains("] [<\(schedule + 1)>] schedule+0x1/"))
        for file in ["set_ftrace_filter", "set_ftrace_notrace", "available_filter_functions"] {
            #expect(test.errno { _ = try test.read(file) } == .ENODEV)
        }
        #expect(try test.read("enabled_functions") == "")
        #expect(try test.lines("trace")[2] == "# WARNING: FUNCTION TRACING IS CORRUPTED")
        try test.write("current_tracer", "nop")
    }
}
