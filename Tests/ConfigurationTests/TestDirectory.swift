import Glibc

/// A directory of its own, removed with the test.
final class TestDirectory {
    let path = "/tmp/patchsim-configuration-\(getpid())-\(UInt64.random(in: 0 ... .max))"

    init() {
        mkdir(path, 0o700)
    }

    deinit {
        remove(path)
    }

    private func remove(_ path: String) {
        if unlink(path) == 0 || errno == ENOENT { return }
        guard let stream = opendir(path) else { return }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        closedir(stream)
        for name in names { remove("\(path)/\(name)") }
        rmdir(path)
    }

    /// Writes a file of this name, with the folders on the way to it, and returns its path.
    @discardableResult
    func write(_ name: String, _ text: String) -> String {
        write(name, bytes: Array(text.utf8))
    }

    @discardableResult
    func write(_ name: String, bytes: [UInt8]) -> String {
        let parts = name.split(separator: "/")
        for count in 1..<max(parts.count, 1) { mkdir("\(path)/" + parts[..<count].joined(separator: "/"), 0o700) }
        let file = "\(path)/\(name)"
        let descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        _ = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        close(descriptor)
        return file
    }
}

/// A file of the package, found from this file's place.
func packageFile(_ name: String) -> [UInt8] {
    let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
    let descriptor = open("\(root)/\(name)", O_RDONLY)
    guard descriptor >= 0 else { return [] }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while case let count = read(descriptor, &chunk, chunk.count), count > 0 { bytes += chunk[..<count] }
    return bytes
}
