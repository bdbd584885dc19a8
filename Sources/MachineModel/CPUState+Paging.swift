import X86

/// Memory that is mapped explicitly: presence, permissions, privilege and alignment (SDM vol. 3, 4.6 and 4.7).
extension CPUState {
    enum PageFaultBit {
        static let present: UInt32 = 1 << 0
        static let write: UInt32 = 1 << 1
        static let user: UInt32 = 1 << 2
        static let fetch: UInt32 = 1 << 4
    }

    /// Notes a #PF; CR2 is loaded when it is delivered.
    mutating func pageFault(
        _ address: UInt64, isWrite: Bool, isPresent: Bool, isFetch: Bool = false, isImplicit: Bool = false
    ) -> Trap {
        faultAddress = address
        errorCode = (isPresent ? PageFaultBit.present : 0) | (isWrite ? PageFaultBit.write : 0)
        if system.privilegeLevel == 3, !isImplicit { errorCode |= PageFaultBit.user }
        // The bit exists where NX or SMEP is on (SDM vol. 3, 4.7).
        if isFetch, system.efer & Self.noExecute != 0 || hasSMEP { errorCode |= PageFaultBit.fetch }
        return .pageFault
    }

    /// Notes a fault with an error code.
    @inline(never)
    mutating func fault(_ trap: Trap, _ code: UInt32 = 0) -> Trap {
        errorCode = code
        return trap
    }

    private static let noExecute: UInt64 = 1 << 11

    private var hasSMEP: Bool { system.cr4 & ControlBit.supervisorExecutionPrevention != 0 }

    /// Bits 47 to 63 are alike.
    @inline(__always)
    static func isCanonical(_ address: UInt64) -> Bool {
        Int64(bitPattern: address << 16) >> 16 == Int64(bitPattern: address)
    }

    /// Whether an access of `count` bytes is allowed; `isImplicit` are the processor's own, which are a supervisor's.
    mutating func checkMapped(
        _ address: UInt64, _ count: Int, isWrite: Bool, isStack: Bool, isImplicit: Bool = false
    ) throws(Trap) {
        let last = address &+ UInt64(count - 1)
        if mode == .x86_64, !Self.isCanonical(address) || !Self.isCanonical(last) {
            throw fault(isStack ? .stackFault : .generalProtection)
        }
        if !isImplicit, count > 1, address & UInt64(count - 1) != 0, checksAlignment { throw fault(.alignmentCheck) }
        try checkPage(address, isWrite, isImplicit)
        if last / GuestMemory.pageSize != address / GuestMemory.pageSize {
            try checkPage((last & ~(GuestMemory.pageSize - 1)) & addressMask, isWrite, isImplicit)
        }
    }

    private var checksAlignment: Bool {
        system.privilegeLevel == 3 && context.rflags & FlagBit.alignmentCheck != 0
            && system.cr0 & ControlBit.alignmentMask != 0
    }

    private mutating func checkPage(_ address: UInt64, _ isWrite: Bool, _ isImplicit: Bool) throws(Trap) {
        guard let index = context.memory.mappedIndex(address) else {
            throw pageFault(address, isWrite: isWrite, isPresent: false, isImplicit: isImplicit)
        }
        let permissions = context.memory.mapped[index].permissions
        let isUserAccess = system.privilegeLevel == 3 && !isImplicit
        var isAllowed: Bool
        if isUserAccess {
            isAllowed = permissions.contains(.user) && (!isWrite || permissions.contains(.write))
        } else {
            // CR0.WP makes read-only pages read-only for the supervisor, too.
            isAllowed = !isWrite || permissions.contains(.write) || system.cr0 & ControlBit.writeProtect == 0
            if permissions.contains(.user), system.cr4 & ControlBit.supervisorAccessPrevention != 0 {
                // SMAP: EFLAGS.AC lifts it for explicit accesses.
                isAllowed = isAllowed && !isImplicit && context.rflags & FlagBit.alignmentCheck != 0
            }
        }
        if !isAllowed { throw pageFault(address, isWrite: isWrite, isPresent: true, isImplicit: isImplicit) }
    }

    /// Whether an instruction may be fetched from the page of `address`.
    mutating func checkFetch(_ address: UInt64) throws(Trap) {
        if mode == .x86_64, !Self.isCanonical(address) { throw fault(.generalProtection) }
        guard let index = context.memory.mappedIndex(address) else {
            throw pageFault(address, isWrite: false, isPresent: false, isFetch: true)
        }
        let permissions = context.memory.mapped[index].permissions
        let isUser = permissions.contains(.user)
        let isAllowed =
            permissions.contains(.execute)
            && (system.privilegeLevel == 3 ? isUser : !(isUser && hasSMEP))
        if !isAllowed { throw pageFault(address, isWrite: false, isPresent: true, isFetch: true) }
    }

    mutating func loadMapped(
        _ address: UInt64, _ count: Int, _ isStack: Bool, isImplicit: Bool = false
    ) throws(Trap) -> Word {
        try checkMapped(address, count, isWrite: false, isStack: isStack, isImplicit: isImplicit)
        if let index = context.memory.mappedIndex(address),
            context.memory.mapped[index].region.contains(address, count),
            let word = context.memory.mapped[index].region.load(address, count)
        {
            return word
        }
        var value: UInt64 = 0
        for offset in 0..<count { value |= UInt64(mappedByte(address &+ UInt64(offset))) << UInt64(offset * 8) }
        return Word(value)
    }

    private func mappedByte(_ address: UInt64) -> UInt8 {
        let place = address & addressMask
        return context.memory.mappedIndex(place).map { context.memory.mapped[$0].region.byte(place).value } ?? 0
    }

    mutating func storeMapped(_ address: UInt64, _ value: UInt64, _ count: Int) {
        if let index = context.memory.mappedIndex(address), context.memory.mapped[index].region.contains(address, count)
        {
            context.memory.mapped[index].region.store(address, Word(value), count)
            return
        }
        for offset in 0..<count {
            let place = (address &+ UInt64(offset)) & addressMask
            guard let index = context.memory.mappedIndex(place) else { continue }
            context.memory.mapped[index].region.store(place, Word(value >> UInt64(offset * 8)), 1)
        }
    }

    /// Up to 15 bytes of an instruction at `address`; fewer where the next page may not be executed.
    mutating func fetchMapped(_ address: UInt64) throws(Trap) -> [UInt8] {
        try checkFetch(address)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.fetchMax)
        for offset in 0..<Self.fetchMax {
            let place = (address &+ UInt64(offset)) & addressMask
            if place & (GuestMemory.pageSize - 1) == 0, offset > 0 {
                do {
                    try checkFetch(place)
                } catch {
                    // Only an instruction that needs the page faults on it.
                    return bytes
                }
            }
            bytes.append(mappedByte(place))
        }
        return bytes
    }

    private static let fetchMax = 15
}
