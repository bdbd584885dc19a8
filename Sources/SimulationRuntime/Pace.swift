internal import Dispatch

/// Keeps a driver at its speed: instructions per second of wall-clock time, without catching up on long gaps.
struct Pace {
    /// Shortest and longest sleep between bursts.
    static let waitMicrosecondsMin = 20_000
    static let waitMicrosecondsMax = 100_000
    /// Sleep of a CPU that has nothing to run.
    static let idleMicroseconds = 1_000
    /// Time that can be saved up, in nanoseconds.
    static let savedNanosecondsMax: UInt64 = 100_000_000

    private let instructionsPerSecond: Int
    private var began: UInt64 = 0
    private var used = 0

    init(instructionsPerSecond: Int) {
        self.instructionsPerSecond = max(instructionsPerSecond, 1)
    }

    mutating func restart() {
        began = DispatchTime.now().uptimeNanoseconds
        used = 0
    }

    mutating func use(_ instructions: Int) {
        used += max(instructions, 1)
    }

    private var allowed: Int {
        let elapsed = DispatchTime.now().uptimeNanoseconds &- began
        return Int(Double(elapsed) * Double(instructionsPerSecond) / 1e9)
    }

    /// Whether the instructions used so far are within the speed.
    var hasTime: Bool {
        mutating get {
            let elapsed = DispatchTime.now().uptimeNanoseconds &- began
            // What was not used in time is lost: a pause is not followed by a rush.
            let due = Int(Double(elapsed) * Double(instructionsPerSecond) / 1e9)
            let saved = Int(Double(Self.savedNanosecondsMax) * Double(instructionsPerSecond) / 1e9)
            if due - used > saved { used = due - saved }
            return used < due
        }
    }

    /// How long to sleep until there is time again.
    var waitMicroseconds: Int {
        let behind = Double(used - allowed) * 1e6 / Double(instructionsPerSecond)
        return min(max(Int(behind), Self.waitMicrosecondsMin), Self.waitMicrosecondsMax)
    }
}
