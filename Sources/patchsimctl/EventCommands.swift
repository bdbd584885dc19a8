internal import ArgumentParser
internal import PatchsimInterface

struct EventsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "events", abstract: "Show what happened.")
    @OptionGroup(title: "Global options") var options: GlobalOptions

    @Flag(name: .shortAndLong, help: "Go on with events as they happen.")
    var follow = false

    @Option(help: "The newest so many.")
    var count: Int?

    @Option(help: ArgumentHelp("Only events of these kinds, with commas.", valueName: "list"))
    var kinds: String?

    func run() throws {
        let kinds = kinds?.split(separator: ",").map(String.init)
        try Session.run("events", options) { session in
            let recent = try session.answer(GetRecentEvents.self, .init(count: count, kinds: kinds)) { reply in
                Output.write(reply.events.map(eventLine).joined())
            }
            guard follow else { return }
            // Nothing is lost between the two calls: the second starts where the first ended.
            let from = recent.events.last.map { $0.sequence + 1 }
            try session.stream(SubscribeEvents.self, .init(from: from, kinds: kinds)) { reply, _ in
                if reply.lost > 0 { Output.line("... \(grouped(reply.lost)) events were lost") }
                if !reply.events.isEmpty { Output.write(reply.events.map(eventLine).joined()) }
            }
        }
    }
}

struct VerdictCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verdict", abstract: "Show whether the invariants held.",
        discussion: "Exit status 2 if one was violated.")
    @OptionGroup(title: "Global options") var options: GlobalOptions

    func run() throws {
        try Session.run("verdict", options) { session in
            let verdict = try session.answer(GetVerdict.self, Nothing()) { Output.write(verdictText($0)) }
            if !verdict.holds { throw ExitCode(ExitStatus.violated) }
        }
    }
}

struct ReplayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay", abstract: "Run a schedule again.",
        discussion: "Exit status 2 if it ends in a violation.")
    @OptionGroup(title: "Global options") var options: GlobalOptions

    @Argument(help: "The line that a violation came with.")
    var line: String

    func run() throws {
        try Session.run("replay", options) { session in
            let replay = try session.answer(ReplayLine.self, .init(line: line)) { reply in
                Output.write(reply.log.map { visible($0) + "\n" }.joined())
                Output.line("\(grouped(reply.turns)) turns")
                Output.write(reply.violation.map(violationText) ?? "no violation\n")
            }
            if replay.violation != nil { throw ExitCode(ExitStatus.violated) }
        }
    }
}

private func eventLine(_ event: EventRecord) -> String {
    let cpu = event.cpu.map { "CPU\($0)" } ?? "-"
    return "[\(seconds(event.nanoseconds))] \(padded(event.kind, 15)) \(padded(cpu, 5)) \(visible(event.text))\n"
}

private func verdictText(_ verdict: GetVerdict.Reply) -> String {
    var table = TextTable([("INVARIANT", .left), ("CHECKS", .right), ("VIOLATIONS", .right), ("", .left)])
    for invariant in verdict.invariants {
        table.add([invariant.id, grouped(invariant.checks), grouped(invariant.violations), invariant.title])
    }
    let outcome = verdict.holds ? "All invariants held" : "VIOLATED"
    return table.text + verdict.violations.map(violationText).joined() + "\(outcome). Bounds: \(verdict.bounds)\n"
}

private func violationText(_ violation: ViolationRecord) -> String {
    let place = violation.cpu.map { " on CPU \($0)" } ?? ""
    let time = seconds(violation.nanoseconds).drop { $0 == " " }
    return "\(violation.invariant) at \(time) s\(place): \(visible(violation.message))\n  replay: \(violation.replay)\n"
}
