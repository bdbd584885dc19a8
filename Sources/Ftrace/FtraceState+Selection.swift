/// The function tracer as a set of functions: what a client means by "trace these too" and "these no longer".
///
/// The files of tracefs can't say it in one write: an empty filter means every function, so the last one can't be taken
/// out of it, and a filter and a notrace hash that change together would be two updates.
extension FtraceState {
    /// Valid records whose name matches, ascending. A pattern of digits is a line of available_filter_functions; a leading
    /// `!` isn't heeded.
    public func records(matching glob: FtraceGlob) -> [Int] {
        if glob.kind == .index {
            guard let line = glob.lineNumber, line <= records.count, !records[line - 1].has(.disabled) else {
                return []
            }
            return [line - 1]
        }
        return records.indices.filter { !records[$0].has(.disabled) && glob.matches(names[$0]) }
    }

    /// Traces the matching functions besides those that the top level's tracer traces already, or no longer. The tracer
    /// goes on with the first function and off with the last.
    public mutating func select(
        _ glob: FtraceGlob, traced: Bool, text: some TextReading
    ) throws(FtraceError) -> (update: FtraceUpdate, matched: Int) {
        _ = try requireTarget()
        let matching = records(matching: glob)
        guard !matching.isEmpty else { throw .noMatch(pattern: String(decoding: glob.search, as: UTF8.self)) }
        let id = arrays[0].ops
        let isOn = arrays[0].currentTracer == .function
        guard isOn || traced else { return (FtraceUpdate(), matching.count) }

        var hash = isOn ? ops(id).hash : FtraceOpsHash(filter: FtraceHash(matching))
        // With an empty filter everything is traced but what the notrace hash holds.
        let isByFilter = !hash.filter.isEmpty
        for record in matching {
            if traced {
                hash.notrace.remove(record)
                if isByFilter { hash.filter.insert(record) }
            } else if isByFilter {
                hash.filter.remove(record)
            } else {
                hash.notrace.insert(record)
            }
        }
        let isLeft =
            isByFilter
            ? records.indices.contains { hash.filter.contains($0) && !hash.notrace.contains($0) }
            : records.indices.contains { !records[$0].has(.disabled) && !hash.notrace.contains($0) }
        if isLeft {
            let changed = try setHashes(id, hash, text: text)
            return (isOn ? changed : setTracer(array: 0, .function, text: text), matching.count)
        }
        let update = setTracer(array: 0, .nop, text: text)
        if !isDisabled { _ = try setHashes(id, FtraceOpsHash(), text: text) }
        return (update, matching.count)
    }
}
