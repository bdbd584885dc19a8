import GRDB
import Glibc
import Locking
import Testing

@testable import FindingStore

@Suite struct FindingStoreTests {
    @Test("What was stored is there when the store is opened again")
    func survives() throws {
        let directory = TestDirectory()
        do {
            let store = try directory.open()
            #expect(store.condition == .durable)
            #expect(try store.record(.example(1)) == 1)
            #expect(try store.record(.example(2)) == 2)
            let added = try store.commit(adding: [
                StoredInput(action: "write", path: "/a", text: "x\n"),
                StoredInput(action: "append", path: "/b", text: "ä"),
            ])
            #expect(added.map(\.id) == [1, 2])
            try store.set("paused", "1")
            try store.set("gone", "1")
            try store.set("gone", nil)
        }
        let store = try directory.open()
        #expect(try store.findings(count: 10).map(\.finding) == [.example(2), .example(1)])
        #expect(try store.inputs().map(\.path) == ["/a", "/b"])
        #expect(try store.setting("paused") == "1")
        #expect(try store.setting("gone") == nil)
        #expect(directory.setAside.isEmpty)
    }

    @Test("What is on disk before the store is closed is what a killed daemon leaves")
    func isOnDiskAtOnce() throws {
        let (directory, copy) = (TestDirectory(), TestDirectory())
        let store = try directory.open()
        for number in 1...50 {
            _ = try store.commit(adding: [StoredInput(action: "write", path: "/a", text: "\(number)")])
            for name in [StoreFile.name, StoreFile.name + "-wal"] {
                write(bytes(of: "\(directory.path)/\(name)") ?? [], to: "\(copy.path)/\(name)")
            }
            #expect(try copy.open().inputs().count == number)
        }
    }

    @Test("Inputs are added and removed together or not at all, and numbers are never given twice")
    func transactions() throws {
        let directory = TestDirectory()
        let store = try directory.open()
        let first = try store.commit(adding: [StoredInput(action: "write", path: "/a", text: "1")])
        let second = try store.commit(
            adding: [StoredInput(action: "write", path: "/a", text: "2")], removing: first.map(\.id))
        #expect(try store.inputs() == second)
        _ = try store.commit(adding: [], removing: second.map(\.id))
        let third = try store.commit(adding: [StoredInput(action: "write", path: "/a", text: "3")])
        #expect(third[0].id > second[0].id)
        #expect(try store.delete([77]) == 77)
    }

    @Test("Findings are listed the newest first, in pages, and deleted one by one or all")
    func findings() throws {
        let store = try FindingStore(directory: nil)
        for number in 1...5 { _ = try store.record(.example(number)) }
        #expect(try store.findings(count: 2).map(\.id) == [5, 4])
        #expect(try store.findings(before: 4, count: 10).map(\.id) == [3, 2, 1])
        #expect(try store.finding(3)?.finding == .example(3))
        #expect(try store.delete([3, 77]) == 77 && store.finding(3) != nil)
        #expect(try store.delete([3]) == nil && store.finding(3) == nil)
        #expect(try store.deleteAll() == 4)
        #expect(try store.findingCounts() == (0, 0))
        #expect(try store.record(.example(6)) == 6)
    }

    @Test("The oldest findings make room for newer ones, are counted, and the administrator is told")
    func oldestFirst() throws {
        let told = Guarded(0)
        let store = try FindingStore(directory: nil) { event in
            if case .dropped(let count) = event { told.withLock { $0 += count } }
        }
        for number in 1...FindingStore.findingsMax + 3 { _ = try store.record(.example(number)) }
        #expect(try store.findingCounts() == (FindingStore.findingsMax, 3))
        #expect(try store.finding(3) == nil && store.finding(4) != nil)
        #expect(told.withLock { $0 } == 3)
    }

    @Test("A finding that is too long is kept without its replay line, and says so")
    func tooLong() throws {
        let store = try FindingStore(directory: nil)
        let replay = String(repeating: "x", count: FindingStore.findingBytesMax)
        let id = try store.record(.example(1, replay: replay))
        let kept = try #require(try store.finding(id)).finding
        #expect(kept.replay.isEmpty)
        #expect(kept.message.hasSuffix("(the replay line of \(replay.utf8.count) bytes was too long to be kept)"))
    }

