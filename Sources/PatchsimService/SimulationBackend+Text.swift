internal import Spelling
internal import Ftrace
internal import KernelImage
internal import MachineModel
internal import PatchsimInterface
internal import Simulation
internal import SimulationRuntime
internal import X86

extension SimulationBackend {
    // MARK: io.patchsim.Text

    func textBytes(at address: VirtualAddress, count: Int) async throws -> [UInt8] {
        guard let bytes = host.withKernel({ $0.textBytes(at: address, count: count) }) else {
            throw notText(address, count)
        }
        return bytes
    }

    private func notText(_ address: VirtualAddress, _ count: Int) -> TextFault.NotText {
        let text = image.text
        return TextFault.NotText(
            address: Wire.address(address.rawValue), length: count, textStart: Wire.address(text.address.rawValue),
            textEnd: Wire.address((text.address + text.size).rawValue))
    }

    /// Instructions where neither a count nor a symbol says how many.
    private static let instructionsDefault = 16

    func disassemble(from start: TextPlace, count: Int?) async throws -> Disassemble.Reply {
        let address: VirtualAddress
        var size: Int?
        switch start {
        case .symbol(let name):
            guard let found = image.symbols.address(of: name) else { throw noSuchSymbol(name) }
            address = found
            size = image.symbols.lookup(found)?.size
        case .address(let given): address = given
        }
        let lines = count ?? (size == nil ? Self.instructionsDefault : ServiceLimits.instructionsMax)
        let length = count == nil ? size ?? lines * InstructionBytes.lengthMax : lines * InstructionBytes.lengthMax
        let bytes = host.withKernel { $0.text.newestBytes(at: address, count: min(length, ServiceLimits.textBytesMax)) }
        guard !bytes.isEmpty else { throw notText(address, 1) }
        let disassembled = Disassembler(mode: image.mode).disassemble(
            bytes, at: address, linesMax: min(lines, ServiceLimits.instructionsMax))
        let sites = Sites(image)
        return Disassemble.Reply(
            symbol: image.place(address),
            lines: disassembled.map { line in
                PatchsimInterface.DisassembledLine(
                    address: Wire.address(line.address.rawValue), bytes: Wire.bytes(line.bytes),
                    text: line.text + (line.target.map { " <\(targetName($0))>" } ?? ""), site: sites.kind(line.address)
                )
            })
    }

    private func targetName(_ address: VirtualAddress) -> String {
        let name = symbol(address)
        if !name.isEmpty { return name }
        return host.withKernel { $0.ftrace.opsOfTrampoline(covering: address) }.map {
            "ftrace_trampoline of \($0.name)"
        }
            ?? Wire.address(address.rawValue)
    }

    func noSuchSymbol(_ name: String) -> TextFault.NoSuchSymbol {
        let names = (0..<image.symbols.count).lazy.map { self.image.symbols.name(at: $0) }
        return TextFault.NoSuchSymbol(symbol: name, near: nearest(to: name, in: names, countMax: 3))
    }

    func symbols(at place: TextPlace) async throws -> [SymbolRecord] {
        switch place {
        case .symbol(let name):
            let found = image.symbols.indices(named: name)
            guard !found.isEmpty else { throw noSuchSymbol(name) }
            return found.map { record($0, offset: 0) }
        case .address(let address):
            guard let (index, offset, _) = image.symbols.lookup(address) else {
                throw noSuchSymbol(Wire.address(address.rawValue))
            }
            return [record(index, offset: offset)]
        }
    }

    private func record(_ index: Int, offset: Int) -> SymbolRecord {
        let symbol = image.symbols[index]
        return SymbolRecord(
            name: symbol.name, address: Wire.address(symbol.address.rawValue),
            type: String(decoding: [symbol.type], as: UTF8.self), size: image.symbols.lookup(symbol.address)?.size ?? 0,
            offset: offset)
    }

    func functions(matching glob: String?) async throws -> [FunctionRecord] {
        let pattern = glob.map { FtraceGlob($0) }
        let text = image.text
        let enabled = host.withKernel { kernel in
            Dictionary(
                kernel.ftrace.records.map { ($0.address, $0.has(.enabled)) }, uniquingKeysWith: { first, _ in first })
        }
        var found: [FunctionRecord] = []
        for index in 0..<image.symbols.count {
            let symbol = image.symbols[index]
            guard symbol.type | 0x20 == UInt8(ascii: "t") || symbol.type | 0x20 == UInt8(ascii: "w"),
                symbol.address >= text.address, symbol.address < text.address + text.size,
                pattern?.matches(symbol.name) ?? true
            else { continue }
            found.append(
                FunctionRecord(
                    name: symbol.name, address: Wire.address(symbol.address.rawValue),
                    size: image.symbols.lookup(symbol.address)?.size ?? 0, traceable: enabled[symbol.address] != nil,
                    enabled: enabled[symbol.address] ?? false))
        }
        return found.sorted { $0.address < $1.address }
    }
}

/// What kind of patchable site starts at an address.
private struct Sites {
    private let mcount: Set<VirtualAddress>
    private let staticCalls: Set<VirtualAddress>
    private let jumpLabels: Set<VirtualAddress>

    init(_ image: KernelImage) {
        mcount = Set(image.mcountSites)
        staticCalls = Set(image.staticCallSites.map(\.address))
        jumpLabels = Set(image.jumpEntries.map(\.code))
    }

    func kind(_ address: VirtualAddress) -> String? {
        if mcount.contains(address) { return "mcount" }
        if staticCalls.contains(address) { return "static_call" }
        return jumpLabels.contains(address) ? "jump_label" : nil
    }
}
