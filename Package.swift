// swift-tools-version: 6.2
import PackageDescription

// One array for every Swift target: the house has one dialect.
let houseSettings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

/// The Swift runtime libraries are shipped beside the binaries (see `make install`).
let doorLinker: [LinkerSetting] = [
    .unsafeFlags(["-Xlinker", "-rpath", "-Xlinker", "$ORIGIN/../lib/patchsim"])
]

func room(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: houseSettings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: houseSettings)
}

func door(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(
        name: name, dependencies: dependencies, swiftSettings: houseSettings, linkerSettings: doorLinker)
}

let package = Package(
    name: "patchsim",
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    ],
    targets: [
        // Foreign code, one module each.
        .systemLibrary(name: "CZydis"),
        .systemLibrary(name: "CArchive"),
        .systemLibrary(name: "CSystemd"),
        .target(name: "CPlatform"),
        // Floor 0: the machine.
        room("X86", ["CZydis"]),
        room("MachineModel", ["X86"]),
        // Floor 1: images and the kernel's common floor.
        room("KernelImage", ["X86", "CArchive"]),
        room("KernelModel", ["MachineModel", "X86"]),
        room("EntryCode", ["KernelModel", "MachineModel", "X86"]),
        // Floor 2: what patches text.
        room("TextPatching", ["KernelModel", "MachineModel", "X86"]),
        room("Ftrace", ["TextPatching", "X86"]),
        room("ScratchExecution", ["KernelImage", "MachineModel", "X86"]),
        // Floor 3: worlds.
        room(
            "Simulation", ["Ftrace", "TextPatching", "EntryCode", "KernelModel", "KernelImage", "MachineModel", "X86"]),
        // Floor 4: faces.
        room("Locking"),
        room("Spelling"),
        room("SimulationRuntime", ["Locking", "Simulation", "MachineModel", "X86"]),
        room("KernelFiles", ["Spelling", "Simulation", "Ftrace", "KernelImage", "X86"]),
        room("Varlink", ["Locking", "CPlatform"]),
        room("FindingStore", ["Locking", .product(name: "GRDB", package: "GRDB.swift")]),
        room("Systemd", ["Locking", "CSystemd", "CPlatform"]),
        room("PatchsimInterface", []),
        room("Configuration", ["Spelling", "PatchsimInterface"]),
        room(
            "PatchsimService",
            [
                "Locking", "SimulationRuntime", "Simulation", "KernelFiles", "Ftrace", "TextPatching", "EntryCode",
                "KernelModel", "MachineModel", "Varlink", "Systemd", "PatchsimInterface", "Configuration", "Spelling",
                "FindingStore", "KernelImage",
                "X86", .product(name: "Logging", package: "swift-log"),
            ]),
        // Floor 5: doors.
        door(
            "patchsimd",
            [
                "PatchsimService", "PatchsimInterface", "Configuration", "FindingStore", "Locking", "Varlink",
                "Systemd",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),
        door(
            "patchsimctl",
            [
                "Varlink", "Systemd", "PatchsimInterface", "ScratchExecution", "EntryCode", "MachineModel", "X86",
                "Spelling",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),
        // Tests, a target per room; HouseTests reads the sources, ServiceTests runs the built doors.
        tests("X86Tests", ["X86"]),
        tests("MachineModelTests", ["MachineModel", "X86"]),
        tests("KernelImageTests", ["KernelImage", "CArchive", "X86"]),
        tests("KernelModelTests", ["KernelModel", "MachineModel", "X86"]),
        tests("EntryCodeTests", ["EntryCode", "KernelModel", "MachineModel", "X86"]),
        tests("TextPatchingTests", ["TextPatching", "KernelModel", "MachineModel", "X86"]),
        tests("ScratchExecutionTests", ["ScratchExecution", "MachineModel", "X86"]),
        tests("FtraceTests", ["Ftrace", "TextPatching", "KernelImage", "X86"]),
        tests(
            "SimulationTests",
            ["Simulation", "Ftrace", "TextPatching", "KernelModel", "KernelImage", "MachineModel", "X86"]),
        tests("KernelFilesTests", ["KernelFiles", "Simulation", "Ftrace", "KernelImage", "X86"]),
        tests(
            "SimulationRuntimeTests",
            [
                "Locking", "SimulationRuntime", "TextPatching", "MachineModel", "Simulation", "KernelFiles",
                "KernelImage",
                "Ftrace", "X86",
            ]),
        tests("FindingStoreTests", ["FindingStore", "Locking", .product(name: "GRDB", package: "GRDB.swift")]),
        tests("VarlinkTests", ["Locking", "Varlink"]),
        tests("SpellingTests", ["Spelling"]),
        tests("ConfigurationTests", ["Configuration", "PatchsimInterface", "Spelling"]),
        tests("SystemdTests", ["Systemd"]),
        tests(
            "ServiceTests",
            [
                "PatchsimService", "PatchsimInterface", "FindingStore", "SimulationRuntime", "Configuration",
                "TextPatching",
                "EntryCode", "Locking",
                "Varlink", "Systemd", "X86",
                .product(name: "Logging", package: "swift-log"),
            ]),
        tests("HouseTests", []),
    ]
)
