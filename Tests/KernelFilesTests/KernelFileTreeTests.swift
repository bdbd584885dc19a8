import Ftrace
import KernelFiles
import KernelImage
import Simulation
import Testing

struct KernelFileTreeTests {
    @Test("Directories list what they hold, sorted")
    func list() throws {
        var test = try TestWorld()
        #expect(try test.names("/") == ["proc", "sys"])
        #expect(try test.names("/proc/") == ["kallsyms", "kmsg", "version"])
        #expect(
            try test.names(TestWorld.tracing) == [
                "available_filter_functions", "available_tracers", "current_tracer", "dyn_ftrace_total_info",
                "enabled_functions", "instances", "set_ftrace_filter", "set_ftrace_notrace", "trace", "tracing_on",
            ])
        try test.makeDirectory("instances/b")
        try test.makeDirectory("instances/a")
        #expect(try test.names("instances") == ["a", "b"])
        #expect(
            try test.names("instances/a") == [
                "current_tracer", "set_ftrace_filter", "set_ftrace_notrace", "trace", "tracing_on",
            ])
        #expect(try test.names("instances/../instances/./a/").count == 5)
        let files = try KernelFileTree.list("\(TestWorld.tracing)/trace", in: test.world.kernel)
        #expect(files.map(\.permissions) == ["rw-r-----"])
    }

    @Test("Wrong paths fail with the kernel's errno and name what is near")
    func errors() throws {
        var test = try TestWorld()
        #expect(test.errno { _ = try test.read("/sys/kernel/tracing") } == .EISDIR)
        #expect(test.errno { _ = try test.read("trace/x") } == .ENOTDIR)
        #expect(test.errno { _ = try test.read("/nosuch") } == .ENOENT)
        #expect(test.errno { _ = try KernelFileTree.read("trace", in: test.world.kernel) } == .ENOENT)
        let misspelt = test.error { _ = try test.read("curent_tracer") }
        #expect(misspelt?.description.contains("did you mean current_tracer?") == true)
        let long = "/" + String(repeating: "x", count: KernelFileTree.pathLengthMax)
        #expect(test.errno { _ = try test.read(long) } == .ENAMETOOLONG)
        #expect(test.errno { try test.write("enabled_functions", "x") } == .EACCES)
        #expect(test.errno { try test.write("instances", "x") } == .EISDIR)
        #expect(test.errno { try test.makeDirectory("/proc/x") } == .EPERM)
        #expect(test.errno { try test.makeDirectory("trace") } == .EEXIST)
        #expect(test.errno { try test.makeDirectory("nosuch/x") } == .ENOENT)
        #expect(test.errno { try test.removeDirectory("/proc") } == .EPERM)
        #expect(test.errno { try test.removeDirectory("trace") } == .ENOTDIR)
        #expect(test.errno { try test.removeDirectory("instances/x") } == .ENOENT)
        try test.makeDirectory("instances/x")
        #expect(test.errno { try test.makeDirectory("instances/x") } == .EEXIST)
        #expect(
            test.errno { try test.makeDirectory("instances/" + String(repeating: "n", count: 256)) } == .ENAMETOOLONG)
    }

    @Test("A tracer that doesn't exist and a switch that isn't a number are EINVAL")
    func values() throws {
        var test = try TestWorld()
        let error = test.error { try test.write("current_tracer", "functoin\n") }
        #expect(error?.errno == .EINVAL)
        #expect(error?.message.contains("did you mean function?") == true)
        #expect(test.errno { try test.write("current_tracer", "") } == .EINVAL)
        for text in ["on", "", "1 ", "-1", "1\n\n"] {
            #expect(test.errno { try test.write("tracing_on", text) } == .EINVAL, "\(text)")
        }
        try test.write("tracing_on", "0\n")
        #expect(try test.read("tracing_on") == "0\n")
        try test.write("tracing_on", "42")
        #expect(try test.read("tracing_on") == "1\n")
        try test.write("current_tracer", "  function \n")
        #expect(try test.read("current_tracer") == "function\n")
    }

    @Test("A filter that matches nothing is EINVAL, names the nearest function, and truncation has happened")
    func filter() throws {
        var test = try TestWorld()
        try test.write("set_ftrace_filter", "schedule\n")
        try test.write("set_ftrace_filter", "vfs_*", append: true)
        let before = try test.read("set_ftrace_filter")
        #expect(before.contains("schedule\n") && before.contains("vfs_read\n"))
        let error = test.error { try test.write("set_ftrace_filter", "shedule", append: true) }
        #expect(error?.errno == .EINVAL)
        #expect(error?.message.contains("did you mean schedule?") == true)
        #expect(try test.read("set_ftrace_filter") == before)
        #expect(test.errno { try test.write("set_ftrace_filter", "nosuch*") } == .EINVAL)
        #expect(try test.read("set_ftrace_filter") == "#### all functions enabled ####\n")
        try test.write("set_ftrace_notrace", "schedule")
        #expect(try test.read("set_ftrace_notrace") == "schedule\n")
        try test.write("set_ftrace_filter", "*:mod:nosuch")
        #expect(try test.read("set_ftrace_filter") == "*:mod:nosuch\n")
    }

    @Test("A failing write that changed text tells which update to wait for")
    func failingWrite() throws {
        var test = try TestWorld()
        try test.write("set_ftrace_filter", "schedule")
        try test.write("current_tracer", "function")
        let error = test.error { try test.write("set_ftrace_filter", "nosuch") }
        let ticket = try #require(error?.pending)
        try test.finish(ticket)
        #expect(try test.lines("enabled_functions").count > 100)
    }

    @Test("While an update is under way a second one is blocked and changes nothing; reading goes on")
    func blocked() throws {
        var test = try TestWorld()
        guard case .pending(let ticket) = try test.start("current_tracer", "function") else {
            Issue.record("enabling everything takes time")
            return
        }
        #expect(try test.start("current_tracer", "nop") == .blocked(ticket))
        #expect(try test.start("set_ftrace_filter", "schedule") == .blocked(ticket))
        #expect(try test.start("current_tracer", "function") == .completed, "nothing to do")
        #expect(try test.start("tracing_on", "0") == .completed)
        #expect(try test.read("set_ftrace_filter") == "#### all functions enabled ####\n")
        try test.finish(ticket)
        try test.write("current_tracer", "nop")
        #expect(try test.read("enabled_functions") == "")
    }

    @Test("Chunks of any size add up to the whole file, and a reader keeps what it opened")
    func chunks() throws {
        var test = try TestWorld()
        for path in ["/proc/kallsyms", "available_filter_functions", "/proc/version", "set_ftrace_filter"] {
            let whole = Array(try test.read(path).utf8)
            for size in [1000, 4096, 65_536] {
                var reader = try test.open(path)
                var text: [UInt8] = []
                while true {
                    let chunk = reader.read(count: size)
                    if chunk.isEmpty { break }
                    text += chunk
                    #expect(reader.position == text.count)
                }
                #expect(text == whole)
                let isAtEnd = reader.isAtEnd()
                #expect(isAtEnd)
            }
        }
        var reader = try test.open("enabled_functions")
        try test.write("current_tracer", "function")
        let stale = reader.read(count: 100)
        #expect(stale.isEmpty, "it was empty when it was opened")
        var later = try test.open("/proc/kallsyms")
        later.skip(count: 17)
        let type = later.read(count: 1)
        #expect(type == [test.world.kernel.image.symbols[0].type] && later.position == 18)
    }
}
