/// One instruction of a listing.
public struct DisassembledLine: Codable, Sendable, Hashable {
    public var address: String
    public var bytes: String
    public var text: String
    /// `mcount`, `static_call` or `jump_label` where a patchable site starts.
    public var site: String?

    public init(address: String, bytes: String, text: String, site: String? = nil) {
        self.address = address
        self.bytes = bytes
        self.text = text
        self.site = site
    }
}

/// A symbol of the kernel.
public struct SymbolRecord: Codable, Sendable, Hashable {
    public var name: String
    public var address: String
    public var type: String
    public var size: Int
    /// Distance of the address asked for from the symbol.
    public var offset: Int

    public init(name: String, address: String, type: String, size: Int, offset: Int) {
        self.name = name
        self.address = address
        self.type = type
        self.size = size
        self.offset = offset
    }
}

/// A function of the kernel's text.
public struct FunctionRecord: Codable, Sendable, Hashable {
    public var name: String
    public var address: String
    public var size: Int
    public var traceable: Bool
    public var enabled: Bool

    public init(name: String, address: String, size: Int, traceable: Bool, enabled: Bool) {
        self.name = name
        self.address = address
        self.size = size
        self.traceable = traceable
        self.enabled = enabled
    }
}

public enum ReadText: InterfaceMethod {
    public static let name = "io.patchsim.Text.Read"

    public struct Parameters: Codable, Sendable, Hashable {
        public var address: String
        public var length: Int

        public init(address: String, length: Int) {
            self.address = address
            self.length = length
        }
    }

    public struct Reply: Codable, Sendable, Hashable {
        public var address: String
        public var bytes: String

        public init(address: String, bytes: String) {
            self.address = address
            self.bytes = bytes
        }
    }
}

public enum Disassemble: InterfaceMethod {
    public static let name = "io.patchsim.Text.Disassemble"

    public struct Parameters: Codable, Sendable, Hashable {
        public var symbol: String?
        public var address: String?
        public var count: Int?

        public init(symbol: String? = nil, address: String? = nil, count: Int? = nil) {
            self.symbol = symbol
            self.address = address
            self.count = count
        }
    }

    public struct Reply: Codable, Sendable, Hashable {
        public var symbol: String
        public var lines: [DisassembledLine]

        public init(symbol: String, lines: [DisassembledLine]) {
            self.symbol = symbol
            self.lines = lines
        }
    }
}

public enum LookupSymbol: InterfaceMethod {
    public static let name = "io.patchsim.Text.LookupSymbol"

    public struct Parameters: Codable, Sendable, Hashable {
        public var name: String?
        public var address: String?

        public init(name: String? = nil, address: String? = nil) {
            self.name = name
            self.address = address
        }
    }

    public struct Reply: Codable, Sendable, Hashable {
        public var symbols: [SymbolRecord]

        public init(symbols: [SymbolRecord]) {
            self.symbols = symbols
        }
    }
}

public enum ListFunctions: InterfaceMethod {
    public static let name = "io.patchsim.Text.ListFunctions"

    public struct Parameters: Codable, Sendable, Hashable {
        public var glob: String?

        public init(glob: String? = nil) {
            self.glob = glob
        }
    }

    public struct Reply: Codable, Sendable, Hashable {
        public var functions: [FunctionRecord]

        public init(functions: [FunctionRecord]) {
            self.functions = functions
        }
    }
}

/// Errors of io.patchsim.Text.
public enum TextFault {
    public struct NoSuchSymbol: InterfaceFault, Hashable {
        public static let name = "io.patchsim.Text.NoSuchSymbol"
        public var symbol: String
        public var near: [String]

        public init(symbol: String, near: [String]) {
            self.symbol = symbol
            self.near = near
        }

        public var message: String {
            "there is no symbol \(symbol)" + nearText(near)
        }
    }

    public struct NotText: InterfaceFault, Hashable {
        public static let name = "io.patchsim.Text.NotText"
        public var address: String
        public var length: Int
        public var textStart: String
        public var textEnd: String

        public init(address: String, length: Int, textStart: String, textEnd: String) {
            self.address = address
            self.length = length
            self.textStart = textStart
            self.textEnd = textEnd
        }

        public var message: String {
            "\(length) bytes at \(address) are not inside of the kernel's text (\(textStart) to \(textEnd))"
        }
    }
}

/// `; did you mean a, b?` where there is something to mean.
func nearText(_ near: [String]) -> String {
    near.isEmpty ? "" : "; did you mean \(near.joined(separator: ", "))?"
}
