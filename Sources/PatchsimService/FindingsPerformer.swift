internal import FindingStore
internal import PatchsimInterface
internal import Varlink

/// Answers io.patchsim.Findings from the store.
struct FindingsPerformer: Sendable {
    let store: FindingStore

    func list(before: Int?, count: Int) throws -> ListFindings.Reply {
        try kept {
            ListFindings.Reply(
                findings: try store.findings(before: before, count: count).map(FindingRecord.init),
                store: try record())
        }
    }

    func get(_ id: Int) throws -> GetFinding.Reply {
        try kept {
            guard let found = try store.finding(id) else { throw try missing(id) }
            return GetFinding.Reply(finding: FindingRecord(found))
        }
    }

    /// Sends each of `ids`, or all; the last reply has none.
    func export(_ ids: [Int]?, _ stream: ServicePerformer.Stream) async throws -> ExportFindings.Reply {
        if !stream.wantsMore {
            guard let ids, ids.count == 1 else { throw VarlinkError.expectedMore() }
            return ExportFindings.Reply(finding: try get(ids[0]).finding)
        }
        if let ids {
            for id in ids { try await stream.send(ExportFindings.Reply(finding: try get(id).finding)) }
            return ExportFindings.Reply()
        }
        var before: Int?
        while let page = try Optional(kept({ try store.findings(before: before, count: ServiceLimits.findingsMax) })),
            let last = page.last
        {
            for found in page { try await stream.send(ExportFindings.Reply(finding: FindingRecord(found))) }
            before = last.id
        }
        return ExportFindings.Reply()
    }

    /// All of `ids` or none; nil is all there are.
    func delete(_ ids: [Int]?) throws -> DeleteFindings.Reply {
        try kept {
            guard let ids else { return DeleteFindings.Reply(deleted: try store.deleteAll()) }
            if let absent = try store.delete(ids) { throw try missing(absent) }
            return DeleteFindings.Reply(deleted: Set(ids).count)
        }
    }

    private func missing(_ id: Int) throws -> FindingsFault.NoSuchFinding {
        FindingsFault.NoSuchFinding(id: id, near: try store.findings(count: Self.nearMax).map(\.id))
    }

    /// Numbers that an error names.
    private static let nearMax = 16

    private func record() throws -> StoreRecord {
        let counts = try store.findingCounts()
        let reason: String? =
            switch store.condition {
            case .durable: nil
            case .volatile(let reason), .unavailable(let reason): reason
            }
        return StoreRecord(
            path: store.path, durable: reason == nil, reason: reason, kept: counts.kept, dropped: counts.dropped,
            waiting: store.waitingCount)
    }

    private func kept<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as StoreError {
            throw ServiceFault.NotDurable(reason: error.description)
        }
    }
}

extension FindingRecord {
    fileprivate init(_ stored: StoredFinding) {
        let finding = stored.finding
        self.init(
            id: stored.id, foundAt: finding.foundAt, version: finding.version, kernel: finding.kernel,
            banner: finding.banner, invariant: finding.invariant, title: finding.title, message: finding.message,
            cpu: finding.cpu, address: finding.address, symbol: finding.symbol, nanoseconds: finding.nanoseconds,
            eventHash: finding.eventHash, bounds: finding.bounds, replay: finding.replay,
            checks: finding.checks.map {
                FindingChecks(
                    invariant: $0.invariant, title: $0.title, checks: $0.checks, violations: $0.violations)
            })
    }
}
