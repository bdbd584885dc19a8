import MachineModel
import Testing
import X86

/// Litmus tests of the fetch models: the exact set of views, not a sample of them.
@Suite("Text memory")
struct TextMemoryTests {
    private static let old: [UInt8] = [0xe8, 0x01, 0x02, 0x03, 0x04]
    private static let new: [UInt8] = [0xe8, 0xab, 0xcd, 0xef, 0x01]
    private let decoder = InstructionDecoder(mode: .x86_64)

    /// A text with `old` at an address whose first `split` bytes lie below a boundary of 64.
    private func memory(_ model: FetchModel, split: Int = 2) -> (TextMemory, UInt64) {
        let offset = 256 - split
        let bytes = [UInt8](repeating: 0x90, count: offset) + Self.old
        return (TextMemory(base: BenchText(bytes).source, model: model, cpuCount: 2), BenchText.base + UInt64(offset))
    }

    private func serialize(_ text: inout TextMemory, _ frontEnd: inout FrontEnd) {
        text.serialize(cpu: 0, frontEnd: &frontEnd)
    }

    /// Every view that CPU 0 may be given.
    private func views(_ text: TextMemory, _ site: UInt64, _ frontEnd: FrontEnd) -> Set<String> {
        let count = text.viewCount(at: site, cpu: 0, frontEnd: frontEnd, decoder)
        return Set(
            (0..<count).map { choice in
                var copy = frontEnd
                let bytes = text.fetch(at: site, cpu: 0, frontEnd: &copy, choice: choice, decoder)
                return bytes.prefix(bytes[0] == 0xcc ? 1 : 5).description
            })
    }

    private func pokeTail(_ text: inout TextMemory, _ site: UInt64) {
        for index in 1..<5 { text.store(UInt64(Self.new[index]), count: 1, at: site + UInt64(index)) }
    }

    /// What CPU 0 may execute at any moment of an update in which it gets the syncs of `syncs`.
    private func outcomes(_ model: FetchModel, split: Int = 2, syncs: Set<Int>) -> Set<String> {
        var (text, site) = memory(model, split: split)
        var frontEnd = FrontEnd()
        var seen = views(text, site, frontEnd)
        text.store(0xcc, count: 1, at: site)
        seen.formUnion(views(text, site, frontEnd))
        if syncs.contains(1) { serialize(&text, &frontEnd) }
        pokeTail(&text, site)
        seen.formUnion(views(text, site, frontEnd))
        if syncs.contains(2) { serialize(&text, &frontEnd) }
        text.store(0xe8, count: 1, at: site)
        seen.formUnion(views(text, site, frontEnd))
        if syncs.contains(3) { serialize(&text, &frontEnd) }
        return seen.union(views(text, site, frontEnd))
    }

    private static let whole: Set<String> = ["e8 01 02 03 04", "cc", "e8 ab cd ef 01"]

