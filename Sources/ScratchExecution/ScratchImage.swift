internal import KernelImage
internal import MachineModel
public import X86

/// A kernel image whose functions cases may call: its regions as they stand after boot.
public struct ScratchImage: Sendable {
    public let mode: ProcessorMode
    private let image: KernelImage
    /// The image's memory, mapped once and shared by all cases until one writes to it.
    let machine: ScratchMachine

    /// The regions of the image that are mapped: what code and constant data are, and what fits beside them.
    private static let regionMax = 24 << 20

    /// Reads and boots the vmlinux or vmlinuz at `path`; throws with the reason in words.
    public init(path: String) throws(ScratchCaseError) {
        let image: KernelImage
        do {
            image = try KernelImage.load(path: path)
        } catch {
            throw ScratchCaseError("\(path): \(error.message)")
        }
        self.image = image
        mode = image.mode
        var machine = ScratchMachine(mode: image.mode)
        let page = UInt64(ScratchMachine.pageSize)
        var mappedEnd: UInt64 = 0
        for region in image.regions.sorted(by: { $0.address < $1.address }) where region.size <= Self.regionMax {
            // Two regions that share a page: the later one begins behind it.
            let start = max(region.address.rawValue & ~(page - 1), mappedEnd)
            let end = (region.address.rawValue + UInt64(region.size) + page - 1) & ~(page - 1)
            // Per-CPU sections of 64 bit are linked at 0, where a case's own code and stack are.
            guard region.address.rawValue >= Self.kernelBase(image.mode) else { continue }
            var permissions: PagePermissions = []
            if region.isWritable { permissions.insert(.write) }
            if region.isExecutable { permissions.insert(.execute) }
            if start < end {
                do {
                    try machine.map(VirtualAddress(start), size: Int(end - start), permissions)
                } catch {
                    continue
                }
                mappedEnd = end
            }
            _ = region.withBytes { bytes in machine.load(Array(bytes), at: region.address) }
        }
        machine.markBaseline()
        self.machine = machine
    }

    private static func kernelBase(_ mode: ProcessorMode) -> UInt64 {
        mode == .x86_64 ? 0xffff_ffff_8000_0000 : 0xc000_0000
    }

    func address(of function: String) throws(ScratchCaseError) -> VirtualAddress {
        guard let address = image.symbols.address(of: function) else {
            throw ScratchCaseError("function: \(image.name) has no \(function)")
        }
        return address
    }

    /// The name of an address, as `strlen+0x3`.
    public func symbolize(_ address: VirtualAddress) -> String {
        image.symbols.symbolize(address)
    }
}
