/// A value of 1 to 8 bytes, and whether it derives from havoc.
struct Word {
    var value: UInt64
    var isHavoc: Bool

    @inline(__always)
    init(value: UInt64, isHavoc: Bool) {
        self.value = value
        self.isHavoc = isHavoc
    }

    @inline(__always)
    init(_ value: UInt64) {
        self.init(value: value, isHavoc: false)
    }
}

extension CPUState {
    /// Loads `count` bytes (1...8). `isStack`: through SS, so that a bad address is #SS.
    @inline(__always)
    mutating func load(
        _ address: UInt64, _ count: Int, isStack: Bool = false, _ m: borrowing MachineAccess
    ) throws(Trap) -> Word {
        if context.memory.stack.contains(address, count) {
            if let word = context.memory.stack.load(address, count) { return word }
        } else if context.memory.arena.contains(address, count) {
            if let word = context.memory.arena.load(address, count) { return word }
        }
        return try loadSlowly(address, count, isStack, m)
    }

    @inline(never)
    private mutating func loadSlowly(
        _ address: UInt64, _ count: Int, _ isStack: Bool, _ m: borrowing MachineAccess
    ) throws(Trap) -> Word {
        if context.memory.isExplicit { return try loadMapped(address, count, isStack) }
        if let loaded = loadImage(address, count, m) { return loaded }
        var loaded = Word(0)
        for index in 0..<count {
            let place = address &+ UInt64(index)
            let (byte, isHavoc) = try loadByte(place, count, m)
            loaded.value |= UInt64(byte) << UInt64(index * 8)
            loaded.isHavoc = loaded.isHavoc || isHavoc
        }
        return loaded
    }

    /// A load inside one page of the image's data that has its bytes and no copy of this task's.
    private func loadImage(_ address: UInt64, _ count: Int, _ m: borrowing MachineAccess) -> Word? {
        if perCPU.contains(address, 1) || isHandlerStack(address, 1) { return nil }
        guard let region = m.environment.region(address), let bytes = region.bytes else { return nil }
        let offset = address &- region.address
        let inPage = address & (GuestMemory.pageSize - 1)
        guard offset &+ 8 <= region.size, inPage &+ UInt64(count) <= GuestMemory.pageSize else { return nil }
        if !context.memory.overlay.isEmpty, context.memory.overlay[address / GuestMemory.pageSize] != nil { return nil }
        let word = bytes.bytes.loadUnaligned(fromByteOffset: Int(offset), as: UInt64.self)
        if count == 8, word == 0, isFilledByBoot(region, address, m) {
            return Word(value: arbitraryWord(address), isHavoc: true)
        }
        return Word(word & PrivateRegion.mask(count))
    }

    /// What the file leaves zero in writable data is what boot code fills: a pointer of 0 there says nothing.
    private func isFilledByBoot(_ region: DataRegion, _ address: UInt64, _ m: borrowing MachineAccess) -> Bool {
        region.isWritable || m.environment.readOnlyAfterInit.contains(address)
    }

    /// One byte of a load of `count`.
    private mutating func loadByte(
        _ address: UInt64, _ count: Int, _ m: borrowing MachineAccess
    ) throws(Trap) -> (UInt8, Bool) {
        if context.memory.stack.contains(address, 1) { return privateByte(context.memory.stack, address) }
        if context.memory.arena.contains(address, 1) { return privateByte(context.memory.arena, address) }
        if perCPU.contains(address, 1) { return perCPUByte(address, m) }
        if nmiStack.contains(address, 1) { return privateByte(nmiStack, address) }
        if irqStack.contains(address, 1) { return privateByte(irqStack, address) }
        if nmiHandlerStack.contains(address, 1) { return privateByte(nmiHandlerStack, address) }
        if m.environment.text.contains(address) || MachineAccess.isModule(address) {
            guard let text = m.text else { throw .needsShared }
            if let byte = text.pointee.newestByte(at: address) { return (byte, false) }
            throw pageFault(address, isWrite: false, isPresent: false)
        }
        return try imageByte(address, count, m)
    }

