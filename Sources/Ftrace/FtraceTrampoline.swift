import X86

/// The text of an ops' own trampoline (create_trampoline): ftrace_caller copied, with the ops and its callback built in.
enum FtraceTrampoline {
    /// RET_SIZE with mitigations: a RET, or a JMP to the return thunk, has room for five bytes.
    static let returnSize = 5
    /// OP_REF_SIZE: `mov disp32(%rip),%rdx`.
    static let opsLoadSize = 7

    /// The bytes for a trampoline at `address`, or nil when the caller's ops load isn't the instruction that is expected
    /// (a WARN in the kernel; the ops then does without a trampoline).
    static func bytes(
        at address: VirtualAddress, copying caller: FtraceCaller, ops: VirtualAddress, function: VirtualAddress,
        returnThunk: VirtualAddress?
    ) -> [UInt8]? {
        guard let opsLoad = caller.opsLoad, caller.end != nil else { return nil }
        let size = caller.bytes.count
        let loadOffset = opsLoad - caller.start
        let callOffset = caller.call - caller.start
        guard loadOffset >= 0, loadOffset + opsLoadSize <= size, callOffset >= 0, callOffset + 5 <= size,
            caller.bytes[loadOffset..<loadOffset + 3].elementsEqual([0x48, 0x8b, 0x15])
        else { return nil }

        var bytes = caller.bytes
        if let thunk = returnThunk {
            bytes += InstructionBytes.jump(from: address + size, to: thunk).bytes
        } else {
            // The INT3 stops straight-line speculation; the rest of the room stays as it was allocated.
            bytes += [0xc3, 0xcc, 0x00, 0x00, 0x00]
        }
        let pointerOffset = bytes.count
        for byte in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: ops.rawValue >> UInt64(8 * byte))) }

        let displacement = UInt32(truncatingIfNeeded: pointerOffset - (loadOffset + opsLoadSize))
        for byte in 0..<4 { bytes[loadOffset + 3 + byte] = UInt8(truncatingIfNeeded: displacement >> UInt32(8 * byte)) }
        let call = InstructionBytes.call(from: address + callOffset, to: function)
        for byte in 0..<5 { bytes[callOffset + byte] = call[byte] }
        if let jump = caller.directJump {
            // A created trampoline never serves direct calls: the JNZ to their branch becomes a NOP.
            let offset = jump - caller.start
            if offset >= 0, offset + 2 <= size {
                bytes[offset] = 0x66
                bytes[offset + 1] = 0x90
            }
        }
        return bytes
    }
}

/// Where module_alloc() puts trampolines: a page and its guard page each, the lowest free place first.
struct FtraceTrampolineArena: Sendable {
    /// The first place behind the two megabytes that BPF takes at the start of the module area.
    static let base = VirtualAddress(0xffff_ffff_c020_1000)
    static let stride = 0x2000

    private var taken: [Bool] = []

    mutating func allocate() -> VirtualAddress {
        let place = taken.firstIndex(of: false) ?? taken.count
        if place == taken.count { taken.append(true) } else { taken[place] = true }
        return Self.base + place * Self.stride
    }

    mutating func free(_ address: VirtualAddress) {
        taken[(address - Self.base) / Self.stride] = false
    }
}
