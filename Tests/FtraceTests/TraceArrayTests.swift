import Ftrace
import Testing
import X86

struct TraceArrayTests {
    private func entry(_ ip: VirtualAddress, _ nanoseconds: UInt64 = 0) -> TraceEntry {
        TraceEntry(
            nanoseconds: nanoseconds, ip: ip, parent: VirtualAddress(0xffff_ffff_8110_0000), pid: 96,
            comm: TaskComm("bash"), flags: [], preemptCount: 0)
    }

    @Test("A ring keeps its newest entries and counts all")
    func ring() {
        var ring = TraceRing()
        let total = TraceRing.entriesMax + 300
        for number in 0..<total { ring.append(entry(RecordedKernel.schedule, UInt64(number))) }
        #expect(ring.count == TraceRing.entriesMax && ring.written == total && ring.overrun == 300)
        #expect(ring[0].nanoseconds == 300)
        #expect(ring[ring.count - 1].nanoseconds == UInt64(total - 1))
        ring.reset()
        #expect(ring.count == 0 && ring.written == 0)
    }

    @Test("A trampoline's ops records in its own trace array, while tracing is on")
    func ownTrampoline() {
        var kernel = TestKernel()
        let ops = kernel.ftrace.arrays[0].ops
        _ = kernel.tracer(.function)
        let ran = kernel.ftrace.functionTraceCall(
            ops: RecordedKernel.globalOps, cpu: 1, entry: entry(RecordedKernel.schedule))
        #expect(ran == FtraceOpsSet(ops))
        #expect(kernel.ftrace.arrays[0].rings[1].count == 1 && kernel.ftrace.arrays[0].rings[0].count == 0)
        kernel.ftrace.setTracingOn(array: 0, false)
        _ = kernel.ftrace.functionTraceCall(
            ops: RecordedKernel.globalOps, cpu: 1, entry: entry(RecordedKernel.schedule))
        #expect(kernel.ftrace.arrays[0].rings[1].written == 1)
        kernel.ftrace.setTracingOn(array: 0, true)
        #expect(kernel.ftrace.arrays[0].rings[1].written == 0, "starting the function tracer again empties its buffers")
        #expect(
            kernel.ftrace.functionTraceCall(ops: VirtualAddress(0x1234), cpu: 0, entry: entry(RecordedKernel.schedule))
                == [])
    }

    @Test("The list function runs each registered ops whose hash admits the function")
    func listFunction() throws {
        var kernel = TestKernel()
        try kernel.ftrace.makeInstance("second")
        let (first, second) = (kernel.ftrace.arrays[0].ops, kernel.ftrace.arrays[1].ops)
        _ = try kernel.filter("schedule vfs_read")
        _ = try kernel.filter("schedule cmdline_proc_show", array: 1)
        _ = try kernel.filter("cmdline_proc_show", array: 1, notrace: true)
        #expect(kernel.ftrace.opsListFunction(cpu: 0, entry: entry(RecordedKernel.schedule)) == [])
        _ = kernel.tracer(.function)
        _ = kernel.tracer(.function, array: 1)
        let schedule = kernel.ftrace.opsListFunction(cpu: 0, entry: entry(RecordedKernel.schedule))
        #expect(schedule.contains(first) && schedule.contains(second))
        #expect(kernel.ftrace.opsListFunction(cpu: 0, entry: entry(RecordedKernel.vfsRead)) == FtraceOpsSet(first))
        #expect(kernel.ftrace.opsListFunction(cpu: 0, entry: entry(RecordedKernel.cmdlineProcShow)) == [])
        #expect(kernel.ftrace.arrays[0].rings[0].count == 2 && kernel.ftrace.arrays[1].rings[0].count == 1)
    }

    @Test(
        "Instances are made and removed; one with a running tracer unregisters first and its ops stays until that is done"
    )
    func instances() throws {
        var kernel = TestKernel()
        try kernel.ftrace.makeInstance("a")
        #expect(throws: FtraceError.instanceExists("a")) { try kernel.ftrace.makeInstance("a") }
        try kernel.ftrace.makeInstance("b")
        let address = kernel.ftrace.arrays[1].opsAddress
        #expect(address.description == "ffff888003c82000")
        #expect(kernel.ftrace.arrays[2].opsAddress.description == "ffff888003c82200")
        _ = kernel.tracer(.function, array: 1)
        let steps = try kernel.run { ftrace, text in try ftrace.removeInstance("a", text: text) }
        #expect(steps.last == "unmap ffffffffc0201000")
        #expect(kernel.ftrace.arrays.map(\.name) == ["", "b"])
        // A CPU that is still in the trampoline finds the ops, though nobody records for it.
        #expect(kernel.ftrace.functionTraceCall(ops: address, cpu: 0, entry: entry(RecordedKernel.schedule)) != [])
        #expect(throws: FtraceError.noSuchInstance("a")) {
            _ = try kernel.run { ftrace, text in try ftrace.removeInstance("a", text: text) }
        }
        try kernel.ftrace.makeInstance("c")
        #expect(kernel.ftrace.arrays[2].opsAddress == address)
        _ = kernel.tracer(.function, array: 2)
        #expect(kernel.ftrace.opsListFunction(cpu: 0, entry: entry(RecordedKernel.schedule)) != [])
        #expect(kernel.ftrace.arrays[2].rings[0].count == 1 && kernel.ftrace.arrays[1].rings[0].count == 0)
    }

    @Test("There are as many instances as the limit says, and no more")
    func limit() throws {
        var kernel = TestKernel()
        for number in 0..<FtraceState.instancesMax { try kernel.ftrace.makeInstance("i\(number)") }
        #expect(throws: FtraceError.tooManyOps) { try kernel.ftrace.makeInstance("more") }
    }

    @Test("A comm has up to 15 bytes")
    func comm() {
        #expect(TaskComm("kworker/u8:0-events").description == "kworker/u8:0-ev")
        #expect(TaskComm("").description == "")
    }
}