    private mutating func imageByte(
        _ address: UInt64, _ count: Int, _ m: borrowing MachineAccess
    ) throws(Trap) -> (UInt8, Bool) {
        guard let region = m.environment.region(address) else {
            throw pageFault(address, isWrite: false, isPresent: false)
        }
        if !context.memory.overlay.isEmpty, let page = context.memory.overlay[address / GuestMemory.pageSize] {
            let (value, state) = page.byte(address)
            if state != PrivateRegion.ByteState.unwritten { return (value, state == PrivateRegion.ByteState.havoc) }
        }
        if let bytes = region.bytes {
            let offset = Int(address - region.address)
            let start = offset & ~7
            if count == 8, start + 8 <= Int(region.size), isFilledByBoot(region, address, m),
                bytes.bytes.loadUnaligned(fromByteOffset: start, as: UInt64.self) == 0
            {
                return (arbitraryByte(address), true)
            }
            return (bytes.bytes[offset], false)
        }
        // .bss: flags and counters most likely still are zero; a whole word may as well be a pointer that boot code set.
        return (count == 8 ? arbitraryByte(address) : 0, true)
    }

    private func privateByte(_ region: PrivateRegion, _ address: UInt64) -> (UInt8, Bool) {
        let (value, state) = region.byte(address)
        if state == PrivateRegion.ByteState.unwritten { return (arbitraryByte(address), true) }
        return (value, state == PrivateRegion.ByteState.havoc)
    }

    private func perCPUByte(_ address: UInt64, _ m: borrowing MachineAccess) -> (UInt8, Bool) {
        let (value, state) = perCPU.byte(address)
        if state != PrivateRegion.ByteState.unwritten { return (value, state == PrivateRegion.ByteState.havoc) }
        let offset = Int(address - perCPU.base)
        if let template = m.environment.perCPUTemplate, offset < template.bytes.count {
            return (template.bytes[offset], false)
        }
        return (arbitraryByte(address), true)
    }

    /// What nobody wrote: a fixed function of the task's seed and the address, so that two loads agree.
    private func arbitraryByte(_ address: UInt64) -> UInt8 {
        UInt8(truncatingIfNeeded: arbitraryWord(address) >> ((address & 7) * 8))
    }

    private func arbitraryWord(_ address: UInt64) -> UInt64 {
        SeededSource.arbitrary(SeededSource.mix(context.memory.seed ^ (address & ~7)))
    }

    /// Returns where a store of `count` bytes to `address` is allowed.
    @inline(__always)
    mutating func checkStore(
        _ address: UInt64, _ count: Int, isStack: Bool = false, _ m: borrowing MachineAccess
    ) throws(Trap) {
        if context.memory.stack.contains(address, count) || context.memory.arena.contains(address, count) { return }
        try checkStoreSlowly(address, count, isStack, m)
    }

    @inline(never)
    private mutating func checkStoreSlowly(
        _ address: UInt64, _ count: Int, _ isStack: Bool, _ m: borrowing MachineAccess
    ) throws(Trap) {
        if context.memory.isExplicit { return try checkMapped(address, count, isWrite: true, isStack: isStack) }
        if perCPU.contains(address, count) || isHandlerStack(address, count) { return }
        if let region = m.environment.region(address), region.isWritable,
            address &- region.address &+ UInt64(count) <= region.size
        {
            return
        }
        // Text is read-only here: patching goes through the alias of the patching CPU only.
        throw pageFault(address, isWrite: true, isPresent: m.environment.text.contains(address))
    }

    /// Stores to memory that `checkStore` has allowed.
    @inline(__always)
    mutating func store(_ address: UInt64, _ word: Word, _ count: Int) {
        if context.memory.stack.contains(address, count) {
            context.memory.stack.store(address, word, count)
        } else if context.memory.arena.contains(address, count) {
            context.memory.arena.store(address, word, count)
        } else {
            storeSlowly(address, word, count)
        }
    }

