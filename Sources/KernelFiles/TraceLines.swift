import Ftrace
import Simulation
import X86

/// `trace` (s_show, print_trace_line): the header, then the entries of all CPUs in the order of their times.
struct TraceLines: LineSource {
    private let rings: [TraceRing]
    private let symbols: SymbolNames
    private var header: String?
    /// The next entry of each CPU.
    private var next: [Int]
    /// With an overrun the buffers start at different times, so each CPU's start is announced, but for the first line.
    private let announcesStarts: Bool
    private var started: Set<Int> = []
    private var lines = 0

    init(_ array: TraceArray, _ state: KernelState) {
        rings = array.rings
        symbols = SymbolNames(state)
        next = [Int](repeating: 0, count: rings.count)
        announcesStarts = rings.contains { $0.overrun > 0 }
        let entries = rings.reduce(0) { $0 + $1.count }
        let written = rings.reduce(0) { $0 + $1.written }
        header = Self.header(
            tracer: array.currentTracer, isDead: state.ftrace.isDisabled, entries: entries, written: written,
            cpus: state.cpuCount)
    }

    private static func header(tracer: Tracer, isDead: Bool, entries: Int, written: Int, cpus: Int) -> String {
        var text = "# tracer: \(tracer.rawValue)\n#\n"
        if isDead {
            text += "# WARNING: FUNCTION TRACING IS CORRUPTED\n#          MAY BE MISSING FUNCTION EVENTS\n"
        }
        text += "# entries-in-buffer/entries-written: \(entries)/\(written)   #P:\(cpus)\n"
        text += """
            #
            #                                _-----=> irqs-off/BH-disabled
            #                               / _----=> need-resched
            #                              | / _---=> hardirq/softirq
            #                              || / _--=> preempt-depth
            #                              ||| / _-=> migrate-disable
            #                              |||| /     delay
            #           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
            #              | |         |   |||||     |         |

            """
        return text
    }

    mutating func appendNext(to bytes: inout [UInt8]) -> Bool {
        if let header {
            bytes.append(contentsOf: header.utf8)
            self.header = nil
            return true
        }
        guard let cpu = oldest() else { return false }
        let entry = rings[cpu][next[cpu]]
        next[cpu] += 1
        lines += 1
        if announcesStarts, started.insert(cpu).inserted, lines > 1 {
            bytes.append(contentsOf: "##### CPU \(cpu) buffer started ####\n".utf8)
        }
        append(entry, cpu: cpu, to: &bytes)
        return true
    }

    /// peek_next_entry(): among equal times the lowest CPU comes first.
    private func oldest() -> Int? {
        var best: Int?
        var bestTime: UInt64 = 0
        for cpu in rings.indices where next[cpu] < rings[cpu].count {
            let time = rings[cpu][next[cpu]].nanoseconds
            if best == nil || time < bestTime {
                best = cpu
                bestTime = time
            }
        }
        return best
    }

    private func append(_ entry: TraceEntry, cpu: Int, to bytes: inout [UInt8]) {
        bytes.append(entry.pid == 0 ? "<idle>" : entry.comm.description, width: 16)
        bytes.append(UInt8(ascii: "-"))
        bytes.append(String(entry.pid), leftIn: 7)
        bytes.append(contentsOf: " [".utf8)
        bytes.append(String(cpu), width: 3, fill: UInt8(ascii: "0"))
        bytes.append(contentsOf: "] ".utf8)
        Self.appendFlags(entry, to: &bytes)
        // ns2usecs() rounds.
        let microseconds = (entry.nanoseconds + 500) / 1000
        bytes.append(UInt8(ascii: " "))
        bytes.append(String(microseconds / 1_000_000), width: 5)
        bytes.append(UInt8(ascii: "."))
        bytes.append(String(microseconds % 1_000_000), width: 6, fill: UInt8(ascii: "0"))
        bytes.append(contentsOf: ": ".utf8)
        symbols.append(entry.ip, to: &bytes)
        bytes.append(contentsOf: " <-".utf8)
        symbols.append(entry.parent, to: &bytes)
        bytes.append(UInt8(ascii: "\n"))
    }

    /// trace_print_lat_fmt(): five columns.
    private static func appendFlags(_ entry: TraceEntry, to bytes: inout [UInt8]) {
        let flags = entry.flags
        let irqsOff = flags.contains(.irqsOff)
        let bottomHalvesOff = flags.contains(.bottomHalvesOff)
        bytes.append(UInt8(ascii: irqsOff ? bottomHalvesOff ? "D" : "d" : bottomHalvesOff ? "b" : "."))
        let reschedule = flags.intersection([.needResched, .preemptResched])
        bytes.append(
            UInt8(
                ascii: reschedule == [.needResched, .preemptResched]
                    ? "N" : reschedule == .needResched ? "n" : reschedule == .preemptResched ? "p" : "."))
        let hardirq = flags.contains(.hardirq)
        let context: Unicode.Scalar =
            if flags.contains(.nmi) {
                hardirq ? "Z" : "z"
            } else if hardirq {
                flags.contains(.softirq) ? "H" : "h"
            } else {
                flags.contains(.softirq) ? "s" : "."
            }
        bytes.append(UInt8(ascii: context))
        for depth in [entry.preemptCount & 15, entry.preemptCount >> 4] {
            if depth == 0 { bytes.append(UInt8(ascii: ".")) } else { bytes.appendHex(UInt64(depth), digits: 1) }
        }
    }
}
