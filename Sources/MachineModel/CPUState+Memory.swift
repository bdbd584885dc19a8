/// A loaded word.
struct Loaded {
    var value: UInt64
    var isHavoc: Bool
}

extension CPUState {
    /// Loads `count` bytes (1...8). Nil: `trap` says why; nothing has happened.
    @inline(__always)
    mutating func load(
        _ address: UInt64, _ count: Int, _ machine: borrowing MachineAccess, _ trap: inout Trap
    ) -> Loaded {
        if context.memory.stack.contains(address, count) {
            if let (value, isHavoc) = context.memory.stack.load(address, count) {
                return Loaded(value: value, isHavoc: isHavoc)
            }
        } else if context.memory.arena.contains(address, count) {
            if let (value, isHavoc) = context.memory.arena.load(address, count) {
                return Loaded(value: value, isHavoc: isHavoc)
            }
        }
        return loadSlowly(address, count, machine, &trap)
    }

    @inline(never)
    private mutating func loadSlowly(
        _ address: UInt64, _ count: Int, _ machine: borrowing MachineAccess, _ trap: inout Trap
    ) -> Loaded {
        if let loaded = loadImage(address, count, machine) { return loaded }
        var loaded = Loaded(value: 0, isHavoc: false)
        for index in 0..<count {
            let place = address &+ UInt64(index)
            guard let (byte, isHavoc) = loadByte(place, count, machine, &trap) else {
                if trap == .pageFault { faultAddress = place }
                return loaded
            }
            loaded.value |= UInt64(byte) << UInt64(index * 8)
            loaded.isHavoc = loaded.isHavoc || isHavoc
        }
        return loaded
    }

    /// A load inside one page of the image's data that has its bytes and no copy of this task's.
    private func loadImage(_ address: UInt64, _ count: Int, _ machine: borrowing MachineAccess) -> Loaded? {
        if perCPU.contains(address, 1) || isHandlerStack(address, 1) { return nil }
        guard let region = machine.environment.region(address), let bytes = region.bytes else { return nil }
        let offset = address &- region.address
        let inPage = address & (GuestMemory.pageSize - 1)
        guard offset &+ 8 <= region.size, inPage &+ UInt64(count) <= GuestMemory.pageSize else { return nil }
        if !context.memory.overlay.isEmpty, context.memory.overlay[address / GuestMemory.pageSize] != nil { return nil }
        let word = bytes.bytes.loadUnaligned(fromByteOffset: Int(offset), as: UInt64.self)
        if count == 8, word == 0, isFilledByBoot(region, address, machine) {
            return Loaded(value: arbitraryWord(address), isHavoc: true)
        }
        return Loaded(value: word & PrivateRegion.mask(count), isHavoc: false)
    }

    /// What the file leaves zero in writable data is what boot code fills: a pointer of 0 there says nothing.
    private func isFilledByBoot(_ region: DataRegion, _ address: UInt64, _ machine: borrowing MachineAccess) -> Bool {
        region.isWritable || machine.environment.readOnlyAfterInit.contains(address)
    }

    /// One byte of a load of `count`.
    private func loadByte(
        _ address: UInt64, _ count: Int, _ machine: borrowing MachineAccess, _ trap: inout Trap
    ) -> (UInt8, Bool)? {
        if context.memory.stack.contains(address, 1) { return privateByte(context.memory.stack, address) }
        if context.memory.arena.contains(address, 1) { return privateByte(context.memory.arena, address) }
        if perCPU.contains(address, 1) { return perCPUByte(address, machine) }
        if nmiStack.contains(address, 1) { return privateByte(nmiStack, address) }
        if irqStack.contains(address, 1) { return privateByte(irqStack, address) }
        if nmiHandlerStack.contains(address, 1) { return privateByte(nmiHandlerStack, address) }
        if machine.environment.text.contains(address) || MachineAccess.isModule(address) {
            guard let text = machine.text else {
                trap = .needsShared
                return nil
            }
            if let byte = text.pointee.newestByte(at: address) { return (byte, false) }
            trap = .pageFault
            return nil
        }
        return imageByte(address, count, machine, &trap)
    }

