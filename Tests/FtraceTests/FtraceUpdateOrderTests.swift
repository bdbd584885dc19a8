import Ftrace
import Testing
import TextPatching
import X86

/// The recorded kernel's batches: one ops, a second one beside it, and both gone again.
struct FtraceUpdateOrderTests {
    static let list = ["single ftrace_call e8 7d 3d 13 00", "single ftrace_regs_call e8 68 3c 13 00"]
    static let real = ["single ftrace_call e8 4d 35 15 00", "single ftrace_regs_call e8 38 34 15 00"]
    static let stub = ["single ftrace_call e8 4d ff ff ff", "single ftrace_regs_call e8 38 fe ff ff"]

    /// The function tracer on three functions.
    private func oneOps() throws -> (TestKernel, [String]) {
        var kernel = TestKernel()
        #expect(try kernel.filter("schedule cmdline_proc_show vfs_read") == [])
        let steps = kernel.tracer(.function)
        return (kernel, steps)
    }

    /// And an instance's on two of them.
    private func twoOps() throws -> (TestKernel, [String]) {
        var (kernel, _) = try oneOps()
        try kernel.ftrace.makeInstance("second")
        #expect(try kernel.filter("schedule\ncmdline_proc_show\n", array: 1) == [])
        let steps = kernel.tracer(.function, array: 1)
        return (kernel, steps)
    }

