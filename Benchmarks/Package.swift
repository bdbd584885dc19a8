// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

// A package of its own: nobody who builds patchsim builds this. The rooms are the same sources.
let package = Package(
    name: "patchsim-benchmarks",
    targets: [
        .systemLibrary(name: "CZydis"),
        .target(name: "X86", dependencies: ["CZydis"], swiftSettings: settings),
        .target(name: "MachineModel", dependencies: ["X86"], swiftSettings: settings),
        .executableTarget(
            name: "InterpreterBenchmark", dependencies: ["MachineModel", "X86"],
            swiftSettings: [.swiftLanguageMode(.v6), .enableUpcomingFeature("ExistentialAny")]),
    ])
