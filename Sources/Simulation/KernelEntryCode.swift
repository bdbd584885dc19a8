import EntryCode
import KernelModel
import MachineModel
import TextPatching
import X86

/// The entry code of a world: assembled when the world is made, not patchable, the same for all CPUs.
struct KernelEntryCode: Sendable {
    /// asm_exc_int3.
    let breakpoint: UInt64
    let text: TextSource

    private final class Page: @unchecked Sendable {
        // Sendable: the bytes are written once, before anybody else sees them.
        let bytes: UnsafeRawBufferPointer
        init(_ content: [UInt8]) {
            let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: content.count, alignment: 64)
            memory.copyBytes(from: content)
            bytes = UnsafeRawBufferPointer(memory)
        }
        deinit { bytes.deallocate() }
    }

    init(_ ablation: TextPokeAblation) {
        let name = ablation.contains(.gap) ? "no-gap" : "gap"
        guard let form = EntryForm.named(name, .x86_64) else { preconditionFailure("there is the form \(name)") }
        do throws(AssemblerError) {
            let unit = try Assembler(mode: .x86_64).assemble(
                form.int3, at: VirtualAddress(Sentinel.entryText),
                symbols: ["exc_int3": VirtualAddress(Sentinel.int3Handler)])
            guard let entry = unit.labels["asm_exc_int3"] else { preconditionFailure("the text has its entry") }
            breakpoint = entry.rawValue
            let page = Page(unit.bytes)
            text = TextSource(address: unit.address, bytes: page.bytes, owner: page)
        } catch {
            preconditionFailure("the entry code assembles: \(error)")
        }
    }
}
