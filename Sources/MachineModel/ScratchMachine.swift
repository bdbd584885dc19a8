public import X86

/// Why a machine refuses memory.
public enum ScratchError: Error, Sendable, Hashable {
    /// Address or size is no multiple of a page, or the size is not positive.
    case notPages(address: VirtualAddress, size: Int)
    case overlaps(address: VirtualAddress)
    /// More than `ScratchMachine.regionsMax` regions or `ScratchMachine.bytesMax` bytes.
    case tooMuch
}

/// A run of bytes that differ from the baseline.
public struct MemoryChange: Sendable, Hashable {
    public let address: VirtualAddress
    public let bytes: [UInt8]
}

/// How a run on a scratch machine ended.
public struct ScratchOutcome: Sendable, Hashable {
    /// Instructions that retired.
    public var steps = 0
    /// The exception that ended the run; nothing of it has been delivered. A fault's RIP stands at its instruction, a
    /// trap's behind it.
    public var exception: ProcessorException?
    /// Status flags that the manuals leave undefined and that nothing has defined since.
    public var undefinedFlags: UInt64 = 0
    /// Executions whose outputs are arbitrary: instructions without semantics, CPUID, RDTSC, IN. By mnemonic.
    public var inexact: [String: UInt64] = [:]
    /// HLT ended the run.
    public var isHalted = false

    public var isExact: Bool { inexact.isEmpty }
}

/// One CPU with nothing but explicitly mapped memory: no image, no kernel, no havoc. A value; a copy is a branch.
public struct ScratchMachine: Sendable {
    public static let regionsMax = 256
    public static let bytesMax = 64 << 20
    public static let pageSize = 4096

    public let mode: ProcessorMode
    public var cpu: CPUState
    private let environment: MachineEnvironment
    private var baseline: [MappedRegion] = []

    /// A CPU at `privilegeLevel`, 0 or 3, with Linux's flat segments; all registers are zero and IF is off.
    public init(mode: ProcessorMode, privilegeLevel: Int = 0) {
        self.init(mode: mode, privilegeLevel: privilegeLevel, .empty(mode))
    }

    /// The same with text that never changes, decoded once: what `runText` executes. It is no data.
    public init(mode: ProcessorMode, privilegeLevel: Int = 0, text: TextSource) {
        self.init(mode: mode, privilegeLevel: privilegeLevel, .plain(mode, text: text))
    }

    private init(mode: ProcessorMode, privilegeLevel: Int, _ environment: MachineEnvironment) {
        precondition(privilegeLevel == 0 || privilegeLevel == 3, "kernel or user")
        self.mode = mode
        self.environment = environment
        var context = ExecutionContext(memory: GuestMemory(), seed: 0)
        context.rsp = 0
        context.rflags = FlagBit.alwaysSet
        cpu = CPUState(mode: mode, context: context, privilegeLevel: privilegeLevel)
    }

    // MARK: Memory

    /// Maps pages that read as zero.
    public mutating func map(
        _ address: VirtualAddress, size: Int, _ permissions: PagePermissions
    ) throws(ScratchError) {
        let base = address.rawValue
        guard size > 0, size % Self.pageSize == 0, base % UInt64(Self.pageSize) == 0,
            base.addingReportingOverflow(UInt64(size - 1)).overflow == false
        else { throw .notPages(address: address, size: size) }
        let mapped = cpu.context.memory.mapped
        guard mapped.count < Self.regionsMax, mapped.reduce(size, { $0 + $1.region.size }) <= Self.bytesMax else {
            throw .tooMuch
        }
        for region in mapped {
            let other = region.region
            if base <= other.base + UInt64(other.size - 1), other.base <= base + UInt64(size - 1) {
                throw .overlaps(address: address)
            }
        }
        let new = MappedRegion(
            region: PrivateRegion(base: base, size: size, tracksHavoc: false), permissions: permissions)
        let place = mapped.firstIndex { $0.region.base > base } ?? mapped.count
        cpu.context.memory.mapped.insert(new, at: place)
    }

