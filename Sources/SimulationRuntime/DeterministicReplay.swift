import MachineModel
import Simulation

/// Takes recorded turns again, with the inputs between them. The same turns make the same world, bit for bit.
struct DeterministicReplay {
    let cache: DecodeCache
    let apply: InputApplication
    /// Asked now and then; a cancelled replay stops where it is.
    var isCancelled: @Sendable () -> Bool = { false }

    /// Inputs recorded before turn n are done just before it; those behind the last turn are done at the end.
    func take(
        _ turns: ArraySlice<Turn>, _ inputs: [(turn: UInt64, input: WorldInput)], on world: inout World
    ) {
        var next = inputs.startIndex
        func applyDue() {
            while next < inputs.endIndex, inputs[next].turn <= world.kernel.turn {
                apply(inputs[next].input, &world.kernel)
                next += 1
            }
        }
        for turn in turns {
            if world.kernel.turn % ReplayQueue.turnsBetweenChecks == 0, isCancelled() { return }
            applyDue()
            world.take(turn, cache)
        }
        applyDue()
    }
}
