import Synchronization
public import X86

/// Asks a running CPU to come back: a pending interrupt, unseen text.
public final class AttentionWord: Sendable {
    let word = Atomic<UInt32>(0)

    public init() {}

    public func raise() { word.store(1, ordering: .relaxed) }
    public func clear() { word.store(0, ordering: .relaxed) }
}

/// The addresses of executed instructions, the newest `capacity` of them.
public final class ExecutionRecord {
    public static let capacity = 1 << 16
    let addresses: UnsafeMutablePointer<UInt64>
    /// Instructions recorded so far.
    public internal(set) var count: UInt64 = 0

    public init() {
        addresses = .allocate(capacity: Self.capacity)
        addresses.initialize(repeating: 0, count: Self.capacity)
    }

    deinit { addresses.deallocate() }

    @inline(__always)
    func note(_ address: UInt64) {
        addresses[Int(truncatingIfNeeded: count) & (Self.capacity - 1)] = address
        count &+= 1
    }

    /// The newest addresses, oldest first, at most `capacity`.
    public var newest: [VirtualAddress] {
        let kept = min(count, UInt64(Self.capacity))
        return ((count - kept)..<count).map { VirtualAddress(addresses[Int($0) & (Self.capacity - 1)]) }
    }
}

extension CPUState {
    /// The mapped region at `address` as a window, with what this CPU may do there now; nil where it may nothing, or where
    /// every access needs a look (alignment checks).
    func window(at address: UInt64) -> MemoryWindow? {
        guard let index = context.memory.mappedIndex(address) else { return nil }
        let permissions = context.memory.mapped[index].permissions
        let isUser = permissions.contains(.user)
        let isCPL3 = system.privilegeLevel == 3
        let accessFlag = context.rflags & FlagBit.alignmentCheck != 0
        if isCPL3, !isUser || accessFlag && system.cr0 & ControlBit.alignmentMask != 0 { return nil }
        if !isCPL3, isUser, system.cr4 & ControlBit.supervisorAccessPrevention != 0, !accessFlag { return nil }
        let isWritable =
            permissions.contains(.write) || !isCPL3 && system.cr0 & ControlBit.writeProtect == 0
        return MemoryWindow(context.memory.mapped[index].region, isWritable: isWritable)
    }

    /// Makes the explicit regions this CPU's own, so that windows may point into them.
    mutating func makeMappedUnique() {
        for index in context.memory.mapped.indices { context.memory.mapped[index].region.makeUnique() }
    }

    /// Instructions that a walk may still execute before a budget ends it, counting the one that does.
    private var walkAllowance: Int {
        let walk = context.walkBudget + 1
        return context.interruptsEnabled ? walk : min(walk, Self.interruptsOffBudget - interruptsOffCount + 1)
    }

    /// Accounts for `executed` instructions that the loop retired.
    private mutating func settle(_ executed: Int) {
        guard executed > 0 else { return }
        counts.instructions &+= UInt64(executed)
        if context.memory.isExplicit { return }
        context.walkBudget -= executed
        if context.interruptsEnabled { interruptsOffCount = 0 } else { interruptsOffCount += executed }
    }

    /// A shadow, a single step or RF ends with the next instruction: only the long way sees to that.
    private var needsCare: Bool {
        interruptShadow || stackShadow || context.rflags & (FlagBit.trap | FlagBit.resume) != 0
    }

    private var isOverBudget: Bool {
        !context.memory.isExplicit && (context.walkBudget < 0 || interruptsOffCount > Self.interruptsOffBudget)
    }

    /// Executes an instruction that the loop has no shortcut for; everything is in its place.
    @inline(never)
    private mutating func stepCold(_ i: UnsafePointer<Instruction>, _ m: borrowing MachineAccess) -> Trap {
        let trap = step(i, m)
        guard trap == .none || trap == .serialized else { return trap }
        if context.memory.isExplicit {
            if !isRepeating { counts.instructions &+= 1 }
            return trap
        }
        return retire(trap)
    }

    /// Runs up to `budget` instructions of the image's predecoded text. A function on a pointer: its locals stay locals.
    static func loop<Variant: LoopVariant>(
        _ cpu: UnsafeMutablePointer<CPUState>, _ variant: Variant.Type, budget: Int, _ m: borrowing MachineAccess,
        _ record: ExecutionRecord?, _ attention: AttentionWord?
    ) -> Trap {
        var left = budget
        if cpu.pointee.context.memory.isExplicit { cpu.pointee.makeMappedUnique() }
        while left > 0 {
            if cpu.pointee.needsCare {
                let rip = cpu.pointee.context.rip
                guard let next = m.environment.predecode.instruction(at: rip, m.environment) else {
                    return .needsShared
                }
                let trap = cpu.pointee.stepCold(next, m)
                if trap != .none { return trap }
                left -= 1
                continue
            }
            var limit = left
            if !cpu.pointee.context.memory.isExplicit { limit = min(limit, max(cpu.pointee.walkAllowance, 1)) }
            var stop = LoopStop()
            shortcuts(cpu, variant, &stop, limit: limit, m, record, attention)
            left -= stop.executed
            cpu.pointee.settle(stop.executed)
            if stop.trap != .none { return stop.trap }
            if stop.executed > 0, cpu.pointee.isOverBudget { return .budget }
            guard left > 0 else { break }
            // An instruction without a shortcut.
            guard let next = stop.next else { return .needsShared }
            let trap = cpu.pointee.stepCold(next, m)
            if trap != .none { return trap }
            left -= 1
        }
        return .none
    }
}

/// Why the shortcuts came to an end.
struct LoopStop {
    var executed = 0
    var trap = Trap.none
    /// The instruction to be executed the long way; nil where its text must be looked at first.
    var next: UnsafePointer<Instruction>?
}
