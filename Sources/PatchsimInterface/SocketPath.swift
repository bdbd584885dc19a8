/// Where the daemon's socket is when nobody says.
public enum SocketPath {
    public static let system = "/run/patchsim/io.patchsim"

    /// The user's own; nil where there is no runtime directory.
    public static func user(runtimeDirectory: String?) -> String? {
        guard let runtimeDirectory, runtimeDirectory.hasPrefix("/") else { return nil }
        return runtimeDirectory + "/patchsim/io.patchsim"
    }

    /// Where a daemon listens.
    public static func listening(isRoot: Bool, runtimeDirectory: String?) -> String? {
        isRoot ? system : user(runtimeDirectory: runtimeDirectory)
    }

    /// Where a client looks, in this order: a user's own daemon hides the system's.
    public static func candidates(isRoot: Bool, runtimeDirectory: String?) -> [String] {
        (isRoot ? [] : [user(runtimeDirectory: runtimeDirectory)].compactMap { $0 }) + [system]
    }
}
