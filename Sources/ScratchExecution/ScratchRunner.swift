internal import MachineModel
internal import X86

/// Executes cases, each on a CPU of its own.
public struct ScratchRunner: Sendable {
    /// Where a called function returns to: nothing is there, so the return ends the case.
    static func returnAddress(_ mode: ProcessorMode) -> UInt64 {
        mode == .x86_64 ? 0xffff_ffff_ffff_f000 : 0xffff_f000
    }

    private let image: ScratchImage?
    private let empty: [ProcessorMode: [ScratchMachine]]
    private let assemblers = [
        ProcessorMode.x86_64: Assembler(mode: .x86_64), ProcessorMode.i386: Assembler(mode: .i386),
    ]

    public init(image: ScratchImage? = nil) {
        self.image = image
        var empty: [ProcessorMode: [ScratchMachine]] = [:]
        for mode in ProcessorMode.allCases {
            empty[mode] = [ScratchMachine(mode: mode), ScratchMachine(mode: mode, privilegeLevel: 3)]
        }
        self.empty = empty
    }

    public func run(_ scratchCase: ScratchCase) throws(ScratchCaseError) -> ScratchResult {
        var machine = try machine(scratchCase)
        let outcome = machine.run(steps: scratchCase.steps)
        var exception = outcome.exception
        if case .function = scratchCase.code, Self.hasReturned(machine, exception) { exception = nil }
        return ScratchResult(
            mode: scratchCase.mode,
            registers: ScratchRegister.shown(scratchCase.mode).map { $0.value(machine.cpu) },
            undefinedFlags: outcome.undefinedFlags, memory: machine.changes, exception: exception,
            steps: outcome.steps, inexact: outcome.inexact.keys.sorted(), isHalted: outcome.isHalted)
    }

    private static func hasReturned(_ machine: ScratchMachine, _ exception: ProcessorException?) -> Bool {
        exception?.vector == ProcessorException.Vector.pageFault
            && machine.cpu.context.rip == returnAddress(machine.mode)
    }

    /// The machine as the case's first instruction finds it.
    func machine(_ scratchCase: ScratchCase) throws(ScratchCaseError) -> ScratchMachine {
        try scratchCase.check()
        let mode = scratchCase.mode
        var machine: ScratchMachine
        var start = VirtualAddress(scratchCase.start)
        var code: [UInt8] = []
        switch scratchCase.code {
        case .bytes(let bytes): code = bytes
        case .assembly(let text): code = try assembled(text, mode, start)
        case .function(let name):
            guard let image else { throw ScratchCaseError("function: no kernel image was given") }
            guard image.mode == mode else {
                throw ScratchCaseError("mode: the kernel image is of \(image.mode.rawValue)")
            }
            start = try image.address(of: name)
        }
        if case .function = scratchCase.code, let image {
            machine = image.machine
        } else if let fresh = empty[mode]?[scratchCase.privilegeLevel == 0 ? 0 : 1] {
            machine = fresh
        } else {
            throw ScratchCaseError("mode: x86_64 or i386")
        }
        try map(scratchCase, code, at: start, in: &machine)
        var pointer = ScratchCase.stackPointer
        if case .function = scratchCase.code {
            pointer = scratchCase.registers[.rsp] ?? pointer
            pointer -= UInt64(mode.wordSize)
            let word = Self.returnAddress(mode)
            let bytes = (0..<mode.wordSize).map { UInt8(truncatingIfNeeded: word >> UInt64($0 * 8)) }
            guard machine.load(bytes, at: VirtualAddress(pointer)) else {
                throw ScratchCaseError("rsp: no stack is mapped there")
            }
        }
        for (register, value) in scratchCase.registers { register.set(value, &machine.cpu) }
        machine.cpu.context.rip = start.rawValue
        if scratchCase.registers[.rsp] == nil || pointer != ScratchCase.stackPointer {
            machine.cpu.context.rsp = pointer
        }
        if scratchCase.preventsSupervisorAccess { machine.cpu.system.cr4 |= ControlBit.supervisorAccessPrevention }
        if scratchCase.preventsSupervisorExecution {
            machine.cpu.system.cr4 |= ControlBit.supervisorExecutionPrevention
        }
        machine.markBaseline()
        return machine
    }

