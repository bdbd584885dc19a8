import Glibc
import PatchsimInterface
import Testing
import Varlink

@testable import PatchsimService

/// What a client was told is done is done after whatever happens to the daemon.
@Suite(.serialized) struct SurvivalTests {
    private static let tracing = StateDaemon.tracing

    /// A change, and the state that it leads to.
    private enum Change {
        case filter(String)
        case add(String)
        case tracer(String)
        case tracingOn(Bool)
        case makeInstance(String)
        case removeInstance(String)

        static func random(_ state: TracerState, _ functions: [String], _ numbers: inout SeededNumbers) -> Change {
            let function = functions.randomElement(using: &numbers)!
            switch Int.random(in: 0..<6, using: &numbers) {
            case 0: return .filter(function)
            case 1: return .add(function)
            case 2: return .tracer(state.tracer == "nop" ? "function" : "nop")
            case 3: return .tracingOn(!state.isOn)
            default:
                let name = "i\(Int.random(in: 0..<3, using: &numbers))"
                return state.instances.contains(name) ? .removeInstance(name) : .makeInstance(name)
            }
        }

        func applied(to state: TracerState) -> TracerState {
            var state = state
            switch self {
            case .filter(let function): state.filter = [function]
            case .add(let function): state.filter.insert(function)
            case .tracer(let name): state.tracer = name
            case .tracingOn(let isOn): state.isOn = isOn
            case .makeInstance(let name): state.instances.insert(name)
            case .removeInstance(let name): state.instances.remove(name)
            }
            return state
        }

        func perform(_ client: VarlinkClient) throws {
            func write(_ file: String, _ text: String, append: Bool = false) throws {
                _ = try client.call(WriteFile.self, .init(path: "\(tracing)/\(file)", text: text, append: append))
            }
            switch self {
            case .filter(let function): try write("set_ftrace_filter", function)
            case .add(let function): try write("set_ftrace_filter", function, append: true)
            case .tracer(let name): try write("current_tracer", name)
            case .tracingOn(let isOn): try write("tracing_on", isOn ? "1" : "0")
            case .makeInstance(let name):
                _ = try client.call(MakeDirectory.self, .init(path: "\(tracing)/instances/\(name)"))
            case .removeInstance(let name):
                _ = try client.call(RemoveDirectory.self, .init(path: "\(tracing)/instances/\(name)"))
            }
        }
    }

