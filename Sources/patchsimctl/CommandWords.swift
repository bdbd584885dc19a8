internal import ArgumentParser
internal import Spelling

/// The words that name a command, looked at before the parser, which would complain about the options behind them.
enum CommandWords {
    /// Words of the parser's own.
    private static let own: Set = ["help", "--help", "-h", "--version", "--generate-completion-script"]

    /// What is wrong with the command's name, or nil. `words` has the command first; `options` is what was typed.
    static func problem(in words: [String], options: [String]) -> String? {
        guard !options.isEmpty, !words.contains(where: { own.contains($0) || $0.hasPrefix("--generate-completion") })
        else { return nil }
        var type: any ParsableCommand.Type = Patchsimctl.self
        var path: [String] = []
        for word in words {
            let commands = type.configuration.subcommands
            if commands.isEmpty { return nil }
            guard !word.hasPrefix("-") else {
                // A command with commands shows its help.
                return path.isEmpty ? "a command is missing before \(word); patchsimctl --help lists them" : nil
            }
            guard let next = commands.first(where: { name($0) == word }) else {
                let names = commands.map(name)
                let near = nearest(to: word, in: names, countMax: 1).first
                let hint = near.map { "did you mean \((path + [$0]).joined(separator: " "))?" }
                return "there is no command \((path + [visible(word)]).joined(separator: " ")); "
                    + (hint ?? "commands are \(names.joined(separator: ", "))")
            }
            path.append(word)
            type = next
        }
        return nil
    }

    private static func name(_ command: any ParsableCommand.Type) -> String {
        command.configuration.commandName ?? ""
    }
}