    /// Writes bytes without looking at permissions; false, and nothing written, where something is not mapped.
    public mutating func load(_ bytes: [UInt8], at address: VirtualAddress) -> Bool {
        for index in bytes.indices where cpu.context.memory.mappedIndex((address + index).rawValue) == nil {
            return false
        }
        for (index, byte) in bytes.enumerated() { cpu.storeMapped((address + index).rawValue, UInt64(byte), 1) }
        return true
    }

    /// The bytes at `address`; nil where something is not mapped.
    public func bytes(at address: VirtualAddress, count: Int) -> [UInt8]? {
        var bytes: [UInt8] = []
        for index in 0..<max(count, 0) {
            let place = (address + index).rawValue
            guard let region = cpu.context.memory.mappedIndex(place) else { return nil }
            bytes.append(cpu.context.memory.mapped[region].region.byte(place).value)
        }
        return bytes
    }

    /// From now on `changes` is against what memory holds now.
    public mutating func markBaseline() {
        baseline = cpu.context.memory.mapped
    }

    /// Runs of bytes that differ from the baseline, ascending, with their present content.
    public var changes: [MemoryChange] {
        var changes: [MemoryChange] = []
        for (old, new) in zip(baseline, cpu.context.memory.mapped) where old.region.block !== new.region.block {
            let size = new.region.size
            var index = 0
            while index < size {
                if index % 8 == 0, index + 8 <= size, Self.word(old, index) == Self.word(new, index) {
                    index += 8
                    continue
                }
                guard Self.byte(old, index) != Self.byte(new, index) else {
                    index += 1
                    continue
                }
                let start = index
                while index < size, Self.byte(old, index) != Self.byte(new, index) { index += 1 }
                changes.append(
                    MemoryChange(
                        address: VirtualAddress(new.region.base) + start,
                        bytes: (start..<index).map { Self.byte(new, $0) }))
            }
        }
        return changes
    }

    private static func word(_ region: MappedRegion, _ index: Int) -> UInt64 {
        region.region.block.data.loadUnaligned(fromByteOffset: index, as: UInt64.self)
    }

    private static func byte(_ region: MappedRegion, _ index: Int) -> UInt8 {
        region.region.block.data.load(fromByteOffset: index, as: UInt8.self)
    }

    // MARK: Execution

    /// Executes up to `steps` instructions; a repeated string instruction is one, however often it repeats.
    ///
    /// An exception for which `cpu.gates` has a gate is delivered, and the run goes on; any other ends it.
    public mutating func run(steps: Int) -> ScratchOutcome {
        var outcome = ScratchOutcome()
        cpu.coverage = Coverage()
        let machine = MachineAccess(environment: environment)
        while outcome.steps < steps {
            let trap = stepOne(&outcome, machine)
            if trap == .none || trap == .serialized { continue }
            if trap == .halted {
                outcome.isHalted = true
                break
            }
            guard let exception = cpu.exception(trap) else { break }
            let isSoftware = skipSoftware(trap, machine)
            if cpu.gates?[exception.vector] != nil,
                cpu.deliver(exception, source: isSoftware ? .software : .exception, machine)
            {
                continue
            }
            outcome.exception = exception
            break
        }
        outcome.inexact = cpu.coverage?.byName ?? [:]
        return outcome
    }

    /// Executes up to `steps` instructions of the machine's own text; an iteration of a repeated instruction counts as one.
    ///
    /// Ends at the first exception, which is not delivered, or where the text ends (`exception` is nil then).
    public mutating func runText(
        steps: Int, record: ExecutionRecord? = nil, attention: AttentionWord = AttentionWord()
    ) -> (steps: Int, exception: ProcessorException?) {
        let before = cpu.counts.instructions
        let machine = MachineAccess(environment: environment)
        let trap =
            record.map { cpu.run(budget: steps, machine, record: $0, attention: attention) }
            ?? cpu.run(budget: steps, machine)
        return (Int(cpu.counts.instructions - before), cpu.exception(trap))
    }

