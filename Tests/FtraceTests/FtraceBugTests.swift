import Ftrace
import Testing
import X86

struct FtraceBugTests {
    @Test("A site that isn't a NOP is reported, no site is touched, and ftrace is disabled for good")
    func mismatch() throws {
        var kernel = TestKernel()
        kernel.text.put([0xcc], at: RecordedKernel.schedule)
        let steps = kernel.tracer(.function)
        #expect(steps == ["map ffffffffc0201000"] + FtraceUpdateOrderTests.list + FtraceUpdateOrderTests.stub)
        #expect(
            kernel.log == [
                "------------[ ftrace bug ]------------",
                "ftrace failed to modify ",
                "[<ffffffff81a114f0>] schedule+0x0/0x100",
                " actual:   cc:1f:44:00:00",
                " expected: 0f:1f:44:00:00",
                "Setting ftrace call site to call ftrace function",
                "ftrace record flags: 10000001",
                " (1)  ",
                " expected tramp: ffffffff8106b740",
            ])
        #expect(kernel.ftrace.isDisabled)
        #expect(kernel.text.site(RecordedKernel.vfsRead) == "0f 1f 44 00 00")
        #expect(kernel.ftrace.registeredOps.isEmpty)

        #expect(throws: FtraceError.disabled) { _ = try kernel.filter("schedule") }
        let id = kernel.ftrace.arrays[0].ops
        #expect(throws: FtraceError.disabled) {
            _ = try kernel.run { ftrace, text in try ftrace.register(id, text: text) }
        }
        #expect(kernel.tracer(.nop) == [])
        #expect(kernel.ftrace.arrays[0].currentTracer == .nop)
    }

    @Test("A CALL that somebody else changed is reported with its trampoline")
    func changedCall() throws {
        var kernel = TestKernel()
        _ = try kernel.filter("schedule vfs_read")
        _ = kernel.tracer(.function)
        kernel.text.put([0xe9], at: RecordedKernel.vfsRead)
        let steps = kernel.tracer(.nop)
        #expect(steps == FtraceUpdateOrderTests.list + FtraceUpdateOrderTests.stub)
        #expect(
            kernel.log == [
                "------------[ ftrace bug ]------------",
                "ftrace failed to modify ",
                "[<ffffffff8134cc50>] vfs_read+0x0/0x100",
                " actual:   e9:ab:43:eb:3e",
                " expected: e8:ab:43:eb:3e",
                "Setting ftrace call site to NOP",
                "ftrace record flags: 88000000",
                " (0)  \ttramp: ERROR!",
                " expected tramp: ffffffffc0201000",
            ])
    }

    @Test("Text that can't be read is a fault")
    func fault() throws {
        var kernel = TestKernel()
        kernel.text.bytes[RecordedKernel.vfsRead.rawValue] = nil
        _ = kernel.tracer(.function)
        #expect(kernel.log[1] == "ftrace faulted on modifying ")
        #expect(kernel.log[3] == "Setting ftrace call site to call ftrace function")
    }
}
