import ScheduleExplorer
import PokeLanguage
import Dispatch
import Foundation

func pokeBench() throws {
    let text = try String(contentsOfFile: "/work/h/explorer-mini/Sources/bench/final.poke", encoding: .utf8)
    let file = PokeFile(name: "final.poke", text: text)
    for d in file.diagnostics { print(d) }
    func run(_ design: String, _ scenario: String, _ change: (inout ScenarioSettings) -> Void = { _ in }) {
        var s = ScenarioSettings()
        change(&s)
        do {
            let model = try file.model(design: design, scenario: scenario, s)
            let t0 = DispatchTime.now().uptimeNanoseconds
            var search = Search(model, statesMax: 5_000_000, stopsAtViolation: false)
            while search.advance(100_000) == .unfinished {}
            let t = Double(DispatchTime.now().uptimeNanoseconds - t0) / 1e9
            print(design, scenario, s.without, s.placement ?? -1, s.cpus ?? 0, search.status, search.stateCount, search.steps, search.violations.map { "I\($0.key) in \(search.schedule(to: $0.value).choices.count) steps" }.sorted(), "stuck", search.stuck ?? -1, model.wordCount, "words \(Double(search.stateCount) / t / 1e6) M/s")
            if search.status == .exhausted { print("   progress:", search.progress()) }
        } catch PokeCompileError.diagnostics(let ds) { for d in ds { print(d) } } catch { print(error) }
    }
    run("text_poke_bp", "call_to_call")
    run("text_poke_bp", "call_to_call") { $0.placement = 14 }
    run("text_poke_bp", "call_to_call") { $0.placement = 14; $0.without = ["sync1"] }
    run("text_poke_bp", "call_to_call") { $0.placement = 14; $0.without = ["sync2"] }
    run("text_poke_bp", "call_to_call") { $0.placement = 14; $0.without = ["sync3"] }
    run("text_poke_bp", "call_to_call") { $0.placement = 0; $0.without = ["sync1"] }
    run("text_poke_bp", "call_to_call") { $0.placement = 0; $0.fetch = .byte }
    run("text_poke_bp", "call_to_call") { $0.placement = 14; $0.without = ["sync4"] }
    run("nop_in_window", "call_to_call")
    run("retry", "call_to_call")
    run("retry", "irqs_off")
}
