public import Simulation

/// A whole run from a seed and its inputs, without a clock and without a queue.
public enum SeededRun {
    /// Takes turns until `turns` are taken or the world is stopped. An input recorded before turn n is done before it.
    public static func replay(
        _ start: World, inputs: [(turn: UInt64, input: WorldInput)], turns: UInt64, apply: InputApplication,
        isCancelled: () -> Bool = { false }
    ) -> World {
        var world = start
        let driver = SeededDriver(seed: start.kernel.configuration.seed, environment: start.kernel.environment)
        var next = inputs.startIndex
        while world.kernel.turn < turns, !world.kernel.isStopped {
            if world.kernel.turn % ReplayQueue.turnsBetweenChecks == 0, isCancelled() { break }
            while next < inputs.endIndex, inputs[next].turn <= world.kernel.turn {
                apply(inputs[next].input, &world.kernel)
                next += 1
            }
            driver.take(&world)
        }
        return world
    }
}
