public import PatchsimInterface

/// A key of patchsimd.toml: its name, its values, and the setting that it is about.
public struct ConfigurationKey: Sendable {
    typealias Effect = ConfigurationEffect

    /// With its table, `limits.connections_max`.
    public let name: String
    public let allowed: AllowedValues
    /// When a change of the file is followed.
    public let effect: ConfigurationEffect
    /// The option of the command line that says the same, `--cpus`. Others are set with `--set`.
    public let option: String?
    let read: @Sendable (ServiceSettings) -> ConfigurationValue
    let write: @Sendable (inout ServiceSettings, ConfigurationValue) -> Void

    /// Names of environment variables of the daemon begin so.
    public static let variablePrefix = "PATCHSIMD_"

    /// `PATCHSIMD_LIMITS_CONNECTIONS_MAX`.
    public var variable: String {
        Self.variablePrefix + String(name.uppercased().map { $0 == "." ? "_" : $0 })
    }

    /// The table that the key stands in, or nil for those above all tables.
    public var table: String? {
        name.firstIndex(of: ".").map { String(name[..<$0]) }
    }

    /// The name inside of its table.
    public var lastName: String {
        name.split(separator: ".").last.map(String.init) ?? name
    }

    /// The value that `settings` has.
    public func value(in settings: ServiceSettings) -> ConfigurationValue {
        read(settings)
    }

    public static func named(_ name: String) -> ConfigurationKey? {
        all.first { $0.name == name }
    }

    // MARK: Kinds of keys

    typealias Setting<Value> = any WritableKeyPath<ServiceSettings, Value> & Sendable

    static func integer(
        _ name: String, _ setting: Setting<Int>, _ range: ClosedRange<Int>, _ effect: Effect, option: String? = nil
    ) -> ConfigurationKey {
        ConfigurationKey(
            name: name, allowed: .integer(range), effect: effect, option: option,
            read: { .integer($0[keyPath: setting]) },
            write: { settings, value in
                if case .integer(let number) = value { settings[keyPath: setting] = number }
            })
    }

    /// A number that the daemon chooses itself where it is nil.
    static func integer(
        _ name: String, _ setting: Setting<Int?>, _ range: ClosedRange<Int>, else word: String, _ effect: Effect,
        option: String? = nil
    ) -> ConfigurationKey {
        ConfigurationKey(
            name: name, allowed: .integerOrWord(range, word: word), effect: effect, option: option,
            read: { $0[keyPath: setting].map(ConfigurationValue.integer) ?? .word(word) },
            write: { settings, value in
                if case .integer(let number) = value {
                    settings[keyPath: setting] = number
                } else {
                    settings[keyPath: setting] = nil
                }
            })
    }

    static func choice<Choice: RawRepresentable<String> & CaseIterable & Sendable>(
        _ name: String, _ setting: Setting<Choice>, _ effect: Effect, option: String? = nil
    ) -> ConfigurationKey {
        ConfigurationKey(
            name: name, allowed: .word(Choice.allCases.map(\.rawValue)), effect: effect, option: option,
            read: { .word($0[keyPath: setting].rawValue) },
            write: { settings, value in
                if case .word(let word) = value, let choice = Choice(rawValue: word) {
                    settings[keyPath: setting] = choice
                }
            })
    }

    static func list(
        _ name: String, _ setting: Setting<[String]>, _ allowed: AllowedValues, _ effect: Effect, option: String? = nil
    ) -> ConfigurationKey {
        ConfigurationKey(
            name: name, allowed: allowed, effect: effect, option: option,
            read: { .list($0[keyPath: setting]) },
            write: { settings, value in
                if case .list(let words) = value { settings[keyPath: setting] = words }
            })
    }

    static func name(_ name: String, _ setting: Setting<String>, bytesMax: Int, _ effect: Effect) -> ConfigurationKey {
        ConfigurationKey(
            name: name, allowed: .name(bytesMax: bytesMax), effect: effect, option: nil,
            read: { .word($0[keyPath: setting]) },
            write: { settings, value in
                if case .word(let word) = value { settings[keyPath: setting] = word }
            })
    }

    static func path(
        _ name: String, words: [String], _ effect: Effect, option: String? = nil,
        read: @escaping @Sendable (ServiceSettings) -> String,
        write: @escaping @Sendable (inout ServiceSettings, String) -> Void
    ) -> ConfigurationKey {
        ConfigurationKey(
            name: name, allowed: .wordOrPath(words), effect: effect, option: option,
            read: { .word(read($0)) },
            write: { settings, value in
                if case .word(let word) = value { write(&settings, word) }
            })
    }
}
