/// One name in a directory.
public struct DirectoryEntry: Codable, Sendable, Hashable {
    public var name: String
    public var directory: Bool
    /// As ls shows them, without the type: `rw-r--r--`.
    public var permissions: String

    public init(name: String, directory: Bool, permissions: String) {
        self.name = name
        self.directory = directory
        self.permissions = permissions
    }
}

public enum ListFiles: InterfaceMethod {
    public static let name = "io.patchsim.Files.List"

    public struct Parameters: Codable, Sendable, Hashable {
        public var path: String

        public init(path: String) {
            self.path = path
        }
    }

    public struct Reply: Codable, Sendable, Hashable {
        public var entries: [DirectoryEntry]

        public init(entries: [DirectoryEntry]) {
            self.entries = entries
        }
    }
}

public enum ReadFile: InterfaceMethod {
    public static let name = "io.patchsim.Files.Read"

    public struct Parameters: Codable, Sendable, Hashable {
        public var path: String
        public var offset: Int?
        public var count: Int?

        public init(path: String, offset: Int? = nil, count: Int? = nil) {
            self.path = path
            self.offset = offset
            self.count = count
        }
    }

    public struct Reply: Codable, Sendable, Hashable {
        public var text: String
        public var next: Int
        public var end: Bool

        public init(text: String, next: Int, end: Bool) {
            self.text = text
            self.next = next
            self.end = end
        }
    }
}

public enum WriteFile: InterfaceMethod {
    public static let name = "io.patchsim.Files.Write"

    public struct Parameters: Codable, Sendable, Hashable {
        public var path: String
        public var text: String
        public var append: Bool?

        public init(path: String, text: String, append: Bool? = nil) {
            self.path = path
            self.text = text
            self.append = append
        }
    }

    public typealias Reply = Nothing
}

public enum MakeDirectory: InterfaceMethod {
    public static let name = "io.patchsim.Files.MakeDirectory"

    public struct Parameters: Codable, Sendable, Hashable {
        public var path: String

        public init(path: String) {
            self.path = path
        }
    }

    public typealias Reply = Nothing
}

public enum RemoveDirectory: InterfaceMethod {
    public static let name = "io.patchsim.Files.RemoveDirectory"

    public struct Parameters: Codable, Sendable, Hashable {
        public var path: String

        public init(path: String) {
            self.path = path
        }
    }

    public typealias Reply = Nothing
}

/// What the system call would have failed with.
public struct FilesFault: InterfaceFault, Hashable {
    public static let name = "io.patchsim.Files.Failed"
    public var errno: String
    public var path: String
    public var reason: String

    public init(errno: String, path: String, reason: String) {
        self.errno = errno
        self.path = path
        self.reason = reason
    }

    public var message: String {
        "\(path): \(errno): \(reason)"
    }
}
