/// Words that no file of the repository may hold.
enum WordRules {
    // Put together here, so that this file holds none of them.
    static let marks = ["TO" + "DO", "FIX" + "ME"]
    static let paths = [".." + "/shared", "/wo" + "rk/"]

    static func violations(in file: RepositoryFile) -> [String] {
        var found: [String] = []
        for (index, line) in file.lines.enumerated() {
            let place = "\(file.path):\(index + 1)"
            for mark in marks where words(line).contains(Substring(mark)) {
                found.append("\(place): unfinished work (\(mark)) belongs into the issue tracker")
            }
            for path in paths where line.contains(path) {
                found.append("\(place): \(path) exists on one person's machine")
            }
        }
        if file.path.hasSuffix(".swift"), SwiftSource(file.text).imports.contains("Foundation") {
            found.append("\(file.path): Foundation brings ICU; import FoundationEssentials")
        }
        return found
    }

    private static func words(_ line: Substring) -> [Substring] {
        line.split { !($0.isLetter || $0.isNumber || $0 == "_") }
    }
}
