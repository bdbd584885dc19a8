internal import Configuration
internal import KernelImage
internal import MachineModel
internal import PatchsimInterface
internal import Simulation
internal import SimulationRuntime
internal import TextPatching

extension SimulationBackend {
    // MARK: io.patchsim.Invariants

    func verdict() async throws -> GetVerdict.Reply {
        flushEvents()
        let verdict = host.withKernel { $0.verdict }
        let bounds = host.withKernel { self.settings.bounds($0) }
        return GetVerdict.Reply(
            holds: verdict.violation == nil, bounds: bounds,
            invariants: Invariant.allCases.map { invariant in
                InvariantRecord(
                    id: invariant.label, title: invariant.title, checks: Int(verdict.checks[invariant] ?? 0),
                    violations: verdict.violation?.invariant == invariant ? 1 : 0)
            }, violations: verdict.violation.map { [record($0, replay: replayLine($0))] } ?? [])
    }

    private func record(_ violation: Violation, replay: String) -> ViolationRecord {
        ViolationRecord(
            invariant: violation.invariant.label, nanoseconds: Int(violation.nanoseconds), cpu: violation.cpu,
            message: "\(violation.message) (at \(image.place(violation.address)))",
            replay: replay)
    }

    /// One line that leads to the violation again.
    func replayLine(_ violation: Violation) -> String {
        Self.replayLine(violation, host: host, settings: settings)
    }

    static func replayLine(_ violation: Violation, host: SimulationHost, settings: ServiceSettings) -> String {
        let run = RunDescription(settings)
        guard let inputs = host.seededInputs else {
            return ReplayText.recorded(turn: violation.turn + 1, run: run).line
        }
        return ReplayText.seeded(run, inputs: inputs, turns: violation.turn + 1).line
    }

    func replay(line: String) async throws -> ReplayLine.Reply {
        let text: ReplayText
        do {
            text = try ReplayText(parsing: line)
        } catch {
            throw InvariantsFault.BadReplayLine(line: line, reason: error.reason)
        }
        let world: World
        switch text {
        case .recorded(let turn, let run):
            guard run == RunDescription(settings) else {
                throw InvariantsFault.BadReplayLine(line: line, reason: "it was made by another daemon")
            }
            do {
                world = try await host.replayed(toTurn: turn)
            } catch {
                throw InvariantsFault.BadReplayLine(line: line, reason: "the daemon has no record of turn \(turn)")
            }
        case .seeded(let run, let inputs, let turns): world = try await replay(line, run, inputs, turns)
        }
        return ReplayLine.Reply(
            violation: world.kernel.verdict.violation.map { record($0, replay: line) }, turns: Int(world.kernel.turn),
            log: lastEvents(world))
    }

    private func replay(
        _ line: String, _ run: RunDescription, _ inputs: [(turn: UInt64, input: WorldInput)], _ turns: UInt64
    ) async throws -> World {
        guard run.kernel == settings.kernel else {
            throw InvariantsFault.BadReplayLine(
                line: line, reason: "it is about kernel \(run.kernel), this daemon holds \(settings.kernel)")
        }
        guard run.workload == RunDescription(settings).workload else {
            throw InvariantsFault.BadReplayLine(line: line, reason: "it was made with another workload file")
        }
        guard turns <= ReplayText.turnsMax else {
            throw InvariantsFault.BadReplayLine(line: line, reason: "more than \(ReplayText.turnsMax) turns")
        }
        do {
            var replayed = settings
            run.apply(to: &replayed)
            var factory = self.factory
            factory.setRates(replayed)
            let world = try factory.world(try factory.configuration(replayed))
            return await host.replays.run { isCancelled in
                SeededRun.replay(
                    world, inputs: inputs, turns: turns, apply: { KernelFileInput.apply($0, to: &$1) },
                    isCancelled: isCancelled)
            }
        } catch {
            throw InvariantsFault.BadReplayLine(line: line, reason: error.message)
        }
    }

    /// Events that a replay shows.
    private static let eventsShown = 24

    private func lastEvents(_ world: World) -> [String] {
        let next = world.kernel.events.next
        let from = next > UInt64(Self.eventsShown) ? next - UInt64(Self.eventsShown) : 0
        return world.kernel.events.events(from: from, limit: Self.eventsShown).map { event in
            let place = event.kind.address.map { " " + image.place($0) } ?? ""
            return "CPU \(event.cpu) \(event.nanoseconds) ns \(event.kind.name)\(place)"
        }
    }
}
