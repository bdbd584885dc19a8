import FoundationEssentials

/// A file of the repository, as the checkers see it. Checkers take values, so that a test can plant a violation.
struct RepositoryFile: Sendable {
    /// Relative to the repository's root.
    let path: String
    let text: String

    var lines: [Substring] {
        text.split(separator: "\n", omittingEmptySubsequences: false)
    }

    /// The room, door or test target that a file under Sources or Tests belongs to.
    var target: String? {
        let parts = path.split(separator: "/")
        guard parts.count >= 3, parts[0] == "Sources" || parts[0] == "Tests" else { return nil }
        return String(parts[1])
    }
}

enum Repository {
    static let root: String = {
        // Tests/HouseTests/Repository.swift, three names below the root.
        #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }
    }()

    /// What a build or a run leaves behind isn't the repository's.
    private static let skipped: Set<String> = [".git", "Package.resolved", ".demo-state"]
    private static let binarySuffixes = [".png", ".gz", ".xz", ".zst", ".bin", ".ko", ".o"]

    /// Every text file of the repository.
    static let files: [RepositoryFile] = {
        var found: [RepositoryFile] = []
        var folders = [""]
        while let folder = folders.popLast() {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: root + "/" + folder)) ?? []
            for name in names.sorted() where !skipped.contains(name) && !name.hasPrefix(".build") {
                let path = folder.isEmpty ? name : folder + "/" + name
                var isFolder = false
                guard FileManager.default.fileExists(atPath: root + "/" + path, isDirectory: &isFolder) else {
                    continue
                }
                if isFolder {
                    folders.append(path)
                } else if !binarySuffixes.contains(where: name.hasSuffix),
                    let text = try? String(contentsOfFile: root + "/" + path, encoding: .utf8)
                {
                    found.append(RepositoryFile(path: path, text: text))
                }
            }
        }
        return found.sorted { $0.path < $1.path }
    }()

    static var swiftFiles: [RepositoryFile] {
        files.filter { $0.path.hasSuffix(".swift") }
    }

    static func text(of path: String) -> String {
        guard let file = files.first(where: { $0.path == path }) else { return "" }
        return file.text
    }
}
