/// Answers case lines one by one: a line in, a line out, whatever the line holds.
public struct ScratchLines {
    private let runner: ScratchRunner
    private var line = 0

    public init(_ runner: ScratchRunner) {
        self.runner = runner
    }

    /// Appends the answer to `text`: a result, or `{"error":…,"line":…}`. An empty line has none.
    public mutating func answer(_ bytes: UnsafeRawBufferPointer, to text: inout [UInt8]) {
        line += 1
        if bytes.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0d }) { return }
        do {
            try runner.run(ScratchCase(json: bytes)).appendJSON(to: &text)
        } catch {
            refuse(error.description, to: &text)
        }
    }

    /// The answer to a line that was longer than `ScratchCase.lineMax` and was thrown away.
    public mutating func refuseTooLong(to text: inout [UInt8]) {
        line += 1
        refuse("a line has at most \(ScratchCase.lineMax) bytes", to: &text)
    }

    private func refuse(_ reason: String, to text: inout [UInt8]) {
        text.append("{\"error\":")
        text.appendQuoted(reason)
        text.append(",\"line\":\(line)}\n")
    }
}
