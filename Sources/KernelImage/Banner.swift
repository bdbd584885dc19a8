/// linux_banner, the line that a kernel prints first.
struct Banner {
    static let start = Array("Linux version ".utf8)
    static let lengthMax = 1024

    /// Without its newline.
    let text: String

    /// The word behind `Linux version `: `6.1.0-56-cloud-amd64`.
    var release: String {
        String(text.dropFirst(Self.start.count).prefix { $0 != " " })
    }

    /// Whether `#` and a digit follow: /proc/version's format has no number, nor has the line that only the
    /// decompressor uses.
    private var hasBuildNumber: Bool {
        zip(text.utf8, text.utf8.dropFirst()).contains { $0 == UInt8(ascii: "#") && (0x30...0x39).contains($1) }
    }

    /// By its symbol, or, where kallsyms hold no data, by content: the only such line of .rodata with a build number.
    static func find(_ map: AddressMap, _ named: NamedAddresses) throws(KernelImageError) -> Banner {
        if let address = named("linux_banner") {
            guard let at = map.fileOffset(address, count: start.count), let banner = Banner(map.reader, at) else {
                throw KernelImageError(
                    .invalid, "linux_banner", at: map.fileOffset(address, count: 1),
                    "doesn't hold a line that starts with \"Linux version \"")
            }
            return banner
        }
        guard let section = map.section(".rodata"), section.hasBytes else {
            throw KernelImageError(.missing, "section .rodata", "not there; linux_banner stands in it")
        }
        var place = section.offset
        let end = section.offset + section.size - start.count
        while place <= end {
            if map.reader.bytes[place] == start[0], let banner = Banner(map.reader, place), banner.hasBuildNumber {
                return banner
            }
            place += 1
        }
        throw KernelImageError(
            .missing, "linux_banner", at: section.offset, "no \"Linux version \" line in .rodata")
    }

    /// A line at `offset` that ends in newline and NUL.
    private init?(_ reader: ByteReader, _ offset: Int) {
        guard reader.has(Self.start, at: offset), let line = reader.string(offset, countMax: Self.lengthMax),
            line.hasSuffix("\n")
        else { return nil }
        text = String(line.dropLast())
    }
}
