/// The choices that make one run of a system: for each step its place among the enabled ones.
public struct Schedule: Sendable, Hashable {
    /// Longer schedules are not read.
    public static let choicesMax = 1 << 20

    public var choices: [Int]

    public init(_ choices: [Int] = []) {
        self.choices = choices
    }

    /// Digits 0 to e are choices; each f before one adds 15 to it.
    public var text: String {
        var digits: [UInt8] = []
        for choice in choices {
            digits += Array(repeating: UInt8(ascii: "f"), count: choice / 15)
            let rest = UInt8(choice % 15)
            digits.append(rest < 10 ? UInt8(ascii: "0") + rest : UInt8(ascii: "a") + rest - 10)
        }
        return String(decoding: digits, as: UTF8.self)
    }

    /// Reads what `text` writes; nil where it has another character, ends in an f, or is too long.
    public init?(text: some StringProtocol) {
        var choices: [Int] = []
        var carried = 0
        for digit in text.utf8 {
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): choices.append(carried + Int(digit - UInt8(ascii: "0")))
            case UInt8(ascii: "a")...UInt8(ascii: "e"): choices.append(carried + Int(digit - UInt8(ascii: "a")) + 10)
            case UInt8(ascii: "f"):
                carried += 15
                continue
            default: return nil
            }
            carried = 0
            guard choices.count <= Self.choicesMax else { return nil }
        }
        guard carried == 0 else { return nil }
        self.choices = choices
    }
}

/// SplitMix64: the same numbers for the same seed on every machine.
public struct SeededChoices: Sendable {
    private var state: UInt64

    public init(seed: UInt64) {
        state = seed
    }

    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }

    /// 0 ..< bound; the bias of a 64-bit product is below 2^-32 for bounds of 32 bits.
    public mutating func next(below bound: Int) -> Int {
        Int(next().multipliedFullWidth(by: UInt64(bound)).high)
    }
}
