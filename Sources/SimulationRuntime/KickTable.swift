internal import Locking

/// Wakes live CPUs by number. Weak: the host owns them.
final class KickTable: Sendable {
    private struct Entry {
        weak var cpu: LiveCPU?
    }

    private let cpus = Guarded<[Entry]>([])

    func set(_ live: [LiveCPU]) {
        cpus.withLock { $0 = live.map { Entry(cpu: $0) } }
    }

    func kick(_ numbers: [Int]) {
        let woken = cpus.withLock { cpus in numbers.compactMap { cpus[$0].cpu } }
        for cpu in woken { cpu.kicked() }
    }
}
