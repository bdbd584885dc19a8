import Locking
import FoundationEssentials
import PatchsimInterface
import Testing

@testable import PatchsimService
@testable import Varlink

@Suite struct StateTests {
    @Test("The state is written as Codable would write it, whatever its strings and numbers are")
    func written() async throws {
        var state = try await ScriptedBackend().state()
        let texts = [
            "", "a", "\"quoted\" \\ /", "line\nfeed\r\ttab \u{1}\u{1f}\u{7f}", "ä€𝄞",
            String(repeating: "x\"", count: 3000),
        ]
        let numbers = [0, 1, -1, 9, 10, .max, .min]
        let shares = [0, 1, 0.5, 0.1, 1.0 / 3, 1e-300, Double.leastNonzeroMagnitude, 123_456_789.125]
        for index in 0..<max(texts.count, numbers.count, shares.count) {
            let (text, number) = (texts[index % texts.count], numbers[index % numbers.count])
            (state.kernel, state.banner, state.fetchModel, state.tracer) = (text, text, text, text)
            state.ablated = Array(texts.prefix(index))
            (state.nanoseconds, state.retired, state.seed, state.violations) = (number, number, number, number)
            state.exactness = Exactness(
                exactSemantics: shares[index % shares.count], knownInputs: -shares[index % shares.count])
            var output = OutputBuffer()
            GetState.Reply(state: state).write(to: &output)
            let written = Data(Array(output.unsent))
            #expect(try JSONDecoder().decode(GetState.Reply.self, from: written).state == state)
            // Not one member more, either.
            let members = try JSONDecoder().decode(Members.self, from: written)
            #expect(members.names == Set(Mirror(reflecting: state).children.compactMap(\.label)))
        }
    }

    private struct Members: Decodable {
        let names: Set<String>

        private struct Name: CodingKey {
            let stringValue: String
            var intValue: Int? { nil }
            init(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Name.self)
                .nestedContainer(keyedBy: Name.self, forKey: Name(stringValue: "state"))
            names = Set(container.allKeys.map(\.stringValue))
        }
    }

    @Test("The state is answered at once or waited for, and is the same")
    func atOnceOrLater() async throws {
        let running = try RunningService()
        let client = try running.client()
        let first = try client.call(GetState.self, .init())
        running.backend.isBusy.withLock { $0 = true }
        #expect(try client.call(GetState.self, .init()) == first)
        #expect(try await running.backend.state() == first.state)
    }

    @Test("Changes and questions of one connection are answered in their order, wherever they are answered")
    func order() throws {
        let running = try RunningService()
        let client = try running.client()
        for _ in 0..<200 {
            #expect(try client.call(Pause.self, .init()).state.run == .paused)
            #expect(try client.call(GetState.self, .init()).state.run == .paused)
            #expect(try client.call(Resume.self, .init()).state.run == .running)
            #expect(try client.call(GetState.self, .init()).state.run == .running)
        }
    }
}
