internal import Configuration
internal import PatchsimInterface
internal import Spelling
internal import Varlink
internal import X86

/// Parameters as they came, made into an action or refused.
extension ServiceAction {
    static func setLogLevel(_ parameters: SetLogLevel.Parameters) throws(VarlinkError) -> ServiceAction {
        guard let level = LogSettings.Level(rawValue: parameters.level) else {
            let levels = LogSettings.Level.allCases.map(\.rawValue)
            let near = nearest(to: parameters.level, in: levels, countMax: 1).first
            throw .invalidParameter(
                "level", "is one of \(levels.joined(separator: ", "))" + (near.map { "; did you mean \($0)?" } ?? ""))
        }
        return .setLogLevel(level)
    }

    static func step(_ parameters: Step.Parameters) throws(VarlinkError) -> ServiceAction {
        if let cpu = parameters.cpu { _ = try bounded("cpu", cpu, 0...ServiceSettings.cpusMax - 1) }
        let count = try bounded("count", parameters.count ?? 1, 1...ServiceLimits.stepsMax)
        return .step(cpu: parameters.cpu, count: count, back: parameters.back ?? false)
    }

    static func readText(_ parameters: ReadText.Parameters) throws(VarlinkError) -> ServiceAction {
        .readText(
            try address("address", parameters.address),
            length: try bounded("length", parameters.length, 1...ServiceLimits.textBytesMax))
    }

    static func disassemble(_ parameters: Disassemble.Parameters) throws(VarlinkError) -> ServiceAction {
        var count: Int?
        if let wanted = parameters.count { count = try bounded("count", wanted, 1...ServiceLimits.instructionsMax) }
        return .disassemble(try place("symbol", parameters.symbol, parameters.address), count: count)
    }

    static func lookupSymbol(_ parameters: LookupSymbol.Parameters) throws(VarlinkError) -> ServiceAction {
        .lookupSymbol(try place("name", parameters.name, parameters.address))
    }

    static func readFile(_ parameters: ReadFile.Parameters) throws(VarlinkError) -> ServiceAction {
        .readFile(
            path: try path(parameters.path), offset: try bounded("offset", parameters.offset ?? 0, 0...Int.max),
            count: try bounded(
                "count", parameters.count ?? ServiceLimits.fileChunkBytesMax, 1...ServiceLimits.fileChunkBytesMax))
    }

    static func writeFile(_ parameters: WriteFile.Parameters) throws(VarlinkError) -> ServiceAction {
        let text = try short("text", parameters.text, bytesMax: ServiceLimits.fileWriteBytesMax)
        return .writeFile(path: try path(parameters.path), text: text, append: parameters.append ?? false)
    }

    static func setTracing(_ enabled: Bool, _ glob: String) throws(VarlinkError) -> ServiceAction {
        guard !glob.isEmpty else { throw .invalidParameter("glob", "is empty; * is every function") }
        return .setTracing(enabled, glob: try short("glob", glob, bytesMax: ServiceLimits.globBytesMax))
    }

    static func recentEvents(_ parameters: GetRecentEvents.Parameters) throws(VarlinkError) -> ServiceAction {
        let count = try bounded("count", parameters.count ?? recentEventsDefault, 1...EventFeed.eventsKeptMax)
        return .recentEvents(count: count, kinds: try eventKinds(parameters.kinds))
    }

    static func subscribe(_ parameters: SubscribeEvents.Parameters) throws(VarlinkError) -> ServiceAction {
        if let from = parameters.from { _ = try bounded("from", from, 1...Int.max) }
        return .subscribe(from: parameters.from, kinds: try eventKinds(parameters.kinds))
    }

    static func replay(_ parameters: ReplayLine.Parameters) throws(VarlinkError) -> ServiceAction {
        .replay(line: try short("line", parameters.line, bytesMax: ServiceLimits.replayLineBytesMax))
    }

    static func listFindings(_ parameters: ListFindings.Parameters) throws(VarlinkError) -> ServiceAction {
        if let before = parameters.before { _ = try bounded("before", before, 1...Int.max) }
        let count = try bounded("count", parameters.count ?? ServiceLimits.findingsMax, 1...ServiceLimits.findingsMax)
        return .listFindings(before: parameters.before, count: count)
    }

    static func exportFindings(_ parameters: ExportFindings.Parameters) throws(VarlinkError) -> ServiceAction {
        .exportFindings(ids: try findingIDs(parameters.ids))
    }

    static func deleteFindings(_ parameters: DeleteFindings.Parameters) throws(VarlinkError) -> ServiceAction {
        switch (try findingIDs(parameters.ids), parameters.all ?? false) {
        case (let ids?, false): return .deleteFindings(ids: ids)
        case (nil, true): return .deleteFindings(ids: nil)
        default: throw .invalidParameter("ids", "either ids or all is needed, and not both")
        }
    }

    private static func findingIDs(_ ids: [Int]?) throws(VarlinkError) -> [Int]? {
        guard let ids else { return nil }
        guard (1...ServiceLimits.findingIDsMax).contains(ids.count) else {
            throw .invalidParameter("ids", "has \(ids.count) entries; 1 to \(ServiceLimits.findingIDsMax) are allowed")
        }
        return ids
    }

    static func optionalGlob(_ glob: String?) throws(VarlinkError) -> String? {
        guard let glob else { return nil }
        return try short("glob", glob, bytesMax: ServiceLimits.globBytesMax)
    }

    static func path(_ path: String) throws(VarlinkError) -> String {
        guard path.hasPrefix("/") else { throw .invalidParameter("path", "must start with /, as /proc/kallsyms does") }
        return try short("path", path, bytesMax: ServiceLimits.pathBytesMax)
    }

    private static let recentEventsDefault = 100

    private static func eventKinds(_ kinds: [String]?) throws(VarlinkError) -> Set<String>? {
        guard let kinds else { return nil }
        guard kinds.count <= ServiceLimits.eventKindsMax else {
            throw .invalidParameter("kinds", "has more than \(ServiceLimits.eventKindsMax) entries")
        }
        return Set(kinds)
    }

    private static func place(
        _ nameParameter: String, _ name: String?, _ text: String?
    ) throws(VarlinkError) -> TextPlace {
        switch (name, text) {
        case (let name?, nil):
            return .symbol(try short(nameParameter, name, bytesMax: ServiceLimits.symbolBytesMax))
        case (nil, let text?):
            return .address(try address("address", text))
        default:
            throw .invalidParameter(nameParameter, "either \(nameParameter) or address is needed, and not both")
        }
    }

    private static func address(_ parameter: String, _ text: String) throws(VarlinkError) -> VirtualAddress {
        guard let value = Wire.address(text) else {
            throw .invalidParameter(parameter, "is no address; it should look like 0xffffffff81000000")
        }
        return VirtualAddress(value)
    }

    private static func bounded(
        _ parameter: String, _ value: Int, _ range: ClosedRange<Int>
    ) throws(VarlinkError) -> Int {
        guard range.contains(value) else {
            let bounds =
                range.upperBound == .max
                ? "less than \(range.lowerBound)" : "not in \(range.lowerBound) to \(range.upperBound)"
            throw .invalidParameter(parameter, "\(value) is \(bounds)")
        }
        return value
    }

    private static func short(_ parameter: String, _ text: String, bytesMax: Int) throws(VarlinkError) -> String {
        guard text.utf8.count <= bytesMax else {
            throw .invalidParameter(parameter, "is longer than \(bytesMax) bytes")
        }
        guard !text.utf8.contains(0) else { throw .invalidParameter(parameter, "contains a NUL") }
        return text
    }
}
