import Glibc
import PatchsimInterface
import Testing
import Varlink

@testable import PatchsimService

/// Bad days of a state directory, each brought about.
@Suite struct BadDayTests {
    private static let filter = StateDaemon.tracing + "/set_ftrace_filter"

    @Test("A second daemon on a state directory is refused with status 69 and names the first's process")
    func twoDaemons() throws {
        let daemon = StateDaemon()
        try daemon.start()
        let second = try run(["patchsimd", "--socket", daemon.socket + "2", "--state-directory", daemon.directory])
        #expect(second.status == 69)
        let pid = try #require(daemon.program).pid
        #expect(
            second.errors.hasSuffix(
                "patchsimd: \(daemon.directory): the state directory is in use by another patchsimd, process \(pid); stop it, or choose another directory\n"
            ), "\(second.errors)")
        #expect(access(daemon.socket + "2", F_OK) != 0)
        #expect(try daemon.ctl("status").status == 0)
    }

    @Test("A damaged store is set aside with a clear message, and the daemon starts and stores")
    func damaged() throws {
        let daemon = StateDaemon()
        try daemon.start()
        daemon.kill()
        let garbage = "this was a database once"
        let file = open("\(daemon.directory)/findings.db", O_WRONLY | O_TRUNC)
        #expect(write(file, garbage, garbage.utf8.count) == garbage.utf8.count)
        close(file)
        try daemon.start()
        #expect(try daemon.ctl("ftrace", "enable", "vfs_read").status == 0)
        let aside = try #require(daemon.names.first { $0.hasPrefix("findings.db.damaged-") && !$0.hasSuffix("-wal") })
        #expect(text(of: "\(daemon.directory)/\(aside)") == garbage)
        let told = try #require(daemon.kill()).errors
        #expect(told.contains("<3>The store \(daemon.directory)/findings.db is damaged (it does not begin as"))
        #expect(told.contains("it was renamed to \(daemon.directory)/\(aside)"))
        try daemon.start()
        #expect(try daemon.ctl("fs", "read", Self.filter).output == "vfs_read\n")
    }

    @Test("With a store of a newer version the daemon starts without storing, says so, and leaves the store alone")
    func newer() throws {
        let daemon = StateDaemon()
        try daemon.start()
        daemon.stop()
        // The user version stands at 60 in the file's header.
        let path = "\(daemon.directory)/findings.db"
        let file = open(path, O_WRONLY)
        var version = UInt32(99).bigEndian
        #expect(pwrite(file, &version, 4, 60) == 4)
        close(file)
        let before = text(of: path)
        try daemon.start()
        #expect(try daemon.ctl("ftrace", "enable", "vfs_read").status == 0)
        #expect(try daemon.ctl("findings", "list").output.contains("is of version 99, this program knows 1"))
        let told = try #require(daemon.stop()).errors
        #expect(told.contains("<3>Nothing is kept in \(daemon.directory): the store is of version 99"))
        #expect(text(of: path) == before)
    }

    @Test("Without a state directory everything works, and the log says once that nothing is kept")
    func none() throws {
        let socket = "/tmp/patchsim-none-\(getpid())-\(UInt64.random(in: 0 ... .max))"
        let daemon = try StartedProgram(["patchsimd", "--socket", socket, "--cpus", "1"])
        try #require(eventually { (try? VarlinkClient(path: socket).call(Ping.self, .init())) != nil })
        for _ in 0..<3 {
            #expect(try run(["patchsimctl", "--socket", socket, "ftrace", "enable", "vfs_*"]).status == 0)
        }
        let list = try run(["patchsimctl", "--socket", socket, "findings", "list"]).output
        #expect(list == "No findings\nFindings are not kept: there is no state directory\n")
        kill(daemon.pid, SIGTERM)
        let told = daemon.end().errors
        #expect(told.split(separator: "\n").count { $0.contains("there is no state directory") } == 1)
    }

    /// A program that mounts a small file system on the state directory, for itself alone, and then becomes the daemon.
    private func wrapper(_ directory: String, size: String, _ more: String = "") throws -> [String] {
        mkdir(directory, 0o700)
        let unshare = ["/usr/bin/unshare"] + (geteuid() == 0 ? ["--mount"] : ["--mount", "--map-root-user"])
        let probe = try run(unshare + ["/bin/mount", "-t", "tmpfs", "none", "/mnt"])
        try #require(probe.status == 0, "mount namespaces are needed: \(probe.errors)")
        let script = #"mount -t tmpfs -o size=\#(size),mode=0700 none "$0" \#(more) && exec "$@""#
        return unshare + ["/bin/sh", "-c", script, directory]
    }

    /// A path as the daemon sees it, in its own mount namespace.
    private func inside(_ daemon: StateDaemon, _ path: String) throws -> String {
        "/proc/\(try #require(daemon.program).pid)/root\(path)"
    }

    @Test("A full disk refuses the change and nothing is half done; with space it works again")
    func diskFull() throws {
        let daemon = StateDaemon()
        let client = try daemon.start(wrapper: try wrapper(daemon.directory, size: "400k"))
        _ = try client.call(EnableTracing.self, .init(glob: "vfs_read"))
        let before = try TracerState(client)
        let filler = try inside(daemon, daemon.directory + "/filler")
        let file = open(filler, O_WRONLY | O_CREAT, 0o600)
        let block = [UInt8](repeating: 7, count: 1024)
        while write(file, block, block.count) > 0 {}
        #expect(errno == ENOSPC)
        // The log of the database has some room that was used before.
        var refusal: VarlinkError?
        for _ in 0..<2000 where refusal == nil {
            refusal = try client.refusal(WriteFile.self, .init(path: Self.filter, text: "vfs_read"))
        }
        #expect(refusal?.name == ServiceFault.NotDurable.name)
        #expect(refusal?.parameters(as: ServiceFault.NotDurable.self)?.message.contains("the disk is full") == true)
        let enabling = try client.refusal(EnableTracing.self, .init(glob: "*"))
        #expect(enabling?.name == ServiceFault.NotDurable.name)
        #expect(try client.refusal(Pause.self, .init())?.name == ServiceFault.NotDurable.name)
        #expect(try TracerState(client) == before)
        #expect(try client.call(GetState.self, .init()).state.run == .running)
        close(file)
        unlink(filler)
        _ = try client.call(EnableTracing.self, .init(glob: "vfs_write"))
        #expect(try TracerState(client).filter == ["vfs_read", "vfs_write"])
    }

    @Test("A read-only state directory refuses changes, reading goes on, and it works when it can be written")
    func readOnly() throws {
        let daemon = StateDaemon()
        let wrapper = try wrapper(
            daemon.directory, size: "1m", #"&& mount -o remount,ro "$0""#)
        let client = try daemon.start(wrapper: wrapper)
        let refusal = try client.refusal(EnableTracing.self, .init(glob: "vfs_read"))
        #expect(refusal?.name == ServiceFault.NotDurable.name)
        #expect(
            refusal?.parameters(as: ServiceFault.NotDurable.self)?.message.contains("Read-only file system") == true)
        #expect(try TracerState(client) == TracerState())
        let pid = try #require(daemon.program).pid
        let remount = try run(
            ["/usr/bin/nsenter", "--target", "\(pid)", "--mount"] + (geteuid() == 0 ? [] : ["--user"])
                + ["/bin/mount", "-o", "remount,rw", daemon.directory])
        try #require(remount.status == 0, "\(remount.errors)")
        _ = try client.call(EnableTracing.self, .init(glob: "vfs_read"))
        #expect(try TracerState(client).filter == ["vfs_read"])
        #expect(try daemon.ctl("findings", "list").output == "No findings\n")
    }
}
