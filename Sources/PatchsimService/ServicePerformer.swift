internal import Configuration
internal import PatchsimInterface
internal import Varlink
internal import X86

/// Carries out actions on a backend.
struct ServicePerformer: Sendable {
    let backend: any ServiceBackend
    let findings: FindingsPerformer
    let version: String
    /// Unix time in seconds.
    let startedAt: Int
    var settings = LiveSettings()
    let snapshots = FileSnapshots()

    /// Where an action's replies before the last one go.
    struct Stream: Sendable {
        let connection: Int
        let wantsMore: Bool
        let send: @Sendable (any Encodable & Sendable) async throws -> Void
    }

    /// The last reply; its type is that of the action's method.
    func perform(_ action: ServiceAction, _ stream: Stream) async throws -> any Encodable & Sendable {
        switch action {
        case .ping: Ping.Reply(version: version, startedAt: startedAt)
        case .getConfiguration: await settings.listed
        case .reload: try await settings.reload()
        case .setLogLevel(let level): SetLogLevel.Reply(before: await settings.setLogLevel(level).rawValue)
        case .getState: GetState.Reply(state: try await backend.state())
        case .listCPUs: ListCPUs.Reply(cpus: try await backend.cpus())
        case .listTasks: ListTasks.Reply(tasks: try await backend.tasks())
        case .pause: try await pause()
        case .resume: try await resume()
        case .step(let cpu, let count, let back): try await step(cpu, count, back)
        case .readText(let address, let length): try await readText(address, length)
        case .disassemble(let place, let count): try await backend.disassemble(from: place, count: count)
        case .lookupSymbol(let place): LookupSymbol.Reply(symbols: try await backend.symbols(at: place))
        case .listFunctions(let glob):
            try await batches(of: try await backend.functions(matching: glob), stream) {
                ListFunctions.Reply(functions: $0)
            }
        case .listFiles(let path): ListFiles.Reply(entries: try await backend.listFiles(path: path))
        case .readFile(let path, let offset, let count): try await readFile(path, offset, count, stream)
        case .writeFile(let path, let text, let append): try await write(path, text, append)
        case .makeDirectory(let path): try await makeDirectory(path)
        case .removeDirectory(let path): try await removeDirectory(path)
        case .setTracing(true, let glob):
            EnableTracing.Reply(update: try await backend.setTracing(true, glob: glob))
        case .setTracing(false, let glob):
            DisableTracing.Reply(update: try await backend.setTracing(false, glob: glob))
        case .listSites(let glob):
            try await batches(of: try await backend.ftraceSites(matching: glob), stream) { ListSites.Reply(sites: $0) }
        case .recentEvents(let count, let kinds):
            GetRecentEvents.Reply(events: backend.events.recent(count: count, kinds: kinds))
        case .subscribe(let from, let kinds): try await subscribe(from, kinds, stream)
        case .getVerdict: try await backend.verdict()
        case .replay(let line): try await backend.replay(line: line)
        case .listFindings(let before, let count): try findings.list(before: before, count: count)
        case .getFinding(let id): try findings.get(id)
        case .exportFindings(let ids): try await findings.export(ids, stream)
        case .deleteFindings(let ids): try findings.delete(ids)
        }
    }

    func stateAtOnce() -> GetState.Reply? {
        backend.stateAtOnce().map { GetState.Reply(state: $0) }
    }

    private func pause() async throws -> Pause.Reply {
        try await backend.pause()
        return Pause.Reply(state: try await backend.state())
    }

    private func resume() async throws -> Resume.Reply {
        try await backend.resume()
        return Resume.Reply(state: try await backend.state())
    }

    private func step(_ cpu: Int?, _ count: Int, _ back: Bool) async throws -> Step.Reply {
        let records = try await backend.step(cpu: cpu, count: count, back: back)
        return Step.Reply(
            steps: Array(records.suffix(ServiceLimits.stepRecordsMax)), state: try await backend.state())
    }

    private func readText(_ address: VirtualAddress, _ length: Int) async throws -> ReadText.Reply {
        let bytes = try await backend.textBytes(at: address, count: length)
        return ReadText.Reply(address: Wire.address(address.rawValue), bytes: Wire.bytes(bytes))
    }

    private func write(_ path: String, _ text: String, _ append: Bool) async throws -> Nothing {
        try await backend.writeFile(path: path, text: text, append: append)
        return Nothing()
    }

    private func makeDirectory(_ path: String) async throws -> Nothing {
        try await backend.makeDirectory(path: path)
        return Nothing()
    }

    private func removeDirectory(_ path: String) async throws -> Nothing {
        try await backend.removeDirectory(path: path)
        return Nothing()
    }

    private func readFile(_ path: String, _ offset: Int, _ count: Int, _ stream: Stream) async throws -> ReadFile.Reply
    {
        if stream.wantsMore {
            let snapshot = FileSnapshot(path: path, bytes: try await fileBytes(path))
            var chunk = snapshot.chunk(at: offset, count: count)
            while !chunk.end {
                try await stream.send(chunk)
                chunk = snapshot.chunk(at: chunk.next, count: count)
            }
            return chunk
        }
        let snapshot: FileSnapshot
        if offset > 0, let kept = snapshots.snapshot(of: path, connection: stream.connection) {
            snapshot = kept
        } else {
            snapshot = FileSnapshot(path: path, bytes: try await fileBytes(path))
        }
        let chunk = snapshot.chunk(at: offset, count: count)
        snapshots.keep(chunk.end ? nil : snapshot, connection: stream.connection)
        return chunk
    }

    private func fileBytes(_ path: String) async throws -> [UInt8] {
        let bytes = try await backend.readFile(path: path)
        guard bytes.count <= FileSnapshots.bytesMax else {
            throw FilesFault(
                errno: "EFBIG", path: path,
                reason: "the file has \(bytes.count) bytes; \(FileSnapshots.bytesMax) can be read")
        }
        return bytes
    }

    /// All records in replies of `streamBatchMax`. Without `more` they must fit into one.
    private func batches<Record: Sendable, Reply: Encodable & Sendable>(
        of records: [Record], _ stream: Stream, _ reply: ([Record]) -> Reply
    ) async throws -> Reply {
        let size = ServiceLimits.streamBatchMax
        guard records.count <= size || stream.wantsMore else { throw VarlinkError.expectedMore() }
        var start = 0
        while records.count - start > size {
            try await stream.send(reply(Array(records[start..<start + size])))
            start += size
        }
        return reply(Array(records[start...]))
    }

    private func subscribe(_ from: Int?, _ kinds: Set<String>?, _ stream: Stream) async throws -> SubscribeEvents.Reply
    {
        guard stream.wantsMore else { throw VarlinkError.expectedMore() }
        var reader = backend.events.reader(from: from)
        var waits = false
        while let (events, lost) = await reader.next(countMax: ServiceLimits.streamBatchMax, waits: waits) {
            let wanted = kinds.map { kinds in events.filter { kinds.contains($0.kind) } } ?? events
            // The first reply may be empty: it tells the client that the subscription stands.
            if !wanted.isEmpty || lost > 0 || !waits {
                try await stream.send(SubscribeEvents.Reply(events: wanted, lost: lost))
            }
            waits = true
        }
        return SubscribeEvents.Reply(events: [], lost: 0)
    }
}
