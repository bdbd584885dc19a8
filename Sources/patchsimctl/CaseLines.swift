internal import Glibc
internal import ScratchExecution

/// Case lines from a descriptor, answers to stdout.
enum CaseLines {
    private static let chunkSize = 1 << 16
    /// Answers are written when so much has gathered, and whenever the next read might have to wait.
    private static let answersMax = 1 << 18

    /// Reads to the end of `descriptor`. Memory stays bounded whatever comes: a line that is too long is answered by an
    /// error and skipped.
    static func run(_ runner: ScratchRunner, from descriptor: Int32) {
        var lines = ScratchLines(runner)
        var chunk = [UInt8](repeating: 0, count: chunkSize)
        var pending: [UInt8] = []
        var answers: [UInt8] = []
        var isSkipping = false
        while true {
            if !answers.isEmpty, answers.count >= answersMax || !isReadable(descriptor) {
                Output.write(answers)
                answers.removeAll(keepingCapacity: true)
            }
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            chunk.withUnsafeBytes { buffer in
                var rest = UnsafeRawBufferPointer(rebasing: buffer[..<count])
                while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                    let part = UnsafeRawBufferPointer(rebasing: rest[..<end])
                    if isSkipping {
                        isSkipping = false
                        lines.refuseTooLong(to: &answers)
                    } else if pending.isEmpty {
                        lines.answer(part, to: &answers)
                    } else {
                        pending.append(contentsOf: part)
                        pending.withUnsafeBytes { lines.answer($0, to: &answers) }
                        pending.removeAll(keepingCapacity: true)
                    }
                    rest = UnsafeRawBufferPointer(rebasing: rest[(end + 1)...])
                }
                if !isSkipping { pending.append(contentsOf: rest) }
                if pending.count > ScratchCase.lineMax {
                    isSkipping = true
                    pending.removeAll()
                }
            }
        }
        if isSkipping { lines.refuseTooLong(to: &answers) }
        if !pending.isEmpty { pending.withUnsafeBytes { lines.answer($0, to: &answers) } }
        Output.write(answers)
    }

    private static func isReadable(_ descriptor: Int32) -> Bool {
        var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return Glibc.poll(&poll, 1, 0) > 0
    }
}