    private func imageByte(
        _ address: UInt64, _ count: Int, _ machine: borrowing MachineAccess, _ trap: inout Trap
    ) -> (UInt8, Bool)? {
        guard let region = machine.environment.region(address) else {
            trap = .pageFault
            return nil
        }
        if !context.memory.overlay.isEmpty, let page = context.memory.overlay[address / GuestMemory.pageSize] {
            let (value, state) = page.byte(address)
            if state != PrivateRegion.ByteState.unwritten { return (value, state == PrivateRegion.ByteState.havoc) }
        }
        if let bytes = region.bytes {
            let offset = Int(address - region.address)
            let start = offset & ~7
            if count == 8, start + 8 <= Int(region.size), isFilledByBoot(region, address, machine),
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

    private func perCPUByte(_ address: UInt64, _ machine: borrowing MachineAccess) -> (UInt8, Bool) {
        let (value, state) = perCPU.byte(address)
        if state != PrivateRegion.ByteState.unwritten { return (value, state == PrivateRegion.ByteState.havoc) }
        let offset = Int(address - perCPU.base)
        if let template = machine.environment.perCPUTemplate, offset < template.bytes.count {
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

    /// Whether a store of `count` bytes to `address` is allowed; else `trap` and `faultAddress` are set.
    @inline(__always)
    mutating func checkStore(
        _ address: UInt64, _ count: Int, _ machine: borrowing MachineAccess, _ trap: inout Trap
    ) -> Bool {
        if context.memory.stack.contains(address, count) || context.memory.arena.contains(address, count)
            || perCPU.contains(address, count) || isHandlerStack(address, count)
        {
            return true
        }
        if let region = machine.environment.region(address), region.isWritable,
            address &- region.address &+ UInt64(count) <= region.size
        {
            return true
        }
        // Text is read-only here: patching goes through the alias of the patching CPU only.
        trap = .pageFault
        faultAddress = address
        return false
    }

    /// Stores to memory that `checkStore` has allowed.
    @inline(__always)
    mutating func store(_ address: UInt64, _ value: UInt64, _ count: Int, isHavoc: Bool) {
        if context.memory.stack.contains(address, count) {
            context.memory.stack.store(address, value, count, isHavoc: isHavoc)
        } else if context.memory.arena.contains(address, count) {
            context.memory.arena.store(address, value, count, isHavoc: isHavoc)
        } else {
            storeSlowly(address, value, count, isHavoc)
        }
    }

    @inline(never)
    private mutating func storeSlowly(_ address: UInt64, _ value: UInt64, _ count: Int, _ isHavoc: Bool) {
        if perCPU.contains(address, count) {
            perCPU.store(address, value, count, isHavoc: isHavoc)
        } else if nmiStack.contains(address, count) {
            nmiStack.store(address, value, count, isHavoc: isHavoc)
        } else if irqStack.contains(address, count) {
            irqStack.store(address, value, count, isHavoc: isHavoc)
        } else if nmiHandlerStack.contains(address, count) {
            nmiHandlerStack.store(address, value, count, isHavoc: isHavoc)
        } else {
            let inPage = Int(address & (GuestMemory.pageSize - 1))
            let first = min(count, Int(GuestMemory.pageSize) - inPage)
            storeInPage(address, value, first, isHavoc)
            if first < count {
                storeInPage(address &+ UInt64(first), value >> UInt64(first * 8), count - first, isHavoc)
            }
        }
    }

    /// A store to the task's copy of one page of the image.
    private mutating func storeInPage(_ address: UInt64, _ value: UInt64, _ count: Int, _ isHavoc: Bool) {
        let page = address / GuestMemory.pageSize
        if context.memory.overlay[page] == nil {
            if context.memory.overlay.count >= GuestMemory.overlayPagesMax {
                context.memory.overlay.removeAll(keepingCapacity: true)
            }
            context.memory.overlay[page] = PrivateRegion(
                base: page * GuestMemory.pageSize, size: Int(GuestMemory.pageSize))
        }
        context.memory.overlay[page]!.store(address, value, count, isHavoc: isHavoc)
    }

    // MARK: For the kernel's entry code and routines

    /// Reads a word as a kernel routine does; nil where it faults.
    public mutating func readWord(_ address: UInt64, _ machine: borrowing MachineAccess) -> UInt64? {
        var trap = Trap.none
        let loaded = load(address, 8, machine, &trap)
        return trap == .none ? loaded.value : nil
    }

    /// Writes a word as a kernel routine does; false where it faults.
    public mutating func writeWord(
        _ address: UInt64, _ value: UInt64, isHavoc: Bool = false, _ machine: borrowing MachineAccess
    ) -> Bool {
        var trap = Trap.none
        guard checkStore(address, 8, machine, &trap) else { return false }
        store(address, value, 8, isHavoc: isHavoc)
        return true
    }

    /// Pushes a return address; false where the stack has no room.
    public mutating func pushReturn(to address: UInt64, _ machine: borrowing MachineAccess) -> Bool {
        guard writeWord(context.rsp &- 8, address, machine) else { return false }
        context.rsp &-= 8
        return true
    }

    /// Whether a word of private memory derives from havoc.
    public mutating func isHavocWord(_ address: UInt64, _ machine: borrowing MachineAccess) -> Bool {
        var trap = Trap.none
        return load(address, 8, machine, &trap).isHavoc
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
    public let cache: DecodeCache
    /// The shared text; nil while the CPU runs privately.
    public let text: UnsafePointer<TextMemory>?

    public init(environment: MachineEnvironment, cache: DecodeCache, text: UnsafePointer<TextMemory>? = nil) {
        self.environment = environment
        self.cache = cache
        self.text = text
    }
}
