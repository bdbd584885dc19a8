import Glibc
import Testing

@testable import Varlink

@Suite struct SocketTests {
    private let path = "/tmp/patchsim-sock-\(getpid())-\(UInt64.random(in: 0 ... .max))"

    @Test func aSocketInUseIsAnErrorAndIsLeftAlone() throws {
        let service = try TestService()
        #expect(throws: ListeningError.inUse(path: service.path)) { try ListeningSocket(path: service.path) }
        let peer = try service.peer()
        peer.send(#"{"method":"org.example.test.Echo","parameters":{"text":"x"}}"#)
        #expect(try peer.frame() == #"{"parameters":{"text":"x"}}"#)
    }

    @Test func aSocketLeftByADeadDaemonIsReplaced() throws {
        close(try ListeningSocket(path: path).descriptor)
        #expect(access(path, F_OK) == 0)
        let socket = try ListeningSocket(path: path)
        #expect(socket.path == path)
        _ = try VarlinkClient(path: path)
        close(socket.descriptor)
        unlink(path)
    }

    @Test func aFileThatIsNoSocketIsNotTouched() throws {
        let file = open(path, O_CREAT | O_WRONLY, 0o600)
        close(file)
        #expect(throws: ListeningError.notASocket(path: path)) { try ListeningSocket(path: path) }
        #expect(access(path, F_OK) == 0)
        unlink(path)
    }

    @Test func pathsThatCannotBeAreErrors() {
        let long = "/tmp/" + String(repeating: "x", count: 200)
        #expect(throws: ListeningError.pathTooLong(path: long, bytesMax: 107)) { try ListeningSocket(path: long) }
        #expect(throws: ListeningError.system(call: "bind", path: "/nonexistent/s", errno: ENOENT)) {
            try ListeningSocket(path: "/nonexistent/s")
        }
    }

    @Test func onlyAListeningUnixSocketIsAdopted() throws {
        let file = open("/dev/null", O_RDONLY)
        #expect(throws: ListeningError.unfitDescriptor(file)) { try ListeningSocket(adopting: file) }
        close(file)
        let unbound = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        #expect(throws: ListeningError.unfitDescriptor(unbound)) { try ListeningSocket(adopting: unbound) }
        close(unbound)
        let made = try ListeningSocket(path: path)
        #expect(try ListeningSocket(adopting: made.descriptor).path == nil)
        close(made.descriptor)
        unlink(path)
    }

    @Test func aClientWithoutAServerIsToldThatNobodyListens() throws {
        do {
            _ = try VarlinkClient(path: "/tmp/there-is-no-such-socket")
            Issue.record("connected")
        } catch .nobodyListens(let path, _) {
            #expect(path == "/tmp/there-is-no-such-socket")
        }
    }

    @Test func aPrivateServiceThatCannotStartIsAnError() {
        #expect(throws: PrivateServiceError.self) {
            _ = try PrivateService.start(executable: "/nonexistent", arguments: [])
        }
        #expect(throws: PrivateServiceError.self) {
            _ = try PrivateService.start(executable: "/etc/passwd", arguments: [])
        }
    }

    @Test func aPrivateServiceThatEndsClosesTheConnection() throws {
        let (service, client) = try PrivateService.start(executable: "/bin/sh", arguments: ["-c", "exit 7"])
        #expect(throws: VarlinkClientError.self) {
            _ = try client.call("a.b.C", TestService.Empty(), reply: TestService.Empty.self)
        }
        #expect(service.waitForEnd() == 7)
    }

    @Test func aPrivateServiceHasTheSocketAsDescriptorThreeAndItsOwnPid() throws {
        let script = "[ \"$LISTEN_PID\" = $$ ] && [ \"$LISTEN_FDS\" = 1 ] && [ -S /proc/self/fd/3 ] && exit 5"
        let (service, client) = try PrivateService.start(executable: "/bin/sh", arguments: ["-c", script])
        #expect(service.waitForEnd() == 5)
        _ = client
    }
}