    private func assembled(
        _ text: String, _ mode: ProcessorMode, _ address: VirtualAddress
    ) throws(ScratchCaseError) -> [UInt8] {
        guard let assembler = assemblers[mode] else { return [] }
        do {
            let bytes = try assembler.assemble(text, at: address).bytes
            guard bytes.count <= ScratchCase.codeMax else {
                throw ScratchCaseError("asm: at most \(ScratchCase.codeMax) bytes, not \(bytes.count)")
            }
            return bytes
        } catch let error as AssemblerError {
            throw ScratchCaseError("asm: \(error)")
        } catch let error as ScratchCaseError {
            throw error
        } catch {
            throw ScratchCaseError("asm: \(error)")
        }
    }

    /// Instructions in the case's code, read from its first byte to its last.
    public static func instructionCount(_ scratchCase: ScratchCase) throws(ScratchCaseError) -> Int {
        let runner = ScratchRunner()
        var code: [UInt8] = []
        let start = VirtualAddress(scratchCase.start)
        switch scratchCase.code {
        case .bytes(let bytes): code = bytes
        case .assembly(let text): code = try runner.assembled(text, scratchCase.mode, start)
        case .function: break
        }
        return Disassembler(mode: scratchCase.mode).disassemble(code, at: start, linesMax: code.count).count
    }

    // MARK: Memory

    /// Maps the pages of code, stack and named memory, neighbours with the same permissions as one region.
    private func map(
        _ scratchCase: ScratchCase, _ code: [UInt8], at start: VirtualAddress, in machine: inout ScratchMachine
    ) throws(ScratchCaseError) {
        let isUser = scratchCase.privilegeLevel == 3
        var pages: [UInt64: PagePermissions] = [:]
        func add(_ address: UInt64, _ count: Int, _ permissions: PagePermissions, user: Bool) {
            guard count > 0 else { return }
            let page = UInt64(ScratchMachine.pageSize)
            var current = address & ~(page - 1)
            let last = (address + UInt64(count - 1)) & ~(page - 1)
            while true {
                pages[current, default: []].formUnion(user ? permissions.union(.user) : permissions)
                if current == last { break }
                current += page
            }
        }
        add(start.rawValue, code.count, .execute, user: isUser)
        add(ScratchCase.stackBase, ScratchCase.stackSize, .write, user: isUser)
        for piece in scratchCase.memory {
            var permissions: PagePermissions = []
            if piece.isWritable { permissions.insert(.write) }
            if piece.isExecutable { permissions.insert(.execute) }
            add(piece.address.rawValue, piece.bytes.count, permissions, user: piece.isUser ?? isUser)
        }
        try map(pages, in: &machine)
        if !code.isEmpty, !machine.load(code, at: start) { throw ScratchCaseError("bytes: no room for them") }
        for piece in scratchCase.memory where !machine.load(piece.bytes, at: piece.address) {
            throw ScratchCaseError("memory: no room at 0x\(String(piece.address.rawValue, radix: 16))")
        }
    }

    private func map(
        _ pages: [UInt64: PagePermissions], in machine: inout ScratchMachine
    ) throws(ScratchCaseError) {
        let size = UInt64(ScratchMachine.pageSize)
        let addresses = pages.keys.sorted()
        var index = 0
        while index < addresses.count {
            let first = index
            let permissions = pages[addresses[first]] ?? []
            index += 1
            while index < addresses.count, addresses[index] == addresses[index - 1] &+ size,
                pages[addresses[index]] == permissions
            {
                index += 1
            }
            do {
                try machine.map(
                    VirtualAddress(addresses[first]), size: (index - first) * Int(size), permissions)
            } catch .overlaps {
                // Memory inside the kernel image: the page is there already, with the image's permissions.
                try mapSingly(addresses[first..<index], permissions, in: &machine)
            } catch {
                throw ScratchCaseError("memory: \(error)")
            }
        }
    }

    private func mapSingly(
        _ pages: ArraySlice<UInt64>, _ permissions: PagePermissions, in machine: inout ScratchMachine
    ) throws(ScratchCaseError) {
        for page in pages {
            do {
                try machine.map(VirtualAddress(page), size: ScratchMachine.pageSize, permissions)
            } catch .overlaps {
                continue
            } catch {
                throw ScratchCaseError("memory: \(error)")
            }
        }
    }
}
