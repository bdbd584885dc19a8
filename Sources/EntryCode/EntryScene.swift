import KernelModel
import MachineModel
import X86

/// The addresses of a trial.
struct EntryPlaces: Sendable {
    /// The entry code and the handlers.
    let text: UInt64
    /// The interrupted code: a page of its own, so that it can be a user's.
    let code: UInt64
    let stackBase: UInt64
    let stackSize: Int
    /// The stack that the interrupt stack table gives to NMIs; 0 where there is none.
    let nmiStackBase: UInt64
    let entryStackBase: UInt64
    let userStackBase: UInt64

    static let pageSize = 4096
    static let textPages = 2

    init(_ mode: ProcessorMode, isUser: Bool) {
        switch mode {
        case .x86_64:
            text = 0xffff_ffff_8100_0000
            code = isUser ? 0x40_0000 : 0xffff_ffff_8110_0000
            stackBase = 0xffff_c900_0000_0000
            nmiStackBase = 0xffff_fe00_0000_8000
            entryStackBase = 0xffff_fe00_0001_0000
            userStackBase = 0x7fff_f000
        case .i386:
            text = 0xc100_0000
            code = isUser ? 0x0804_8000 : 0xc110_0000
            stackBase = 0xf5a0_0000
            nmiStackBase = 0
            entryStackBase = 0xff80_1000
            userStackBase = 0xbfff_e000
        }
        stackSize = 2 * Self.pageSize
    }

    var stackTop: UInt64 { stackBase + UInt64(stackSize) }
    var userStackTop: UInt64 { userStackBase + UInt64(Self.pageSize) }
    var entryStackTop: UInt64 { entryStackBase + UInt64(4 * EntryTextI386.entryStackWords) }
    /// Offsets in the page of interrupted code.
    var site: UInt64 { code + 0x40 }
    var target: UInt64 { code + 0x100 }
    var caller: UInt64 { code + 0x205 }
    var trampoline: UInt64 { code + 0x300 }
}

/// A form's code, assembled with the handlers that the trial serves.
struct EntryUnit: Sendable {
    let bytes: [UInt8]
    let labels: [String: UInt64]
    /// Labels in ascending order, for names of places.
    private let ordered: [(name: String, address: UInt64)]
    let range: Range<UInt64>
    private let disassembler: Disassembler
    /// Instructions of the text by their offset; nil inside of one, and where trials put INT3s.
    private let instructions: [Instruction?]

    /// The trial acts at these labels in the text's place; what stands there is a RET.
    static let served = ["exc_int3", "do_irq", "nmi_work", "tracer"]

    private static func handlers(_ mode: ProcessorMode) -> String {
        let common =
            served.map { "\($0):\n        ret\n" }.joined() + """
                exc_nmi:
                        call nmi_work
                nmi_site:
                \(String(repeating: "        nop\n", count: 5))        ret

                """
        guard mode == .i386 else { return common }
        // memmove() with its call site, for a move to lower addresses: EAX destination, EDX source, ECX bytes.
        return common + """
            memmove:
            memmove_site:
            \(String(repeating: "        nop\n", count: 5))        pushl %esi
                    pushl %edi
                    movl %eax, %edi
                    movl %edx, %esi
                    shrl $2, %ecx
                    rep movsl
                    popl %edi
                    popl %esi
                    ret

            """
    }

    init(_ form: EntryForm, at places: EntryPlaces) throws(AssemblerError) {
        let unit = try Assembler(mode: form.mode).assemble(
            form.text + Self.handlers(form.mode), at: VirtualAddress(places.text),
            symbols: [
                "entry_stack": VirtualAddress(places.entryStackBase), "task_stack_top": VirtualAddress(places.stackTop),
            ])
        bytes = unit.bytes
        labels = unit.labels.mapValues(\.rawValue)
        ordered = labels.sorted { ($0.value, $0.key) < ($1.value, $1.key) }.map { ($0.key, $0.value) }
        range = places.text..<places.text + UInt64(bytes.count)
        disassembler = Disassembler(mode: form.mode)
        let sites = ["nmi_site", "memmove_site"].compactMap { unit.labels[$0] }.map { $0 - unit.address }
        instructions = Self.decode(unit.bytes, form.mode, sites: sites)
    }

    private static func decode(_ bytes: [UInt8], _ mode: ProcessorMode, sites: [Int]) -> [Instruction?] {
        let decoder = InstructionDecoder(mode: mode)
        var instructions: [Instruction?] = Array(repeating: nil, count: bytes.count)
        var offset = 0
        bytes.withUnsafeBytes { text in
            while offset < text.count {
                let end = min(offset + InstructionBytes.lengthMax, text.count)
                let window = UnsafeRawBufferPointer(rebasing: text[offset..<end])
                guard let instruction = decoder.decode(window) else { break }
                if !sites.contains(offset) { instructions[offset] = instruction }
                offset += Int(instruction.length)
            }
        }
        return instructions
    }

    /// The decoded instruction at `address`; nil where it has to be fetched.
    func decoded(_ address: UInt64) -> Instruction? {
        range.contains(address) ? instructions[Int(address - range.lowerBound)] : nil
    }

    subscript(label: String) -> UInt64 {
        guard let address = labels[label] else { preconditionFailure("the text defines \(label)") }
        return address
    }

    /// `label+offset`.
    func name(_ address: UInt64) -> String {
        guard range.contains(address), let label = ordered.last(where: { $0.address <= address }) else {
            return "\(VirtualAddress(address))"
        }
        let offset = address - label.address
        return offset == 0 ? label.name : "\(label.name)+\(offset)"
    }

    /// The instruction at `address`, in AT&T syntax.
    func instruction(_ address: UInt64) -> String? {
        guard range.contains(address) else { return nil }
        let start = Int(address - range.lowerBound)
        let window = Array(bytes[start..<min(start + InstructionBytes.lengthMax, bytes.count)])
        return disassembler.disassemble(window, at: VirtualAddress(address), linesMax: 1).first?.text
    }
}
