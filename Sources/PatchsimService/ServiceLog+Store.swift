public import FindingStore
internal import Logging
internal import PatchsimInterface

/// Entries about what is kept.
extension ServiceLog {
    public func store(_ event: StoreEvent) {
        switch event {
        case .opened(let path, let findings, let inputs):
            write(
                .info, .storeOpened, "State in \(path): \(findings) findings, \(inputs) changes to be done again",
                fields: [.path: path, .count: "\(findings)"])
        case .setAside(let path, let target, let reason):
            write(
                .error, .storeSetAside,
                "The store \(path) is damaged (\(reason)); it was renamed to \(target), and an empty one is begun",
                fields: [.path: target, .reason: reason])
        case .newer(let path, let version, let known):
            let reason = "the store is of version \(version), and this program knows \(known)"
            write(
                .error, .storeUnused, "Nothing is kept in \(path): \(reason)", fields: [.path: path, .reason: reason])
        case .unavailable(let reason):
            write(
                .error, .storeUnused, "The state directory can't be used, and changes are refused: \(reason)",
                fields: [.reason: reason])
        case .dropped(let count):
            write(
                .notice, .findingsDropped, "\(count) of the oldest findings made room for newer ones",
                fields: [.count: "\(count)"])
        }
    }

    /// Said once, at the start of a daemon without a state directory.
    public func nothingIsKept() {
        let reason = "there is no state directory"
        write(
            .notice, .storeUnused, "Findings and changes end with this process: \(reason)", fields: [.reason: reason])
    }

    func restored(_ count: Int, of all: Int) {
        write(
            .notice, .restored, "\(count) of \(all) changes of the run before were done again",
            fields: [.count: "\(count)"])
    }

    func notRestored(_ path: String, _ text: String, _ reason: String) {
        write(
            .warning, .notRestored, "Not done again, and kept for the next start: \(path): \(reason)",
            fields: [.path: path, .text: text, .reason: reason])
    }

    func otherKernel(stored: String, now: String) {
        write(
            .notice, .kernelDiffers, "Changes of the run before were made to another kernel, \(stored)",
            fields: [.kernel: now, .reason: stored])
    }

    func notKept(_ path: String, _ reason: String) {
        write(
            .error, .storeUnused, "What \(path) holds now is not kept yet: \(reason)",
            fields: [.path: path, .reason: reason])
    }

    func findingWaits(_ reason: String, replay: String) {
        write(
            .error, .findingWaits, "A finding can't be stored yet: \(reason)",
            fields: [.reason: reason, .schedule: replay])
    }
}
