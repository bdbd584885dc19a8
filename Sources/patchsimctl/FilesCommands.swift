internal import ArgumentParser
internal import PatchsimInterface

struct FilesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fs", abstract: "Use the kernel's virtual files.",
        subcommands: [FilesList.self, FilesRead.self, FilesWrite.self, FilesMkdir.self, FilesRmdir.self])
}

struct FilesList: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "ls", abstract: "List a directory.")
    @OptionGroup(title: "Global options") var options: GlobalOptions

    @Argument var path = "/"

    func run() throws {
        try Session.run("fs ls", options) { session in
            try session.call(ListFiles.self, .init(path: path)) { reply in
                var table = TextTable([("", .left), ("", .left)])
                for entry in reply.entries {
                    table.add([
                        (entry.directory ? "d" : "-") + entry.permissions, entry.name + (entry.directory ? "/" : ""),
                    ])
                }
                Output.write(table.text)
            }
        }
    }
}

struct FilesRead: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "read", abstract: "Write a file's text to stdout.")
    @OptionGroup(title: "Global options") var options: GlobalOptions

    @Argument var path: String

    func run() throws {
        try Session.run("fs read", options) { session in
            try session.stream(ReadFile.self, .init(path: path)) { reply, _ in Output.write(reply.text) }
        }
    }
}

struct FilesWrite: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "write", abstract: "Write a text and a newline to a file, as echo does.",
        discussion: "Returns when the kernel has done what the text asks for.")
    @OptionGroup(title: "Global options") var options: GlobalOptions

    @Argument var path: String

    @Argument(help: "Put -- before a text that starts with a dash.")
    var text: String

    @Flag(help: "Append, as >> does.")
    var append = false

    func run() throws {
        try Session.run("fs write", options) { session in
            let parameters = WriteFile.Parameters(path: path, text: text + "\n", append: append ? true : nil)
            try session.call(WriteFile.self, parameters) { _ in }
        }
    }
}

struct FilesMkdir: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "mkdir", abstract: "Make a directory.")
    @OptionGroup(title: "Global options") var options: GlobalOptions

    @Argument var path: String

    func run() throws {
        try Session.run("fs mkdir", options) { session in
            try session.call(MakeDirectory.self, .init(path: path)) { _ in }
        }
    }
}

struct FilesRmdir: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "rmdir", abstract: "Remove a directory.")
    @OptionGroup(title: "Global options") var options: GlobalOptions

    @Argument var path: String

    func run() throws {
        try Session.run("fs rmdir", options) { session in
            try session.call(RemoveDirectory.self, .init(path: path)) { _ in }
        }
    }
}
