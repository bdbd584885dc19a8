/// Something in a file, the environment or the command line that can't be used: where, what, and what would be right.
public struct ConfigurationProblem: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Cause: Sendable, Hashable {
        /// A word of the command line.
        case option
        /// A file can't be read.
        case unreadable
        /// A file or a variable says something wrong.
        case content
    }

    public let cause: Cause
    /// A file, `PATCHSIMD_CPUS`, or `--cpus`.
    public let place: String
    /// In a file; nil where the problem belongs to no line.
    public let position: SourcePosition?
    /// The key with its tables, `interrupts.irq_rate`.
    public let key: String?
    public let message: String

    public init(
        _ cause: Cause, _ place: String, at position: SourcePosition? = nil, key: String? = nil, _ message: String
    ) {
        self.cause = cause
        self.place = place
        self.position = position
        self.key = key
        self.message = message
    }

    /// `FILE:LINE:COLUMN: KEY: MESSAGE`, in one line.
    public var description: String {
        Self.visible(
            place + (position.map { ":\($0.line):\($0.column)" } ?? "") + ": " + (key.map { "\($0): " } ?? "") + message
        )
    }

    /// Keys and paths may hold anything; what would end the line or steer a terminal is shown as an escape.
    private static func visible(_ text: String) -> String {
        var shown = ""
        for scalar in text.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator:
                shown += "\\u{" + String(scalar.value, radix: 16) + "}"
            default: shown.unicodeScalars.append(scalar)
            }
        }
        return shown
    }
}

/// Everything that is wrong with a configuration; at least one problem.
public struct ConfigurationProblems: Error, Sendable, Hashable, CustomStringConvertible {
    public let problems: [ConfigurationProblem]

    public init(_ problems: [ConfigurationProblem]) {
        precondition(!problems.isEmpty, "nothing is wrong")
        self.problems = problems
    }

    public var description: String {
        problems.map(\.description).joined(separator: "\n")
    }
}
