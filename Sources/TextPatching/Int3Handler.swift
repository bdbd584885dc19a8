public import KernelModel
public import MachineModel
public import X86

/// What became of one step of the INT3 handler.
public enum Int3Progress: Sendable, Hashable {
    case advanced
    /// The trap was claimed and `instruction` emulated; the next step is IRET.
    case emulated(InstructionBytes)
    /// poke_int3_handler() did not claim it: kprobes, notifiers, then die().
    case unclaimed
    /// The emulation itself failed: the store of a push faulted, or the instruction can't be emulated.
    case failed(Int3EmulationFailure)
}

/// smp_text_poke_int3_handler() (poke_int3_handler before 6.16) on one CPU, as a routine of explicit steps.
public struct Int3Handler: Sendable {
    enum Phase: Sendable, Hashable {
        case getReference
        case search
        case emulate(TextPokeLocation)
        case dropReference(claimed: InstructionBytes?)
        case done
    }

    public let regs: PtRegs
    /// regs->ip - 1.
    public let site: VirtualAddress
    let ablation: TextPokeAblation
    private(set) var phase = Phase.getReference

    public init(regs: PtRegs, site: VirtualAddress, ablation: TextPokeAblation) {
        self.regs = regs
        self.site = site
        self.ablation = ablation
    }

    public var description: String {
        switch phase {
        case .getReference: "try_get_text_poke_array()"
        case .search: "bsearch for \(site)"
        case .emulate(let location): "emulate \(location.emulated)"
        case .dropReference: "put_text_poke_array()"
        case .done: "return to the entry code"
        }
    }

    public mutating func step(
        _ array: inout TextPokeArray, _ cpu: inout CPUState, _ machine: borrowing MachineAccess
    ) -> Int3Progress {
        switch phase {
        case .getReference:
            guard !ablation.contains(.lookup), array.tryGet(cpu.index) else {
                phase = .done
                return .unclaimed
            }
            phase = .search
        case .search:
            if let location = array.find(site) {
                phase = .emulate(location)
            } else {
                phase = .dropReference(claimed: nil)
            }
        case .emulate(let location) where location.emulated[0] == 0xcc:
            // Somebody poked an explicit INT3: it is not consumed, the next handler in the chain takes it.
            phase = .dropReference(claimed: nil)
        case .emulate(let location):
            let failure = withUnsafeMutablePointer(to: &cpu) { emulate(location, CPUMemory($0, copy machine)) }
            if let failure {
                array.put(cpu.index)
                phase = .done
                return .failed(failure)
            }
            phase = .dropReference(claimed: location.emulated)
        case .dropReference(let claimed):
            array.put(cpu.index)
            phase = .done
            return claimed.map { .emulated($0) } ?? .unclaimed
        case .done: break
        }
        return .advanced
    }

    private func emulate(_ location: TextPokeLocation, _ memory: CPUMemory) -> Int3EmulationFailure? {
        var emulation = Int3Emulation(regs, memory)
        do throws(Int3EmulationFailure) {
            if ablation.contains(.emulation) {
                try emulation.jump(to: (site + location.new.count).rawValue)
            } else {
                try emulation.emulate(location.emulated, at: site)
            }
            return nil
        } catch {
            return error
        }
    }
}
