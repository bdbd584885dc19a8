/// A guest linear address. Never a bare integer, so that it can't be mixed up with a length, an index or a host pointer.
@frozen
public struct VirtualAddress: RawRepresentable, Hashable, Comparable, Sendable {
    public var rawValue: UInt64

    @inlinable
    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    @inlinable
    public init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }

    @inlinable
    public static func < (left: VirtualAddress, right: VirtualAddress) -> Bool {
        left.rawValue < right.rawValue
    }

    /// Address arithmetic wraps, as the processor's does.
    @inlinable
    public static func + (address: VirtualAddress, bytes: Int) -> VirtualAddress {
        VirtualAddress(address.rawValue &+ UInt64(bitPattern: Int64(bytes)))
    }

    @inlinable
    public static func - (address: VirtualAddress, bytes: Int) -> VirtualAddress {
        VirtualAddress(address.rawValue &- UInt64(bitPattern: Int64(bytes)))
    }

    /// The distance in bytes from `start` to `end`; negative when `end` lies below.
    @inlinable
    public static func - (end: VirtualAddress, start: VirtualAddress) -> Int {
        Int(Int64(bitPattern: end.rawValue &- start.rawValue))
    }
}

extension VirtualAddress: CustomStringConvertible {
    /// Sixteen hex digits without a prefix, as `%px` prints them on 64 bit.
    public var description: String {
        hexadecimal(digits: 16)
    }

    /// `digits` hex digits without a prefix; 8 is `%px` on 32 bit.
    public func hexadecimal(digits: Int) -> String {
        let text = String(rawValue, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}
