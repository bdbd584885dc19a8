internal import Glibc

/// A file of the configuration as it was read.
struct ConfigurationFile {
    static let bytesMax = 1 << 20
    /// Files of a drop-in directory.
    static let dropInsMax = 64

    let path: String
    let table: TOMLTable
    let problems: [ConfigurationProblem]

    /// Nil if there is none. What is wrong with its TOML is among its `problems`.
    init?(readingIfPresent path: String) throws(ConfigurationProblem) {
        guard let text = try Self.read(path) else { return nil }
        self.init(path, text)
    }

    init(reading path: String) throws(ConfigurationProblem) {
        guard let text = try Self.read(path) else {
            throw ConfigurationProblem(.unreadable, path, Self.message(ENOENT))
        }
        self.init(path, text)
    }

    init(_ path: String, _ text: [UInt8]) {
        self.path = path
        guard String(validating: text, as: UTF8.self) != nil else {
            table = TOMLTable()
            problems = [
                ConfigurationProblem(
                    .content, path, at: SourcePosition(line: Self.lineOfNoText(text), column: 1), "is not UTF-8 text")
            ]
            return
        }
        let (table, errors) = TOMLParser.parse(text)
        self.table = table
        problems = errors.map { ConfigurationProblem(.content, path, at: $0.position, $0.message) }
    }

    /// The first line that is no UTF-8.
    private static func lineOfNoText(_ text: [UInt8]) -> Int {
        let lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        return (lines.firstIndex { String(validating: $0, as: UTF8.self) == nil } ?? 0) + 1
    }

    private static func message(_ errno: Int32) -> String {
        String(cString: strerror(errno))
    }

    /// Nil if there is no file of that name.
    private static func read(_ path: String) throws(ConfigurationProblem) -> [UInt8]? {
        func failure(_ message: String) -> ConfigurationProblem { ConfigurationProblem(.unreadable, path, message) }
        // Not to wait for somebody who writes to a pipe of that name.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw failure(message(errno))
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure(message(errno)) }
        switch status.st_mode & S_IFMT {
        // /dev/null is how a file is masked.
        case S_IFREG, S_IFCHR: break
        case S_IFDIR: throw failure("is a directory; a file is needed")
        default: throw failure("is neither a file nor /dev/null")
        }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count == 0 { return bytes }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure(message(errno)) }
            bytes += chunk[..<count]
            guard bytes.count <= bytesMax else {
                throw ConfigurationProblem(.content, path, "is longer than \(bytesMax) bytes")
            }
        }
    }

    /// Paths of `directory`'s files whose names end in `.toml` and begin with no dot, in the order of their bytes; none if
    /// there is no such directory.
    static func dropIns(of directory: String) throws(ConfigurationProblem) -> [String] {
        func failure(_ message: String) -> ConfigurationProblem {
            ConfigurationProblem(.unreadable, directory, message)
        }
        guard let stream = opendir(directory) else {
            if errno == ENOENT { return [] }
            throw failure(message(errno))
        }
        defer { closedir(stream) }
        var names: [String] = []
        errno = 0
        while let entry = readdir(stream) {
            let bytes = withUnsafeBytes(of: entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            guard bytes.first != UInt8(ascii: "."), bytes.suffix(5).elementsEqual(".toml".utf8) else { continue }
            guard let name = String(validating: bytes, as: UTF8.self) else {
                throw failure("holds a file whose name is not UTF-8 text")
            }
            names.append(name)
        }
        guard errno == 0 else { throw failure(message(errno)) }
        guard names.count <= dropInsMax else {
            throw ConfigurationProblem(
                .content, directory, "holds \(names.count) files; \(dropInsMax) are allowed")
        }
        return names.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }.map { "\(directory)/\($0)" }
    }
}
