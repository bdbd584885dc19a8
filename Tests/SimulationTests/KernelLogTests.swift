import Testing

@testable import Simulation

@Suite("The kernel log") struct KernelLogTests {
    private func log(_ count: Int) -> KernelLog {
        var log = KernelLog()
        for number in 0..<count { log.append("\(number)", nanoseconds: UInt64(number)) }
        return log
    }

    @Test("A reader that goes on from the number it was given sees each line once, in order") func reading() {
        let log = log(10)
        var (next, texts): (UInt64, [String]) = (0, [])
        for _ in 0..<4 {
            let (lines, following) = log.lines(from: next, limit: 4)
            texts += lines.map(\.text)
            next = following
        }
        #expect(texts == (0..<10).map { "\($0)" })
        #expect(next == 10)
    }

    @Test("A reader that lags goes on with the oldest line that is still there") func dropped() {
        let log = log(KernelLog.linesMax + 1)
        let oldest = KernelLog.linesMax / 4
        let (lines, next) = log.lines(from: 3, limit: 2)
        #expect(lines.map(\.text) == ["\(oldest)", "\(oldest + 1)"])
        #expect(next == UInt64(oldest) + 2)
    }

    @Test("Where the machine was stepped back, a reader goes on at the end of what is left") func steppedBack() {
        let (lines, next) = log(5).lines(from: 9, limit: 4)
        #expect(lines.isEmpty && next == 5)
    }
}