    @inline(never)
    private mutating func storeSlowly(_ address: UInt64, _ word: Word, _ count: Int) {
        if context.memory.isExplicit {
            storeMapped(address, word.value, count)
        } else if perCPU.contains(address, count) {
            perCPU.store(address, word, count)
        } else if nmiStack.contains(address, count) {
            nmiStack.store(address, word, count)
        } else if irqStack.contains(address, count) {
            irqStack.store(address, word, count)
        } else if nmiHandlerStack.contains(address, count) {
            nmiHandlerStack.store(address, word, count)
        } else {
            let inPage = Int(address & (GuestMemory.pageSize - 1))
            let first = min(count, Int(GuestMemory.pageSize) - inPage)
            storeInPage(address, word, first)
            if first < count {
                let rest = Word(value: word.value >> UInt64(first * 8), isHavoc: word.isHavoc)
                storeInPage(address &+ UInt64(first), rest, count - first)
            }
        }
    }

    /// A store to the task's copy of one page of the image.
    private mutating func storeInPage(_ address: UInt64, _ word: Word, _ count: Int) {
        let page = address / GuestMemory.pageSize
        if context.memory.overlay[page] == nil {
            if context.memory.overlay.count >= GuestMemory.overlayPagesMax {
                context.memory.overlay.removeAll(keepingCapacity: true)
            }
            context.memory.overlay[page] = PrivateRegion(
                base: page * GuestMemory.pageSize, size: Int(GuestMemory.pageSize))
        }
        context.memory.overlay[page]!.store(address, word, count)
    }

    // MARK: For the kernel's entry code and routines

    /// Reads a word as a kernel routine does; nil where it faults.
    public mutating func readWord(_ address: UInt64, _ m: borrowing MachineAccess) -> UInt64? {
        try? load(address, wordSize, m).value
    }

    /// Writes a word as a kernel routine does; false where it faults.
    public mutating func writeWord(
        _ address: UInt64, _ value: UInt64, isHavoc: Bool = false, _ m: borrowing MachineAccess
    ) -> Bool {
        do {
            try checkStore(address, wordSize, m)
        } catch {
            return false
        }
        store(address, Word(value: value, isHavoc: isHavoc), wordSize)
        return true
    }

    /// Pushes a return address; false where the stack has no room.
    public mutating func pushReturn(to address: UInt64, _ m: borrowing MachineAccess) -> Bool {
        guard writeWord(context.rsp &- UInt64(wordSize), address, m) else { return false }
        context.rsp &-= UInt64(wordSize)
        return true
    }

    /// Whether a word of private memory derives from havoc.
    public mutating func isHavocWord(_ address: UInt64, _ m: borrowing MachineAccess) -> Bool {
        (try? load(address, wordSize, m))?.isHavoc ?? false
    }
}

/// What an executing CPU may reach beyond its private state.
public struct MachineAccess {
    /// Trampolines and modules live from here up (MODULES_VADDR of x86_64).
    public static let moduleBase: UInt64 = 0xffff_ffff_c000_0000
    /// MODULES_END: the fixmap lies above.
    public static let moduleEnd: UInt64 = 0xffff_ffff_ff00_0000

    @inline(__always)
    static func isModule(_ address: UInt64) -> Bool {
        address >= moduleBase && address < moduleEnd
    }

    public let environment: MachineEnvironment
    /// Nil where instructions are decoded one by one.
    public let cache: DecodeCache?
    /// The shared text; nil while the CPU runs privately.
    public let text: UnsafePointer<TextMemory>?

    public init(environment: MachineEnvironment, cache: DecodeCache, text: UnsafePointer<TextMemory>? = nil) {
        self.environment = environment
        self.cache = cache
        self.text = text
    }

    /// A machine without an image.
    init(environment: MachineEnvironment) {
        self.environment = environment
        cache = nil
        text = nil
    }
}