    @Test("With all three syncs only the old, the INT3 and the new are fetched", arguments: FetchModel.allCases)
    func allSyncs(_ model: FetchModel) {
        for split in 1...4 { #expect(outcomes(model, split: split, syncs: [1, 2, 3]) == Self.whole) }
    }

    @Test("The known answer: without sync 1 the old head meets the new tail, without sync 2 the new head the old tail")
    func knownAnswer() {
        #expect(
            outcomes(.chunk16, syncs: [2, 3])
                == Self.whole.union(["e8 01 cd 03 04", "e8 01 cd ef 04", "e8 01 cd ef 01"]))
        #expect(
            outcomes(.chunk16, syncs: [1, 3])
                == Self.whole.union(["e8 ab 02 03 04", "e8 ab cd 03 04", "e8 ab cd ef 04"]))
    }

    @Test(
        "A site inside one chunk does not tear even without syncs 1 and 2",
        arguments: [FetchModel.line, .chunk16, .chunk8])
    func insideChunk(_ model: FetchModel) {
        var (text, _) = memory(model)
        let site = BenchText.base
        for index in 0..<5 { text.store(UInt64(Self.old[index]), count: 1, at: site + UInt64(index)) }
        var frontEnd = FrontEnd()
        serialize(&text, &frontEnd)
        text.serialize(cpu: 1, frontEnd: &frontEnd)
        text.store(0xcc, count: 1, at: site)
        pokeTail(&text, site)
        text.store(0xe8, count: 1, at: site)
        #expect(views(text, site, FrontEnd()) == Self.whole)
    }

    @Test("Coherent fetch never tears; byte and unordered fetch tear in all sixteen ways without sync 1")
    func otherModels() {
        #expect(outcomes(.coherent, syncs: []) == Self.whole)
        for model in [FetchModel.byte, .unordered] {
            let found = outcomes(model, syncs: [2, 3])
            #expect(found.count == 17 && found.contains("e8 01 cd 03 01"))
        }
    }

    @Test("A chunk never goes back, except in the unordered model", arguments: FetchModel.allCases)
    func monotone(_ model: FetchModel) {
        guard model != .coherent else { return }
        var (text, site) = memory(model)
        text.store(0xcc, count: 1, at: site)
        var frontEnd = FrontEnd()
        #expect(text.fetch(at: site, cpu: 0, frontEnd: &frontEnd, choice: 0, decoder)[0] == 0xcc)
        #expect(views(text, site, frontEnd) == (model == .unordered ? ["cc", "e8 01 02 03 04"] : ["cc"]))
        #expect(views(text, site, FrontEnd()) == ["cc", "e8 01 02 03 04"], "another front end is not bound by it")
    }

    @Test("An INT3 keeps the fetch from the chunks behind it: no draws, nothing remembered")
    func int3EndsTheFetch() {
        var (text, site) = memory(.chunk16)
        text.store(0xcc, count: 1, at: site)
        pokeTail(&text, site)
        // Two views with the INT3, and the old head before each of the four tails.
        #expect(text.viewCount(at: site, cpu: 0, frontEnd: FrontEnd(), decoder) == 6)
        var frontEnd = FrontEnd()
        #expect(text.fetch(at: site, cpu: 0, frontEnd: &frontEnd, choice: 0, decoder) == .int3)
        #expect(text.viewCount(at: site + 2, cpu: 0, frontEnd: frontEnd, decoder) == 4)
        #expect(text.viewCount(at: site, cpu: 0, frontEnd: frontEnd, decoder) == 1)
    }

    @Test("Serializing raises one CPU's floor only, and the log is forgotten when all have seen it")
    func serializing() {
        var (text, site) = memory(.chunk16)
        var (first, second) = (FrontEnd(), FrontEnd())
        text.store(0xcc, count: 1, at: site)
        text.serialize(cpu: 0, frontEnd: &first)
        #expect(views(text, site, first) == ["cc"] && !text.isSettled)
        #expect(text.viewCount(at: site, cpu: 1, frontEnd: second, decoder) == 2)
        text.serialize(cpu: 1, frontEnd: &second)
        #expect(text.isSettled && text.liveStoreCount == 0)
    }

    @Test("A store of several bytes is one for the fetch inside a chunk and splits at its end")
    func wideStores() {
        var (text, site) = memory(.chunk16)
        text.store(0x04_03ef_cdab, count: 4, at: site + 1)
        #expect(text.liveStoreCount == 2)
        #expect(
            views(text, site, FrontEnd())
                == ["e8 01 02 03 04", "e8 ab 02 03 04", "e8 01 cd ef 03", "e8 ab cd ef 03"])
    }

    @Test("Trampolines are mapped outside of the base, and remembered when they are gone")
    func trampolines() {
        var (text, _) = memory(.chunk16)
        let page = VirtualAddress(0xffff_ffff_c020_1000)
        text.map([0xc3, 0xcc], at: page)
        #expect(text.isMapped(page.rawValue) && text.newestBytes(at: page, count: 3) == [0xc3, 0xcc, 0])
        text.unmap(page)
        #expect(
            !text.isMapped(page.rawValue) && text.wasMapped(page.rawValue) && text.newestByte(at: page.rawValue) == nil)
        #expect(text.newestInstruction(at: page.rawValue, count: 15).count == 0)
    }
}