    @Test("One ops: list function, sites in ascending order to its own trampoline, then the real function")
    func first() throws {
        let (kernel, steps) = try oneOps()
        #expect(
            steps == ["map ffffffffc0201000"] + Self.list + [
                "queued vfs_read e8 ab 43 eb 3e; cmdline_proc_show e8 7b b6 e0 3e; schedule e8 0b fb 7e 3e"
            ] + Self.real)
        #expect(kernel.record("schedule").flags == [.enabled, .trampoline, .trampolineEnabled])
        #expect(kernel.record("schedule").count == 1)
        #expect(kernel.text.site(RecordedKernel.sites[2].address) == "0f 1f 44 00 00")
        #expect(kernel.ftrace.functionTraceOp == RecordedKernel.globalOps)
    }

    @Test("A second ops: its sites go from CALL to CALL to ftrace_caller, and the list function stays")
    func second() throws {
        let (kernel, steps) = try twoOps()
        #expect(
            steps == ["map ffffffffc0203000"] + Self.list + [
                "queued cmdline_proc_show e8 bb 5d c7 ff; schedule e8 4b a2 65 ff"
            ])
        #expect(kernel.record("schedule").flags == [.enabled] && kernel.record("schedule").count == 2)
        #expect(kernel.text.site(RecordedKernel.vfsRead) == "e8 ab 43 eb 3e")
        #expect(kernel.ftrace.callTarget == RecordedKernel.listFunction)
    }

    @Test("The second ops leaves: back to the trampoline, and its own is freed after a grace period")
    func back() throws {
        var (kernel, _) = try twoOps()
        let steps = kernel.tracer(.nop, array: 1)
        #expect(
            steps == Self.list + ["queued cmdline_proc_show e8 7b b6 e0 3e; schedule e8 0b fb 7e 3e"] + Self.real + [
                "synchronize_rcu_tasks", "unmap ffffffffc0203000",
            ])
        #expect(kernel.record("schedule").flags == [.enabled, .trampoline, .trampolineEnabled])
        #expect(kernel.ftrace.trampolines == [RecordedKernel.trampoline])
    }

    @Test("The last ops leaves: NOPs, then the stub; global_ops isn't dynamic and keeps its trampoline")
    func last() throws {
        var (kernel, _) = try oneOps()
        #expect(
            kernel.tracer(.nop) == Self.list + [
                "queued vfs_read 0f 1f 44 00 00; cmdline_proc_show 0f 1f 44 00 00; schedule 0f 1f 44 00 00"
            ] + Self.stub)
        #expect(kernel.ftrace.records.allSatisfy { $0.word & ~DynFtrace.Flags.disabled.rawValue == 0 })
        #expect(kernel.ftrace.trampolines == [RecordedKernel.trampoline])
        // Registered again, the trampoline is there, and its inner call is poked though it stays as it is.
        #expect(kernel.tracer(.function).first == "single 0xffffffffc020107e e8 8d dc fb c0")
    }

    @Test("A single dynamic ops keeps the list function; a tracer that joins it pokes no ftrace_call")
    func dynamic() throws {
        var kernel = TestKernel()
        // global_ops has had its trampoline since an earlier session.
        _ = try kernel.filter("schedule")
        _ = kernel.tracer(.function)
        _ = kernel.tracer(.nop)
        let id = try kernel.ftrace.makeOps(
            name: "klp", function: VirtualAddress(0xffff_ffff_8113_0be0),
            address: VirtualAddress(0xffff_8880_0586_2a20),
            flags: [.dynamic, .ipModify, .permanent], hash: FtraceOpsHash(filter: FtraceHash([4])))
        let on = try kernel.run { ftrace, text in try ftrace.register(id, text: text) }
        #expect(
            on == ["map ffffffffc0203000"] + Self.list + ["queued cmdline_proc_show e8 7b d6 e0 3e"])
        #expect(kernel.record("cmdline_proc_show").flags == [.enabled, .trampoline, .trampolineEnabled, .ipModify])

        _ = try kernel.filter("cmdline_proc_show")
        #expect(
            kernel.tracer(.function) == [
                "single 0xffffffffc020107e e8 8d dc fb c0", "queued cmdline_proc_show e8 bb 5d c7 ff",
            ])
        #expect(kernel.tracer(.nop) == ["queued cmdline_proc_show e8 7b d6 e0 3e"])
        let off = try kernel.run { ftrace, text in try ftrace.unregister(id, text: text) }
        #expect(
            off == Self.list + ["queued cmdline_proc_show 0f 1f 44 00 00"] + Self.stub + [
                "synchronize_rcu_tasks", "unmap ffffffffc0203000",
            ])
        #expect(kernel.record("cmdline_proc_show").word == 0)
    }

    @Test("Changing the filter of a running tracer pokes the sites that come and go, and nothing else")
    func refilter() throws {
        var (kernel, _) = try oneOps()
        #expect(
            try kernel.filter("schedule wake_up_process") == [
                "queued wake_up_process e8 fb 04 12 3f; vfs_read 0f 1f 44 00 00; cmdline_proc_show 0f 1f 44 00 00"
            ])
        #expect(try kernel.filter("schedule", notrace: true) == ["queued schedule 0f 1f 44 00 00"])
        #expect(try kernel.filter("", notrace: true) == ["queued schedule e8 0b fb 7e 3e"])
        #expect(try kernel.filter("schedule wake_up_process") == [])
    }

    @Test("Without a filter every valid record is traced, and invalid ones never")
    func all() {
        var kernel = TestKernel()
        let steps = kernel.tracer(.function)
        #expect(steps.count == 6)
        #expect(steps[3].split(separator: ";").count == RecordedKernel.sites.count - 1)
        #expect(!steps[3].contains("__ftrace_invalid_address__"))
        #expect(kernel.record("__ftrace_invalid_address___496").word == DynFtrace.Flags.disabled.rawValue)
    }

    @Test("A 32-bit kernel has no trampolines: every site calls ftrace_caller, and global_ops alone is called directly")
    func thirtyTwoBit() {
        var kernel = TestKernel(RecordedKernel.target32)
        let steps = kernel.tracer(.function)
        #expect(steps.count == 5)
        #expect(kernel.record("schedule").flags == [.enabled])
        #expect(kernel.ftrace.callTarget == RecordedKernel.target32.functionTraceCall)
        #expect(kernel.text.site(RecordedKernel.schedule).hasPrefix("e8"))
        _ = kernel.tracer(.nop)
        #expect(kernel.text.site(RecordedKernel.schedule) == "3e 8d 74 26 00")
    }

    @Test("An ops that wants all registers sends its sites to ftrace_regs_caller, when it has no trampoline")
    func registers() throws {
        var kernel = TestKernel(RecordedKernel.target32)
        let id = try kernel.ftrace.makeOps(
            name: "kprobe", function: VirtualAddress(0xc114_0000), address: VirtualAddress(0xc1c0_0200),
            flags: [.saveRegs], hash: FtraceOpsHash(filter: FtraceHash([5])))
        _ = try kernel.run { ftrace, text in try ftrace.register(id, text: text) }
        #expect(kernel.record("schedule").flags == [.enabled, .regs, .regsEnabled])
        let regs = InstructionBytes.call(from: RecordedKernel.schedule, to: VirtualAddress(0xc103_0100))
        #expect(kernel.text.site(RecordedKernel.schedule) == regs.description)
        _ = try kernel.run { ftrace, text in try ftrace.unregister(id, text: text) }
        #expect(kernel.record("schedule").word == 0)
    }

    @Test("Only one ops may redirect a function, and it needs a filter")
    func ipModify() throws {
        var kernel = TestKernel()
        func make(_ filter: [Int]) throws -> FtraceOpsID {
            try kernel.ftrace.makeOps(
                name: "klp", function: VirtualAddress(0xffff_ffff_8113_0be0),
                address: VirtualAddress(0xffff_8880_0586_0000), flags: [.dynamic, .ipModify],
                hash: FtraceOpsHash(filter: FtraceHash(filter)))
        }
        let first = try make([5])
        let second = try make([4, 5])
        let third = try make([])
        _ = try kernel.run { ftrace, text in try ftrace.register(first, text: text) }
        #expect(throws: FtraceError.ipModifyTaken(function: "schedule")) {
            _ = try kernel.run { ftrace, text in try ftrace.register(second, text: text) }
        }
        #expect(kernel.record("cmdline_proc_show").word == 0, "what was refused left nothing behind")
        #expect(throws: FtraceError.ipModifyNeedsFilter) {
            _ = try kernel.run { ftrace, text in try ftrace.register(third, text: text) }
        }
        #expect(throws: FtraceError.busy) {
            _ = try kernel.run { ftrace, text in try ftrace.register(first, text: text) }
        }
    }
}