    @Test("Twenty kills at drawn moments lose nothing that was acknowledged and keep nothing half done")
    func kills() throws {
        let rounds = getenv("PATCHSIM_KILLS").flatMap { Int(String(cString: $0)) } ?? 20
        var numbers = SeededNumbers(state: 42)
        let daemon = StateDaemon()
        var client = try daemon.start()
        let functions = Array(
            try client.call(ReadFile.self, .init(path: "\(Self.tracing)/available_filter_functions")).text
                .split(separator: "\n").map(String.init).prefix(12))
        var state = TracerState()
        var acknowledged = 0
        for round in 0..<rounds {
            let killer = Killer(
                try #require(daemon.program).pid, afterMicroseconds: Int.random(in: 0..<80_000, using: &numbers))
            var attempted = state
            do {
                while true {
                    let change = Change.random(state, functions, &numbers)
                    attempted = change.applied(to: state)
                    try change.perform(client)
                    state = attempted
                    acknowledged += 1
                }
            } catch VarlinkClientError.refused(let error) {
                Issue.record("round \(round): \(error)")
            } catch {
                // The daemon is gone.
            }
            killer.wait()
            daemon.kill()
            client = try daemon.start()
            let found = try TracerState(client)
            #expect(found == state || found == attempted, "round \(round): \(found); told: \(state)")
            state = found
        }
        #expect(acknowledged > rounds)
        #expect(daemon.names.allSatisfy { !$0.contains(".damaged-") })
    }

    @Test("What patchsimctl enabled is enabled after a kill, on the sites themselves")
    func enabledSites() throws {
        let daemon = StateDaemon()
        try daemon.start()
        #expect(try daemon.ctl("ftrace", "enable", "vfs_*").status == 0)
        #expect(try daemon.ctl("ftrace", "disable", "vfs_write").status == 0)
        let before = try daemon.ctl("fs", "read", "\(Self.tracing)/enabled_functions").output
        #expect(before.contains("vfs_read") && !before.contains("vfs_write "))
        daemon.kill()
        try daemon.start()
        func names(_ text: String) -> [Substring] {
            text.split(separator: "\n").compactMap { $0.split(separator: " ").first }
        }
        let after = try daemon.ctl("fs", "read", "\(Self.tracing)/enabled_functions").output
        #expect(names(after) == names(before))
        #expect(try daemon.ctl("disasm", "vfs_read", "--count", "1").output.contains("call"))
        let told = try #require(daemon.stop()).errors
        #expect(told.contains("changes of the run before were done again"))
        try daemon.start()
        #expect(names(try daemon.ctl("fs", "read", "\(Self.tracing)/enabled_functions").output) == names(before))
    }

    @Test("A paused machine is paused after a kill, and a resumed one runs")
    func paused() throws {
        let daemon = StateDaemon()
        let client = try daemon.start()
        _ = try client.call(Pause.self, .init())
        daemon.kill()
        let second = try daemon.start()
        #expect(try second.call(GetState.self, .init()).state.run == .paused)
        _ = try second.call(Resume.self, .init())
        daemon.kill()
        #expect(try daemon.start().call(GetState.self, .init()).state.run == .running)
    }

    @Test("A violation is a finding that survives a kill, with its replay line and its table")
    func finding() throws {
        let daemon = StateDaemon()
        try daemon.start(["--driver", "deterministic", "--ablate", "sync3,emulation", "--seed", "1"])
        // The world stops with a violation while the tracer is switched; with which switch is the seed's affair.
        let hasStopped = try (0..<20).contains { _ in
            try daemon.ctl("ftrace", "enable", "*").status == 1 || daemon.ctl("ftrace", "disable", "*").status == 1
        }
        #expect(hasStopped)
        let verdict = try daemon.ctl("verdict").output
        daemon.kill()
        try daemon.start()
        let list = try daemon.ctl("findings", "list").output
        #expect(list.contains("INVARIANT") && list.contains("builtin"))
        let shown = try daemon.ctl("findings", "show", "1").output
        let replay = try #require(verdict.split(separator: "\n").first { $0.contains("replay: ") })
            .split(separator: " ", maxSplits: 1)[1]
        #expect(shown.contains(replay.drop { $0 == " " }), "\(shown)")
        for line in verdict.split(separator: "\n") where line.hasPrefix("I") && !line.contains(" at ") {
            #expect(shown.contains(line), "\(line)")
        }
        #expect(try daemon.ctl("findings", "export").output.contains(#""eventHash":""#))
        #expect(try daemon.ctl("findings", "delete", "1").output == "1 deleted\n")
        daemon.kill()
        try daemon.start()
        #expect(try daemon.ctl("findings", "list").output == "No findings\n")
        #expect(try daemon.ctl("findings", "show", "1").errors.contains("there is no finding 1; there are none"))
    }
}

/// Kills a process after a while.
private final class Killer {
    private var thread = pthread_t()

    private final class Order {
        let pid: pid_t
        let microseconds: Int

        init(pid: pid_t, microseconds: Int) {
            self.pid = pid
            self.microseconds = microseconds
        }
    }

    init(_ pid: pid_t, afterMicroseconds microseconds: Int) {
        let order = Unmanaged.passRetained(Order(pid: pid, microseconds: microseconds)).toOpaque()
        pthread_create(
            &thread, nil,
            { argument in
                let order = Unmanaged<Order>.fromOpaque(argument!).takeRetainedValue()
                usleep(UInt32(order.microseconds))
                kill(order.pid, SIGKILL)
                return nil
            }, order)
    }

    func wait() {
        pthread_join(thread, nil)
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers from the same seed, everywhere.
private struct SeededNumbers: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }
}
