import X86

/// A small kernel made by hand, with every table that the loader reads, in the variants that real builds have.
struct SyntheticKernel {
    var mode = ProcessorMode.x86_64
    var layout = SyntheticKallsyms.Layout.earlyWithSequences
    var isAbsolutePerCPU = true
    /// CONFIG_KALLSYMS_ALL: data symbols are in kallsyms.
    var hasDataSymbols = true
    /// CONFIG_KALLSYMS.
    var hasKallsyms = true
    /// .symtab has not been stripped.
    var hasSymbolTable = false
    var hasFtrace = true
    /// objtool turned the calls to __fentry__ into NOPs already.
    var hasNopsInFile = false
    var functions = 300

    static let release = "6.1.0-synthetic"
    static let sizeOfFunction = 64

    var wordSize: Int { mode.wordSize }
    var base: UInt64 { mode == .x86_64 ? 0xffff_ffff_8100_0000 : 0xc100_0000 }
    var rodata: UInt64 { base + 0x10_0000 }
    var data: UInt64 { base + 0x20_0000 }
    var initText: UInt64 { base + 0x30_0000 }
    var initData: UInt64 { base + 0x40_0000 }
    var returnSites: UInt64 { base + 0x50_0000 }
    var bss: UInt64 { base + 0x60_0000 }

    // The text: functions, then what they call, then trampolines.
    func function(_ index: Int) -> UInt64 { base + UInt64(index * Self.sizeOfFunction) }
    var fentry: UInt64 { function(functions) }
    var returnThunk: UInt64 { fentry + 32 }
    var returnZero: UInt64 { fentry + 48 }
    func trampoline(_ index: Int) -> UInt64 { fentry + 64 + UInt64(index * 8) }
    var textSize: Int { functions * Self.sizeOfFunction + 64 + 8 * 4 + 32 }

    /// Static call keys: 0 calls function 1, 1 is NULL, 2 returns 0, 3 is cond_resched, which boot updates.
    func callKey(_ index: Int) -> UInt64 { data + UInt64(index * 16) }
    static let callNames = ["first", "null", "zero", "cond_resched"]
    /// Static branch keys: 0 is true, 1 is false, 2 is crng_is_ready, which boot enables.
    func branchKey(_ index: Int) -> UInt64 { data + 0x100 + UInt64(index * 16) }

    func callSite(_ index: Int) -> UInt64 { function(index) + 8 }
    func returnSite(_ index: Int) -> UInt64 { function(index) + 40 }
    func jumpSite(_ index: Int) -> UInt64 { function(index) + 16 }
    func shortJumpSite(_ index: Int) -> UInt64 { function(index) + 24 }

    /// How the functions use the keys: every variant comes up again every 16 functions.
    func callKeyIndex(_ index: Int) -> Int { index % 4 }
    func isTail(_ index: Int) -> Bool { index % 8 >= 4 && callKeyIndex(index) != 2 }
    func branchKeyIndex(_ index: Int) -> Int { index % 3 }
    func isBranch(_ index: Int) -> Bool { index % 16 >= 8 }

    func relative(_ opcode: UInt8, _ site: UInt64, _ target: UInt64) -> [UInt8] {
        let distance = UInt32(truncatingIfNeeded: target &- site &- 5)
        return [opcode] + (0..<4).map { UInt8(truncatingIfNeeded: distance >> UInt32($0 * 8)) }
    }

    var nop5: [UInt8] { InstructionBytes.nop5(mode).bytes }
    var nop2: [UInt8] { mode == .x86_64 ? [0x66, 0x90] : [0x89, 0xf6] }

    /// The text as the file has it: INT3 between instructions.
    func text() -> [UInt8] {
        var text = [UInt8](repeating: 0xcc, count: textSize)
        func write(_ address: UInt64, _ bytes: [UInt8]) {
            for (index, byte) in bytes.enumerated() { text[Int(address - base) + index] = byte }
        }
        for index in 0..<functions {
            if hasFtrace {
                write(function(index), hasNopsInFile ? nop5 : relative(0xe8, function(index), fentry))
            }
            if mode == .x86_64 {
                let opcode: UInt8 = isTail(index) ? 0xe9 : 0xe8
                write(callSite(index), relative(opcode, callSite(index), trampoline(callKeyIndex(index))))
                write(returnSite(index), relative(0xe9, returnSite(index), returnThunk))
            }
            // A static branch starts as its key's value and its branch bit say: key 0 alone is true.
            let isJump = (branchKeyIndex(index) == 0) != isBranch(index)
            write(jumpSite(index), isJump ? relative(0xe9, jumpSite(index), function(index) + 48) : nop5)
            write(shortJumpSite(index), isJump ? [0xeb, 22] : nop2)
        }
        write(fentry, [0xc3])
        write(returnThunk, [0xc3])
        write(returnZero, [0x31, 0xc0, 0xc3])
        for (index, target) in [function(1), returnThunk, returnZero, returnZero].enumerated() {
            write(trampoline(index), relative(0xe9, trampoline(index), target) + [0x0f, 0xb9, 0xcc])
        }
        return text
    }

    /// What the text must be after boot, by the rules and not by the loader.
    func bootedText() -> [UInt8] {
        var text = text()
        func write(_ address: UInt64, _ bytes: [UInt8]) {
            for (index, byte) in bytes.enumerated() { text[Int(address - base) + index] = byte }
        }
        let targets = [function(1), 0, returnZero, function(2)]
        for index in 0..<functions {
            write(function(index), nop5)
            let isOn = branchKeyIndex(index) != 1
            let isJump = isOn != isBranch(index)
            write(jumpSite(index), isJump ? relative(0xe9, jumpSite(index), function(index) + 48) : nop5)
            write(shortJumpSite(index), isJump ? [0xeb, 22] : nop2)
            guard mode == .x86_64 else { continue }
            write(returnSite(index), [0xc3, 0xcc, 0xcc, 0xcc, 0xcc])
            let target = targets[callKeyIndex(index)]
            switch (isTail(index), target) {
            case (true, 0): write(callSite(index), [0xc3, 0xcc, 0xcc, 0xcc, 0xcc])
            case (true, _): write(callSite(index), relative(0xe9, callSite(index), target))
            case (false, 0): write(callSite(index), nop5)
            case (false, returnZero): write(callSite(index), [0x2e, 0x2e, 0x2e, 0x31, 0xc0])
            case (false, _): write(callSite(index), relative(0xe8, callSite(index), target))
            }
        }
        // Without data symbols only the updated trampoline is known, which is the last.
        for (index, target) in targets.enumerated() where hasDataSymbols || index == 3 {
            write(
                trampoline(index),
                target == 0 ? [0xc3, 0xcc, 0xcc, 0xcc, 0xcc] : relative(0xe9, trampoline(index), target))
        }
        return text
    }
}
