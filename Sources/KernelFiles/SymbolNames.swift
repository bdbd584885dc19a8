import KernelImage
import Simulation
import X86

/// trace_seq_print_sym(): names without offsets, as trace lines show addresses.
struct SymbolNames: Sendable {
    private let image: KernelImage

    init(_ state: KernelState) {
        image = state.image
    }

    func append(_ address: VirtualAddress, to bytes: inout [UInt8]) {
        if address.rawValue == 0 {
            bytes.append(UInt8(ascii: "0"))
        } else if let found = image.kernelSymbol(at: address) {
            bytes.append(contentsOf: image.symbols.nameBytes(at: found.index))
        } else {
            bytes.append(contentsOf: "0x".utf8)
            bytes.append(String(address.rawValue, radix: 16), width: 8, fill: UInt8(ascii: "0"))
        }
    }
}
