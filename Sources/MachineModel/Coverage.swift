import X86

/// What was executed without exact semantics: counts by mnemonic, and the addresses.
public struct Coverage: Sendable {
    /// Different addresses that are kept.
    public static let addressesMax = 100_000

    /// Numbers from here up name an operation that has semantics, but not for this case.
    static let operationBase: UInt16 = 0x8000

    /// Executions by the mnemonic's number; `InstructionDecoder.name(ofMnemonic:)` has the text.
    public private(set) var executions: [UInt16: UInt64] = [:]
    /// Executions by address.
    public private(set) var addresses: [UInt64: UInt64] = [:]

    public init() {}

    mutating func note(_ mnemonic: UInt16, at address: UInt64) {
        executions[mnemonic, default: 0] += 1
        if addresses.count < Self.addressesMax || addresses[address] != nil { addresses[address, default: 0] += 1 }
    }

    /// Executions by the mnemonic's text.
    public var byName: [String: UInt64] {
        Dictionary(
            executions.map { (Self.name($0.key), $0.value) }, uniquingKeysWith: +)
    }

    static func name(_ number: UInt16) -> String {
        guard number >= operationBase else { return InstructionDecoder.name(ofMnemonic: number) }
        return Operation(rawValue: UInt8(truncatingIfNeeded: number)).map { "\($0)" } ?? "(none)"
    }

    public static func += (left: inout Coverage, right: Coverage) {
        left.executions.merge(right.executions, uniquingKeysWith: +)
        for (address, count) in right.addresses where left.addresses.count < addressesMax {
            left.addresses[address, default: 0] += count
        }
    }
}
