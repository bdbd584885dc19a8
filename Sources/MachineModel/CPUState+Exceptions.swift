import X86

/// Delivery of exceptions and interrupts through gates: SDM vol. 3, 6.12 to 6.15.
extension CPUState {
    /// The exception that a trap stands for; nil for what the processor does not know as one.
    public func exception(_ trap: Trap) -> ProcessorException? {
        typealias Vector = ProcessorException.Vector
        switch trap {
        case .none, .needsShared, .serialized, .havocStack, .budget, .halted, .attention: return nil
        case .divideError: return ProcessorException(vector: Vector.divideError)
        case .debug: return ProcessorException(vector: Vector.debug)
        case .breakpoint: return ProcessorException(vector: Vector.breakpoint)
        case .overflow: return ProcessorException(vector: Vector.overflow)
        case .boundRange: return ProcessorException(vector: Vector.boundRange)
        case .undefinedOpcode: return ProcessorException(vector: Vector.undefinedOpcode)
        case .doubleFault: return ProcessorException(vector: Vector.doubleFault, errorCode: 0)
        case .segmentNotPresent: return ProcessorException(vector: Vector.segmentNotPresent, errorCode: errorCode)
        case .stackFault: return ProcessorException(vector: Vector.stackFault, errorCode: errorCode)
        case .generalProtection: return ProcessorException(vector: Vector.generalProtection, errorCode: errorCode)
        case .pageFault:
            return ProcessorException(
                vector: Vector.pageFault, errorCode: errorCode, address: VirtualAddress(faultAddress))
        case .alignmentCheck: return ProcessorException(vector: Vector.alignmentCheck, errorCode: 0)
        case .softwareInterrupt: return ProcessorException(vector: softwareVector)
        }
    }

    /// An interrupt with IF on and outside of the shadows can be taken now.
    public var acceptsInterrupt: Bool {
        context.interruptsEnabled && !interruptShadow && !stackShadow
    }

    public var acceptsNMI: Bool {
        !nmiMasked && !stackShadow && !(options.interruptShadowBlocksNMI && interruptShadow)
    }

    /// Enters the handler of `exception`. RIP already stands where the frame is to say.
    ///
    /// An exception on the way takes its place, or makes it a double fault. Returns false where that could not be
    /// delivered either: the processor shuts down.
    public mutating func deliver(
        _ exception: ProcessorException, source: EventSource = .exception, _ m: borrowing MachineAccess
    ) -> Bool {
        var (exception, source) = (exception, source)
        while true {
            guard let gates else { return false }
            let before = (context.registers, context.rflags, system)
            do {
                try enter(exception, source, gates, m)
                return true
            } catch {
                (context.registers, context.rflags, system) = before
                guard var second = self.exception(error) else { return false }
                if source == .external, let code = second.errorCode,
                    second.vector != ProcessorException.Vector.pageFault
                {
                    second.errorCode = code | Self.externalBit
                }
                if exception.vector == ProcessorException.Vector.doubleFault { return false }
                exception = Self.combined(exception, second)
                source = .exception
            }
        }
    }

    private static let externalBit: UInt32 = 1
    /// The error code of a fault in the IDT: the entry's index, and the bit that says "IDT".
    private static func gateCode(_ vector: UInt8) -> UInt32 { UInt32(vector) << 3 | 2 }

    /// SDM vol. 3, table 6-5.
    private static func combined(_ first: ProcessorException, _ second: ProcessorException) -> ProcessorException {
        let isDouble =
            switch first.severity {
            case .benign: false
            case .contributory: second.severity == .contributory
            case .pageFault: second.severity != .benign
            }
        return isDouble ? ProcessorException(vector: ProcessorException.Vector.doubleFault, errorCode: 0) : second
    }

    private mutating func enter(
        _ exception: ProcessorException, _ source: EventSource, _ gates: GateTable, _ m: borrowing MachineAccess
    ) throws(Trap) {
        guard let gate = gates[exception.vector] else {
            throw fault(.generalProtection, Self.gateCode(exception.vector))
        }
        if source == .software, gate.privilegeLevel < system.privilegeLevel {
            throw fault(.generalProtection, Self.gateCode(exception.vector))
        }
        guard let code = descriptors.descriptor(gate.selector), code.kind == .code,
            code.privilegeLevel <= system.privilegeLevel
        else { throw fault(.generalProtection, UInt32(gate.selector & ~3)) }
        var frame = [UInt64(system[.ss]), context.rsp, savedFlags(exception, source), UInt64(system[.cs]), context.rip]
        let changesLevel = code.privilegeLevel < system.privilegeLevel
        var top = context.rsp
        if mode == .x86_64 {
            if gate.interruptStack > 0 {
                top = system.task.interruptStacks[gate.interruptStack - 1]
            } else if changesLevel {
                top = system.task.stack0
            }
            if !Self.isCanonical(top) { throw fault(.stackFault) }
            top &= ~15
        } else if changesLevel {
            top = system.task.stack0
        } else {
            // Without a change of privilege 32-bit mode saves no stack pointer.
            frame.removeFirst(2)
        }
        if let errorCode = exception.errorCode { frame.append(UInt64(errorCode)) }
        if let address = exception.address { system.cr2 = address.rawValue }
        try pushFrame(frame, from: top, m)
        if changesLevel {
            // 64-bit mode loads a NULL stack segment with the new level.
            system[.ss] = mode == .x86_64 ? UInt16(code.privilegeLevel) : system.task.stackSegment0
            system.privilegeLevel = code.privilegeLevel
        }
        system[.cs] = gate.selector & ~3 | UInt16(system.privilegeLevel)
        context.rip = gate.handler.rawValue & addressMask
        context.rflags &= ~(FlagBit.trap | FlagBit.nestedTask | FlagBit.resume | FlagBit.virtual8086)
        if !gate.isTrap { context.rflags &= ~FlagBit.interrupt }
        (interruptShadow, stackShadow) = (false, false)
        if exception.vector == ProcessorException.Vector.nonMaskable, source == .external { nmiMasked = true }
        restartInterruptsOffBudget()
    }

    /// A fault's frame has RF set, so that the instruction is not caught by its own breakpoint again.
    private func savedFlags(_ exception: ProcessorException, _ source: EventSource) -> UInt64 {
        source == .exception && exception.isFault ? context.rflags | FlagBit.resume : context.rflags & ~FlagBit.resume
    }

    /// Writes `frame` downwards from `top`; the accesses are the processor's own, whatever EFLAGS.AC says.
    private mutating func pushFrame(_ frame: [UInt64], from top: UInt64, _ m: borrowing MachineAccess) throws(Trap) {
        var address = top
        for _ in frame {
            address = (address &- UInt64(wordSize)) & addressMask
            if context.memory.isExplicit {
                try checkMapped(address, wordSize, isWrite: true, isStack: true, isImplicit: true)
            } else {
                try checkStore(address, wordSize, isStack: true, m)
            }
        }
        address = top
        for word in frame {
            address = (address &- UInt64(wordSize)) & addressMask
            store(address, Word(word), wordSize)
        }
        context.rsp = address
    }
}
