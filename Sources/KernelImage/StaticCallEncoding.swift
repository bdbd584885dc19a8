import X86

/// The instruction that stands for a static call's function (__static_call_transform() of
/// arch/x86/kernel/static_call.c).
struct StaticCallEncoding {
    /// `cs cs cs xorl %eax, %eax`, a call of __static_call_return0 without the call (xor5rax).
    static let returnZero = InstructionBytes([0x2e, 0x2e, 0x2e, 0x31, 0xc0])
    /// `ret; int3 x 4` (retinsn), on a processor that needs no return thunk.
    static let plainReturn = InstructionBytes([0xc3, 0xcc, 0xcc, 0xcc, 0xcc])

    private let map: AddressMap
    private let returnZeroFunction: UInt64?
    /// Where a conditional tail call with a NULL key goes.
    private let returnFunction: UInt64?

    init(_ map: AddressMap, _ named: NamedAddresses) {
        self.map = map
        returnZeroFunction = named("__static_call_return0")
        returnFunction = named("__static_call_return")
    }

    /// The bytes at a site for a function, 0 being NULL. Nil for a conditional jump that would need a function which
    /// this kernel doesn't have.
    func site(_ site: SiteTables.StaticCall, _ function: UInt64) -> InstructionBytes? {
        let address = VirtualAddress(site.address)
        let target = VirtualAddress(function)
        guard let at = map.fileOffset(site.address, count: 5) else {
            preconditionFailure("the tables name only sites in .text")
        }
        if map.reader.bytes[at] == 0x0f {
            return conditional(address, map.reader.bytes[at + 1], function)
        }
        switch (site.isTail, function == 0) {
        case (false, true): return .nop5
        case (false, false): return function == returnZeroFunction ? Self.returnZero : .call(from: address, to: target)
        case (true, true): return Self.plainReturn
        case (true, false): return .jump(from: address, to: target)
        }
    }

    /// `0f 8x rel32`: a conditional tail call keeps its condition.
    private func conditional(_ site: VirtualAddress, _ opcode: UInt8, _ function: UInt64) -> InstructionBytes? {
        guard let target = function != 0 ? function : returnFunction else { return nil }
        let displacement = UInt32(truncatingIfNeeded: VirtualAddress(target) - (site + 6))
        return InstructionBytes(low: 0x0f | UInt64(opcode) << 8 | UInt64(displacement) << 16, high: 0, count: 6)
    }

    /// The first five bytes of the trampoline; three bytes of signature follow them.
    static func trampoline(_ address: UInt64, _ function: UInt64) -> InstructionBytes {
        function == 0 ? plainReturn : .jump(from: VirtualAddress(address), to: VirtualAddress(function))
    }
}
