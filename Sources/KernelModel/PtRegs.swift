public import MachineModel

/// struct pt_regs of x86_64 on a kernel stack: 21 words, `bx`-style names as in asm/ptrace.h.
public struct PtRegs: Sendable, Hashable {
    /// Word offsets.
    public enum Slot: Int, Sendable {
        case r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, origAx, ip, cs, flags, sp, ss
    }

    /// sizeof(struct pt_regs).
    public static let size: UInt64 = 21 * 8
    /// Register numbers in the order of the slots r15 ... di.
    static let saved: [Int] = [15, 14, 13, 12, 5, 3, 11, 10, 9, 8, 0, 1, 2, 6, 7]

    /// Where the frame's lowest word (r15) stands.
    public let base: UInt64

    public init(base: UInt64) {
        self.base = base
    }

    public func address(_ slot: Slot) -> UInt64 {
        base + UInt64(slot.rawValue * 8)
    }

    public func read(_ slot: Slot, _ cpu: inout CPUState, _ machine: borrowing MachineAccess) -> UInt64 {
        guard let value = cpu.readWord(address(slot), machine) else {
            preconditionFailure("a pt_regs frame stands on a mapped stack")
        }
        return value
    }

    public func write(
        _ slot: Slot, _ value: UInt64, _ cpu: inout CPUState, _ machine: borrowing MachineAccess
    ) {
        guard cpu.writeWord(address(slot), value, machine) else {
            preconditionFailure("a pt_regs frame stands on a mapped stack")
        }
    }
}

/// Segment selectors of the kernel (asm/segment.h).
public enum Segment {
    public static let kernelCode: UInt64 = 0x10
    public static let kernelData: UInt64 = 0x18
}
