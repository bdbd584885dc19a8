/// One line of the table in docs/ARCHITECTURE.md.
struct Room: Equatable {
    let name: String
    /// -1 for C modules.
    let floor: Int
    let rooms: [String]
    let outside: [String]
}

/// The table, the manifest and the imports, held against each other.
enum RoomRules {
    /// Never on floors 0 to 3, whatever the table says: they would make a run depend on more than its seed.
    static let foreignToTheLowerFloors: Set<String> = ["Dispatch", "Foundation", "FoundationEssentials"]
    /// What the lower floors may import from outside, and where.
    static let allowedBelow: [String: Set<String>] = [
        "KernelImage": ["Glibc"], "MachineModel": ["Synchronization"],
    ]

    // MARK: The table

    static func table(in document: String) -> [Room] {
        document.split(separator: "\n").compactMap { line in
            let cells = line.split(separator: "|", omittingEmptySubsequences: false).dropFirst().dropLast()
                .map { $0.drop { $0 == " " } }
            guard cells.count == 5, let name = quoted(cells[1]).first else { return nil }
            let floor = cells[0].split(separator: " ").first ?? ""
            return Room(
                name: name, floor: floor == "C" ? -1 : Int(floor) ?? Int.max, rooms: quoted(cells[3]),
                outside: quoted(cells[4]))
        }
    }

    /// The words between backticks.
    private static func quoted(_ cell: Substring) -> [String] {
        cell.split(separator: "`", omittingEmptySubsequences: false).enumerated()
            .filter { $0.offset % 2 == 1 }.map { String($0.element) }
    }

    /// A room imports only what stands above it, on its own floor or a lower one.
    static func violationsOfFloors(_ table: [Room]) -> [String] {
        var found: [String] = []
        for (index, room) in table.enumerated() {
            for name in room.rooms {
                guard let position = table.firstIndex(where: { $0.name == name }) else {
                    found.append("\(room.name) imports \(name), which has no line in the table")
                    continue
                }
                if position >= index || table[position].floor > room.floor {
                    found.append("\(room.name) on floor \(room.floor) may not import \(name): arrows go down only")
                }
            }
            guard room.floor <= 3 else { continue }
            for name in room.outside where !(allowedBelow[room.name]?.contains(name) ?? false) {
                found.append("\(room.name) on floor \(room.floor) may not import \(name)")
            }
        }
        return found
    }

    // MARK: The manifest

    /// Target names and dependencies of Package.swift, C modules with none. Products count by their name.
    static func manifest(_ text: String) -> [String: [String]] {
        var targets: [String: [String]] = [:]
        for start in ["room(", "door(", "tests(", ".systemLibrary(", ".target("] {
            for call in calls(of: start, in: text) {
                var strings = literals(call)
                guard !strings.isEmpty else { continue }
                let name = strings.removeFirst()
                targets[name] = strings
            }
        }
        return targets
    }

    /// The arguments of every call that is written as `start`, declarations left out.
    private static func calls(of start: String, in text: String) -> [Substring] {
        var found: [Substring] = []
        var rest = text[...]
        while let range = rest.firstRange(of: start) {
            let before = rest[..<range.lowerBound].suffix(5)
            rest = rest[range.upperBound...]
            guard !before.hasSuffix("func "), before.last.map({ !$0.isLetter }) ?? true else { continue }
            var depth = 1
            var end = rest.startIndex
            while end < rest.endIndex, depth > 0 {
                if rest[end] == "(" { depth += 1 }
                if rest[end] == ")" { depth -= 1 }
                end = rest.index(after: end)
            }
            found.append(rest[..<end])
        }
        return found
    }

    /// The string literals of a call, without those that name a package.
    private static func literals(_ call: Substring) -> [String] {
        let pieces = call.split(separator: "\"", omittingEmptySubsequences: false)
        return pieces.indices.filter { $0 % 2 == 1 && !pieces[$0 - 1].hasSuffix("package: ") }.map {
            String(pieces[$0])
        }
    }

    /// The manifest states what the table states, and no test hangs on a room that isn't there.
    static func violationsOfManifest(_ manifest: [String: [String]], _ table: [Room]) -> [String] {
        var found: [String] = []
        let products: Set<String> = ["Logging", "TOMLKit", "GRDB", "ArgumentParser"]
        for room in table {
            guard let dependencies = manifest[room.name] else {
                found.append("\(room.name) is in the table, but not in Package.swift")
                continue
            }
            let expected = Set(room.rooms + room.outside.filter(products.contains))
            for name in Set(dependencies).symmetricDifference(expected).sorted() {
                found.append("\(room.name): the table and Package.swift differ on \(name)")
            }
        }
        let names = Set(table.map(\.name))
        for name in manifest.keys.sorted() where !names.contains(name) && !name.hasSuffix("Tests") {
            found.append("\(name) is in Package.swift, but not in the table")
        }
        return found
    }

    // MARK: The imports

    static func violations(in file: RepositoryFile, table: [Room], manifest: [String: [String]]) -> [String] {
        guard let target = file.target else { return [] }
        let imports = Set(SwiftSource(file.text).imports)
        guard file.path.hasPrefix("Sources/") else {
            // Tests may import what the manifest gives them, and what every Linux machine has.
            let rooms = Set(table.map(\.name))
            return imports.intersection(rooms).subtracting(manifest[target] ?? []).sorted().map {
                "\(file.path) imports \($0), which \(target) doesn't depend on"
            }
        }
        guard let room = table.first(where: { $0.name == target }) else {
            return ["\(file.path): \(target) has no line in docs/ARCHITECTURE.md"]
        }
        var found = imports.subtracting(room.rooms + room.outside).sorted().map {
            "\(file.path) imports \($0), which the line of \(target) doesn't list"
        }
        if room.floor <= 3 {
            found += imports.intersection(foreignToTheLowerFloors).sorted().map {
                "\(file.path) imports \($0) on floor \(room.floor)"
            }
        }
        return found
    }
}
