extension FtraceState {
    /// FTRACE_BUFF_MAX: the longest word of a filter file.
    public static let filterWordLengthMax = 671
    /// Filters for modules that aren't loaded, per file.
    public static let moduleFiltersMax = 256

    /// A write to set_ftrace_filter or set_ftrace_notrace: opening truncates unless `append`, then word after word is
    /// matched, and closing applies what was gathered, even after a word that failed.
    ///
    /// The kernel ignores a bad last word that no newline follows, since it sees it only while closing; here it is an error.
    public mutating func writeFilter(
        array: Int, notrace: Bool, words text: String, append: Bool, text reading: some TextReading
    ) throws(FtraceError) -> FtraceUpdate {
        _ = try requireTarget()
        let id = arrays[array].ops
        var hash = FtraceHash()
        if append {
            hash = notrace ? ops(id).hash.notrace : ops(id).hash.filter
        } else {
            setModuleFilters(array, notrace: notrace, [])
        }
        var failure: FtraceError?
        for word in text.utf8.split(whereSeparator: Self.isSpace) {
            do {
                try process(Array(word), array: array, notrace: notrace, hash: &hash)
            } catch {
                failure = error
                break
            }
        }
        hash.waitsForModule = !notrace && !arrays[array].moduleFilters.isEmpty
        var update = try setHash(id, hash, notrace: notrace, text: reading)
        update.failure = failure ?? update.failure
        return update
    }

    /// isspace()
    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || (0x09...0x0d).contains(byte)
    }

    /// ftrace_process_regex(): a pattern, or `function:mod:module`.
    private mutating func process(
        _ word: [UInt8], array: Int, notrace: Bool, hash: inout FtraceHash
    ) throws(FtraceError) {
        guard word.count <= Self.filterWordLengthMax else { throw .wordTooLong }
        let text = String(decoding: word, as: UTF8.self)
        let parts = word.split(separator: UInt8(ascii: ":"), maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count > 1 else {
            guard match(FtraceGlob(word), module: nil, hash: &hash) else { throw .noMatch(pattern: text) }
            return
        }
        guard parts[1].elementsEqual("mod".utf8) else {
            throw .unknownCommand(String(decoding: parts[1], as: UTF8.self))
        }
        let module = parts.count > 2 ? Array(parts[2]) : nil
        if match(FtraceGlob(parts[0]), module: module, hash: &hash) { return }
        guard let module, !module.isEmpty else { throw .noMatch(pattern: text) }
        try cacheModule(
            function: String(decoding: parts[0], as: UTF8.self), module: String(decoding: module, as: UTF8.self),
            array: array, notrace: notrace, word: text)
    }

    /// match_records(): what the pattern matches goes into `hash`, or out of it. Returns whether anything matched.
    ///
    /// No function here belongs to a module, so `module` admits either nothing (a name) or everything (`!name`).
    private func match(_ glob: FtraceGlob, module: [UInt8]?, hash: inout FtraceHash) -> Bool {
        if glob.kind == .index {
            guard let line = glob.lineNumber, line <= records.count else { return false }
            Self.enter(&hash, line - 1, remove: glob.isNegated)
            return true
        }
        if let module, module.first != UInt8(ascii: "!") { return false }
        var found = false
        for record in records.indices where !records[record].has(.disabled) {
            let isBlank = module != nil && glob.search.isEmpty
            guard isBlank || glob.matches(names[record]) else { continue }
            Self.enter(&hash, record, remove: glob.isNegated)
            found = true
        }
        return found
    }

    /// enter_record()
    private static func enter(_ hash: inout FtraceHash, _ record: Int, remove: Bool) {
        if remove { hash.remove(record) } else { hash.insert(record) }
    }

    /// cache_mod(): keeps the filter until its module comes, or with `!` forgets it.
    private mutating func cacheModule(
        function: String, module: String, array: Int, notrace: Bool, word: String
    ) throws(FtraceError) {
        var list = notrace ? arrays[array].moduleNotraces : arrays[array].moduleFilters
        if function.hasPrefix("!") {
            let name = function.dropFirst()
            let before = list.count
            list.removeAll { $0.module == module && (name == "*" || $0.function == name) }
            guard list.count < before else { throw .noMatch(pattern: word) }
        } else {
            guard list.count < Self.moduleFiltersMax else { throw .noMatch(pattern: word) }
            list.append(TraceArray.ModuleFilter(function: function, module: module))
        }
        setModuleFilters(array, notrace: notrace, list)
    }

    private mutating func setModuleFilters(_ array: Int, notrace: Bool, _ list: [TraceArray.ModuleFilter]) {
        if notrace { arrays[array].moduleNotraces = list } else { arrays[array].moduleFilters = list }
    }
}
