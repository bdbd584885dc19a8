import Testing

/// The checkers find what they are for: each test plants a violation.
@Suite struct CheckerTests {
    private func source(_ text: String, path: String = "Sources/X86/Planted.swift") -> RepositoryFile {
        RepositoryFile(path: path, text: text)
    }

    private let table = RoomRules.table(
        in: """
            | floor | room | what it is | rooms it imports | from outside |
            |---|---|---|---|---|
            | C | `CZydis` | decoder | | |
            | 0 | `X86` | bytes | `CZydis` | |
            | 3 | `Simulation` | world | `X86` | |
            | 4 | `Runtime` | drivers | `Simulation` | `Dispatch` `Logging` |
            """)

    // MARK: Rooms

    @Test func theTableIsRead() {
        #expect(table.map(\.name) == ["CZydis", "X86", "Simulation", "Runtime"])
        #expect(table[3] == Room(name: "Runtime", floor: 4, rooms: ["Simulation"], outside: ["Dispatch", "Logging"]))
        #expect(RoomRules.violationsOfFloors(table) == [])
    }

    @Test func anArrowUpwardsIsFound() {
        var planted = table
        planted[1] = Room(name: "X86", floor: 0, rooms: ["Simulation"], outside: [])
        #expect(RoomRules.violationsOfFloors(planted).count == 1)
        planted[1] = Room(name: "X86", floor: 0, rooms: ["Nowhere"], outside: [])
        #expect(RoomRules.violationsOfFloors(planted).count == 1)
    }

    @Test func anOutsideModuleOnALowerFloorIsFound() {
        var planted = table
        planted[2] = Room(name: "Simulation", floor: 3, rooms: ["X86"], outside: ["Dispatch"])
        #expect(RoomRules.violationsOfFloors(planted).count == 1)
        #expect(
            RoomRules.violations(
                in: source("import Dispatch\n", path: "Sources/Simulation/Planted.swift"), table: planted, manifest: [:]
            ).count == 1)
    }

    @Test func theManifestIsRead() {
        let manifest = RoomRules.manifest(
            """
            func room(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
                .target(name: name, dependencies: dependencies)
            }
                .systemLibrary(name: "CZydis"),
                room("X86", ["CZydis"]),
                room("Simulation", ["X86"]),
                room("Runtime", ["Simulation", .product(name: "Logging", package: "swift-log")]),
            """)
        #expect(manifest["Runtime"] == ["Simulation", "Logging"])
        #expect(RoomRules.violationsOfManifest(manifest, table) == [])
    }

    @Test(arguments: [
        ["CZydis": [], "X86": ["CZydis"], "Simulation": ["X86"]],
        ["CZydis": [], "X86": [], "Simulation": ["X86"], "Runtime": ["Simulation", "Logging"]],
        ["CZydis": [], "X86": ["CZydis"], "Simulation": ["X86"], "Runtime": ["Simulation", "X86", "Logging"]],
        ["CZydis": [], "X86": ["CZydis"], "Simulation": ["X86"], "Runtime": ["Simulation", "Logging"], "New": []],
    ])
    func aManifestThatDiffersIsFound(manifest: [String: [String]]) {
        #expect(RoomRules.violationsOfManifest(manifest, table).count == 1)
    }

    @Test(arguments: ["import Simulation", "public import Glibc", "@preconcurrency import struct Simulation.World"])
    func anImportThatTheTableDoesNotListIsFound(line: String) {
        let found = RoomRules.violations(in: source(line + "\n"), table: table, manifest: [:])
        #expect(found.count == 1)
    }

    @Test func anImportThatATestTargetDoesNotDependOnIsFound() {
        let file = source("@testable import Simulation\n", path: "Tests/X86Tests/Planted.swift")
        #expect(RoomRules.violations(in: file, table: table, manifest: ["X86Tests": ["X86"]]).count == 1)
        #expect(RoomRules.violations(in: file, table: table, manifest: ["X86Tests": ["Simulation"]]) == [])
    }

    @Test func importsInCommentsAndStringsAreNone() {
        let text =
            "// import Dispatch\n/* import Dispatch */\nlet text = \"\"\"\nimport Dispatch\n\"\"\"\nimport CZydis\n"
        #expect(SwiftSource(text).imports == ["CZydis"])
    }

    // MARK: Sizes

    private func function(lines: Int, before: String = "", body: String = "    work()\n") -> String {
        before + "func planted(_ text: String = \"{\") {\n" + String(repeating: body, count: lines - 2) + "}\n"
    }

    @Test func aLongFileIsFound() {
        #expect(SizeRules.violations(in: source(String(repeating: "\n", count: 500))) == [])
        #expect(SizeRules.violations(in: source(String(repeating: "\n", count: 501))).count == 1)
    }

    @Test func aLongFunctionIsFound() {
        #expect(SizeRules.violations(in: source(function(lines: 60))) == [])
        #expect(SizeRules.violations(in: source(function(lines: 61))).count == 1)
        let nested =
            "struct Outer {\n    init() {\n" + String(repeating: "        { \"}\" }()\n", count: 60) + "    }\n}\n"
        #expect(SizeRules.violations(in: source(nested)).count == 1)
    }

    @Test func aMarkedSwitchMayBeLongButOnlyASwitch() {
        let mark = "// exempt: one switch, a call a case\n"
        let single = "    switch x {\n" + String(repeating: "    case 1: call()\n", count: 70) + "    }\n"
        #expect(SizeRules.violations(in: source(function(lines: 3, before: mark, body: single))) == [])
        #expect(SizeRules.violations(in: source(function(lines: 3, body: single))).count == 1)
        #expect(SizeRules.violations(in: source(function(lines: 4, before: mark, body: single))).count == 1)
        #expect(SizeRules.violations(in: source(function(lines: 70, before: mark))).count == 1)
    }

    @Test func requirementsWithoutABodyAreNoFunctions() {
        let text = "protocol P {\n    func a()\n    func b() -> Int\n}\nfunc c() {\n}\n"
        #expect(SizeRules.functions(in: SwiftSource(text)).map(\.name) == ["c"])
    }

    @Test func bracesInStringsAndInterpolationsDoNotCount() {
        let text = "func a() {\n    print(\"{ \\(b(\"}\")) {\", #\"\\\"{\"#)\n}\nfunc b() {\n}\n"
        #expect(SizeRules.functions(in: SwiftSource(text)).map(\.lineCount) == [3, 2])
    }

    // MARK: Words

    @Test func marksPathsAndFoundationAreFound() {
        for text in WordRules.marks.map({ "// \($0): later" }) + WordRules.paths + ["import Foundation"] {
            #expect(WordRules.violations(in: source(text + "\n")).count == 1, "\(text)")
        }
        #expect(WordRules.violations(in: source("import FoundationEssentials // mastodon\n")) == [])
    }
}
