import Glibc
import KernelImage
import Testing

/// The two Debian kernels that the tests read. A test that needs one fails without it: silence would prove nothing.
struct RealKernel {
    let path: String
    let image: KernelImage
    /// The vmlinux as it stands in the file, for derivations that this room's code has no part in.
    let vmlinux: ImageBytes

    /// The build that exact counts were recorded for.
    static let recordedAmd64 = "6.1.0-56-cloud-amd64"
    static let recordedI386 = "6.1.0-50-686"

    static let amd64 = Result { try load("PATCHSIM_TEST_KERNEL", "amd64") }
    static let i386 = Result { try load("PATCHSIM_TEST_KERNEL_I386", "i386") }

    var release: String {
        String(image.banner.dropFirst("Linux version ".count).prefix { $0 != " " })
    }

    struct Absent: Error, CustomStringConvertible {
        let description: String
    }

    private static var root: String {
        var parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
        parts.removeLast(3)
        return parts.joined(separator: "/")
    }

    /// The file below the project's root.
    static func projectFile(_ name: String) -> String { root + "/" + name }

    private static func load(_ variable: String, _ architecture: String) throws -> RealKernel {
        let path = getenv(variable).map { String(cString: $0) } ?? root + "/.build-kernels/\(architecture)/vmlinuz"
        guard access(path, R_OK) == 0 else {
            throw Absent(description: "no kernel at \(path): run Tests/fetch-kernels.sh, or name one by \(variable)")
        }
        let vmlinux = try KernelImage.extractVmlinux(path: path)
        try keep(vmlinux, beside: path)
        return RealKernel(path: path, image: try KernelImage.load(path: path), vmlinux: vmlinux)
    }

    /// Leaves the extracted vmlinux in the cache folder, for whoever wants to look at it with binutils.
    private static func keep(_ vmlinux: ImageBytes, beside path: String) throws {
        guard path.hasPrefix(root + "/.build-kernels/") else { return }
        let target = String(path.dropLast("vmlinuz".count)) + "vmlinux"
        guard access(target, R_OK) != 0 else { return }
        let scratch = target + ".\(getpid())"
        guard let file = fopen(scratch, "w") else { return }
        defer { withExtendedLifetime(vmlinux) {} }
        let written = fwrite(vmlinux.pointer, 1, vmlinux.count, file)
        guard fclose(file) == 0, written == vmlinux.count, rename(scratch, target) == 0 else {
            unlink(scratch)
            throw Absent(description: "\(target) can't be written")
        }
    }
}

/// A plain reader of a vmlinux, written apart from the one that is tested.
struct PlainVmlinux {
    struct Section {
        let name: String
        let address: UInt64
        let offset: Int
        let size: Int
        let hasBytes: Bool
    }

    let bytes: UnsafeRawBufferPointer
    let wide: Bool
    var sections: [Section] = []

    init(_ image: ImageBytes) {
        bytes = image.buffer
        wide = bytes[4] == 2
        let table = Int(wide ? u64(40) : UInt64(u32(32)))
        let count = Int(u16(wide ? 60 : 48))
        let names = header(table, Int(u16(wide ? 62 : 50))).offset
        for index in 0..<count {
            let raw = header(table, index)
            var name = ""
            var place = names + raw.name
            while bytes[place] != 0 {
                name.unicodeScalars.append(Unicode.Scalar(bytes[place]))
                place += 1
            }
            sections.append(
                Section(name: name, address: raw.address, offset: raw.offset, size: raw.size, hasBytes: raw.type != 8))
        }
    }

    private func header(_ table: Int, _ index: Int) -> (
        name: Int, type: UInt32, address: UInt64, offset: Int, size: Int
    ) {
        let at = table + index * (wide ? 64 : 40)
        return wide
            ? (Int(u32(at)), u32(at + 4), u64(at + 16), Int(u64(at + 24)), Int(u64(at + 32)))
            : (Int(u32(at)), u32(at + 4), UInt64(u32(at + 12)), Int(u32(at + 16)), Int(u32(at + 20)))
    }

    func u16(_ at: Int) -> UInt16 { bytes.loadUnaligned(fromByteOffset: at, as: UInt16.self) }
    func u32(_ at: Int) -> UInt32 { bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self) }
    func u64(_ at: Int) -> UInt64 { bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self) }
    func s32(_ at: Int) -> Int64 { Int64(bytes.loadUnaligned(fromByteOffset: at, as: Int32.self)) }
    func word(_ at: Int) -> UInt64 { wide ? u64(at) : UInt64(u32(at)) }

    func section(_ name: String) -> Section { sections.first { $0.name == name }! }

    /// The file offset of an address, nil for NOBITS and what isn't mapped.
    func offset(_ address: UInt64) -> Int? {
        let found = sections.first {
            $0.address != 0 && address >= $0.address && address < $0.address + UInt64($0.size)
        }
        guard let found, found.hasBytes else { return nil }
        return found.offset + Int(address - found.address)
    }

    /// `field` plus what the signed 32-bit word at it says.
    func relative(_ field: UInt64) -> UInt64 {
        let sum = field &+ UInt64(bitPattern: s32(offset(field)!))
        return wide ? sum : sum & 0xffff_ffff
    }
}