    @Test("A second store on a directory is refused and names the first one's process; afterwards it is free")
    func locked() throws {
        let directory = TestDirectory()
        var first: FindingStore? = try directory.open()
        #expect(throws: StoreError.inUse(directory: directory.path, pid: getpid())) { _ = try directory.open() }
        _ = try first?.record(.example())
        first = nil
        #expect(try directory.open().findings(count: 1).count == 1)
    }

    @Test("Without a directory everything is kept in memory, and the store says so")
    func memory() throws {
        let store = try FindingStore(directory: nil)
        #expect(store.condition == .volatile(reason: "there is no state directory"))
        _ = try store.commit(adding: [StoredInput(action: "write", path: "/a", text: "1")])
        #expect(try store.inputs().count == 1)
    }

    @Test("A store of a newer version is left as it is, byte for byte, and nothing is stored")
    func newer() throws {
        let directory = TestDirectory()
        _ = try directory.open().record(.example())
        try DatabaseQueue(path: directory.file).inDatabase { try $0.execute(sql: "PRAGMA user_version = 99") }
        let before = directory.names.map { bytes(of: "\(directory.path)/\($0)") }
        let told = Guarded<[StoreEvent]>([])
        do {
            let store = try directory.open { event in told.withLock { $0.append(event) } }
            guard case .volatile(let reason) = store.condition else {
                Issue.record("a newer store is not used")
                return
            }
            #expect(reason.contains("version 99, this program knows 1"))
            #expect(try store.findings(count: 10).isEmpty)
            _ = try store.record(.example(2))
        }
        #expect(directory.names.map { bytes(of: "\(directory.path)/\($0)") } == before)
        #expect(told.withLock { $0 } == [.newer(path: directory.path, version: 99, known: 1)])
    }

    @Test("An empty file is a first start that was killed, not damage")
    func emptyFile() throws {
        let directory = TestDirectory()
        write([], to: directory.file)
        #expect(try directory.open().condition == .durable)
        #expect(directory.setAside.isEmpty)
    }

    @Test("A directory that can't be made makes changes fail by name, and works as soon as it can")
    func unavailable() throws {
        let directory = TestDirectory()
        let path = directory.path + "/state"
        write([1], to: path)
        let store = try FindingStore(directory: path)
        #expect(store.condition == .unavailable(reason: "\(path): is no directory"))
        #expect(throws: StoreError.notDurable(reason: "\(path): is no directory")) { try store.set("a", "b") }
        #expect(throws: StoreError.self) { _ = try store.record(.example(1)) }
        #expect(store.waitingCount == 1 && store.generation == 0)
        unlink(path)
        try store.set("a", "b")
        #expect(store.condition == .durable && store.generation == 1)
        // What waited went with it.
        #expect(try store.findings(count: 10).map(\.finding) == [.example(1)])
        #expect(store.waitingCount == 0)
        for name in ["findings.db", "findings.db-wal", StateDirectory.lockName] { unlink("\(path)/\(name)") }
        rmdir(path)
    }

    @Test("Damage is set aside with its bytes, never deleted, and a new store begun", arguments: 0..<6)
    func damaged(kind: Int) throws {
        let directory = TestDirectory()
        _ = try directory.open().record(.example())
        var damaged = bytes(of: directory.file) ?? []
        switch kind {
        case 0: damaged = Array("this is no database, whatever its name is".utf8)
        case 1: damaged = Array(damaged.prefix(2000))
        case 2: for index in 4096..<damaged.count { damaged[index] = 0xaa }
        case 3: damaged[70] ^= 0xff
        case 4, 5:
            try DatabaseQueue(path: directory.file).inDatabase { db in
                try db.execute(
                    sql: kind == 4
                        ? "CREATE TRIGGER surprise AFTER INSERT ON input BEGIN DELETE FROM finding; END"
                        : "UPDATE finding SET record = '{}'")
            }
            damaged = bytes(of: directory.file) ?? []
        default: break
        }
        if kind < 4 { write(damaged, to: directory.file) }
        let told = Guarded<[StoreEvent]>([])
        let store = try directory.open { event in told.withLock { $0.append(event) } }
        #expect(store.condition == .durable)
        #expect(try store.findings(count: 1).isEmpty)
        #expect(directory.setAside.count == 1)
        #expect(bytes(of: "\(directory.path)/\(directory.setAside.first ?? "")") == damaged)
        guard case .setAside(_, let target, let reason)? = told.withLock({ $0.first }) else {
            Issue.record("the administrator is told")
            return
        }
        #expect(target.hasSuffix(directory.setAside.first ?? "?") && !reason.isEmpty)
        _ = try store.record(.example(2))
    }
}
