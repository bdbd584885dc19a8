import KernelImage
import Testing
import X86

/// Sums of the text that the two kernels really had in memory after boot (QEMU 7.2, TCG, -cpu max -smp 2, nokaslr),
/// with the places that only alternatives, paravirt calls and retpolines explain set to zero.
@Suite("The booted text against a recorded boot")
struct RecordedBootTests {
    @Test("amd64: outside of alternatives, paravirt calls and retpolines every byte is the booted kernel's")
    func amd64() throws {
        let kernel = try RealKernel.amd64.get()
        guard kernel.release == RealKernel.recordedAmd64 else { return }
        #expect(MD5.hex(masked(kernel)) == "ed6eb9fa1233b76622a1240b9833f8f8")
    }

    @Test("i386: outside of alternatives and paravirt calls every byte is the booted kernel's")
    func i386() throws {
        let kernel = try RealKernel.i386.get()
        guard kernel.release == RealKernel.recordedI386 else { return }
        #expect(MD5.hex(masked(kernel)) == "9cff91403f1f85e7323893b240258d98")
    }

    private func masked(_ kernel: RealKernel) -> [UInt8] {
        let file = PlainVmlinux(kernel.vmlinux)
        let region = kernel.image.text
        var text = region.withBytes { Array($0) }!
        func clear(_ address: UInt64, _ count: Int) {
            guard address >= region.address.rawValue else { return }
            let start = address - region.address.rawValue
            guard start < UInt64(text.count) else { return }
            for index in Int(start)..<min(Int(start) + count, text.count) { text[index] = 0 }
        }
        let alternatives = file.section(".altinstructions")
        for at in stride(from: 0, to: alternatives.size, by: 12) {
            clear(
                file.relative(alternatives.address + UInt64(at)), Int(file.bytes[alternatives.offset + at + 10]))
        }
        let paravirt = file.section(".parainstructions")
        let word = file.wide ? 8 : 4
        for at in stride(from: paravirt.offset, to: paravirt.offset + paravirt.size, by: 2 * word) {
            clear(file.word(at), Int(file.bytes[at + word + 1]))
        }
        if file.wide {
            let retpolines = file.section(".retpoline_sites")
            for at in stride(from: 0, to: retpolines.size, by: 4) {
                clear(file.relative(retpolines.address + UInt64(at)), 6)
            }
        }
        return text
    }
}