    /// Fetches, decodes and executes one instruction with all its repetitions.
    private mutating func stepOne(_ outcome: inout ScratchOutcome, _ machine: borrowing MachineAccess) -> Trap {
        let bytes: [UInt8]
        do {
            bytes = try cpu.fetchMapped(cpu.context.rip)
        } catch {
            return error
        }
        switch bytes.withUnsafeBytes({ environment.decoder.outcome($0) }) {
        case .instruction(let instruction): return stepOne(instruction, &outcome, machine)
        case .tooLong: return cpu.fault(.generalProtection)
        case .invalid: return .undefinedOpcode
        case .truncated:
            // The instruction goes on in a page that may not be executed.
            if bytes.count >= InstructionBytes.lengthMax { return cpu.fault(.generalProtection) }
            do {
                try cpu.checkFetch((cpu.context.rip &+ UInt64(bytes.count)) & cpu.addressMask)
            } catch {
                return error
            }
            return .undefinedOpcode
        }
    }

    private mutating func stepOne(
        _ instruction: Instruction, _ outcome: inout ScratchOutcome, _ machine: borrowing MachineAccess
    ) -> Trap {
        withUnsafePointer(to: instruction) { pointer in
            let effect = UndefinedFlags.effect(pointer, cpu)
            var trap = cpu.step(pointer, machine)
            while trap == .none, cpu.isRepeating { trap = cpu.step(pointer, machine) }
            switch trap {
            case .none, .serialized, .halted, .debug:
                outcome.steps += 1
                outcome.undefinedFlags = outcome.undefinedFlags & ~effect.defined | effect.undefined
            default: break
            }
            return trap
        }
    }

    /// INT3, INTO and INT n save the address behind themselves.
    private mutating func skipSoftware(_ trap: Trap, _ machine: borrowing MachineAccess) -> Bool {
        guard trap == .breakpoint || trap == .overflow || trap == .softwareInterrupt else { return false }
        cpu.context.rip = cpu.context.registers[Int(Instruction.instructionPointer)]
        return true
    }

    // MARK: Events and accesses from outside

    /// Delivers an interrupt, or with vector 2 an NMI, where the CPU accepts one now; false where it is held off, masked,
    /// or can not be delivered.
    public mutating func interrupt(vector: UInt8) -> Bool {
        let isNMI = vector == ProcessorException.Vector.nonMaskable
        guard isNMI ? cpu.acceptsNMI : cpu.acceptsInterrupt else { return false }
        return cpu.deliver(
            ProcessorException(vector: vector), source: .external, MachineAccess(environment: environment))
    }

    /// Loads `size` bytes (1...8) as the CPU would now, at its privilege level and with its AC flag.
    public mutating func load(_ address: VirtualAddress, size: Int) throws(ProcessorException) -> UInt64 {
        precondition((1...8).contains(size), "an access has 1 to 8 bytes")
        do {
            return try cpu.load(address.rawValue, size, MachineAccess(environment: environment)).value
        } catch {
            throw exception(error)
        }
    }

    /// Stores likewise; a fault changes nothing.
    public mutating func store(_ value: UInt64, at address: VirtualAddress, size: Int) throws(ProcessorException) {
        precondition((1...8).contains(size), "an access has 1 to 8 bytes")
        do {
            try cpu.checkStore(address.rawValue, size, MachineAccess(environment: environment))
        } catch {
            throw exception(error)
        }
        cpu.store(address.rawValue, Word(value & PrivateRegion.mask(size)), size)
    }

    private func exception(_ trap: Trap) -> ProcessorException {
        guard let exception = cpu.exception(trap) else { preconditionFailure("an access takes a fault or none") }
        return exception
    }
}
