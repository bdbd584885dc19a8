import ScheduleExplorer
import Dispatch

/// peers' text_poke_bp.pml by hand. LOOPS = 1. Word 0: patcher and globals; CPU lanes of 16 bits follow, 4 a word.
struct TextPokeModel: TransitionSystem {
    let cpus: Int
    let symmetric: Bool
    var wordCount: Int { 1 + (cpus + 3) / 4 }
    // word 0: mem[0..2] 2 bits each (0..5), acks 4 bits (8..11), bp_handler 12, done 13, pc 16..23, i 24..27
    // lane: v[0..2] 2 bits each (0..5), ipi 6, trap 7, n 8..9
    func writeInitial(_ s: UnsafeMutablePointer<UInt64>) { for i in 0..<wordCount { s[i] = 0 } }
    func isFinal(_ s: UnsafePointer<UInt64>) -> Bool { true }
    @inline(__always) func lane(_ s: UnsafePointer<UInt64>, _ c: Int) -> UInt64 { s[1 + c >> 2] >> UInt64((c & 3) * 16) & 0xffff }
    @inline(__always) func put(_ o: UnsafeMutablePointer<UInt64>, _ c: Int, _ v: UInt64) {
        let sh = UInt64((c & 3) * 16)
        o[1 + c >> 2] = o[1 + c >> 2] & ~(0xffff << sh) | v << sh
    }
    @inline(__always) func emit(_ s: UnsafePointer<UInt64>, _ out: inout Successors, _ actor: Int) -> UnsafeMutablePointer<UInt64> {
        let o = out.append(StepMark(actor: UInt8(actor)))
        for i in 0..<wordCount { o[i] = s[i] }
        return o
    }
    func appendSuccessors(of s: UnsafePointer<UInt64>, to out: inout Successors) {
        let g = s[0]
        for c in 0..<cpus {
            let l = lane(s, c)
            let n = l >> 8 & 3, trap = l >> 7 & 1, ipi = l >> 6 & 1
            if n <= 1 && ipi == 1 && trap == 0 {
                let o = emit(s, &out, c)
                put(o, c, l & ~0x7f | g & 0x3f)
                o[0] = g + 1 << 8
            }
            if n <= 1 && trap == 0 {
                for b in 0..<3 {
                    let m: UInt64 = 3 << UInt64(2 * b)
                    if (l ^ g) & m != 0 { let o = emit(s, &out, c); put(o, c, l & ~m | g & m) }
                }
            }
            if trap == 0 && n < 1 {
                if l & 3 == 2 { let o = emit(s, &out, c); put(o, c, l | 0x80) }
                else {
                    let v0 = l & 3
                    let ok = l >> 2 & 3 == v0 && l >> 4 & 3 == v0
                    let o = emit(s, &out, c); put(o, c, l + 0x100)
                    if !ok { out.markLast(violation: 1) }
                }
            }
            if trap == 1 {
                let o = emit(s, &out, c); put(o, c, (l & ~0x80) + 0x100)
                if g >> 12 & 1 == 0 { out.markLast(violation: 2) }
            }
            if n == 1 && trap == 0 && g >> 13 & 1 == 1 && ipi == 0 { let o = emit(s, &out, c); put(o, c, l + 0x100) }
        }
        let pc = g >> 16 & 0xff
        let i = g >> 24 & 0xf
        func next(_ w: UInt64, _ pc: UInt64) -> UInt64 { w & ~(0xff << 16) | pc << 16 }
        switch pc {
        case 0: let o = emit(s, &out, 63); o[0] = next(g | 1 << 12, 1)
        case 1: let o = emit(s, &out, 63); o[0] = next(g & ~3 | 2, 2)
        case 5: let o = emit(s, &out, 63); o[0] = next(g & ~0xc | 1 << 2, 6)
        case 6: let o = emit(s, &out, 63); o[0] = next(g & ~0x30 | 1 << 4, 7)
        case 10: let o = emit(s, &out, 63); o[0] = next(g & ~3 | 1, 11)
        case 2, 7, 11: let o = emit(s, &out, 63); o[0] = next(g & ~(0xf << 8) & ~(0xf << 24), pc + 1)
        case 3, 8, 12:
            let o = emit(s, &out, 63)
            put(o, Int(i), lane(s, Int(i)) | 0x40)
            o[0] = next(g + 1 << 24, i == UInt64(cpus - 1) ? pc + 1 : pc)
        case 4, 9, 13:
            if g >> 8 & 0xf == UInt64(cpus) { let o = emit(s, &out, 63); o[0] = next(g, pc + 1) }
        case 14: let o = emit(s, &out, 63); o[0] = next(g & ~(1 << 12), 15)
        case 15: let o = emit(s, &out, 63); o[0] = next(g | 1 << 13, 16)
        default: break
        }
    }
}
@main struct Bench {
    static func main() throws {
        if CommandLine.arguments.count > 1 { try pokeBench(); return }
        for n in 2...5 {
            let t0 = DispatchTime.now().uptimeNanoseconds
            var search = Search(TextPokeModel(cpus: n, symmetric: false), statesMax: 1 << 28)
            while search.advance(100_000) == .unfinished {}
            let t = Double(DispatchTime.now().uptimeNanoseconds - t0) / 1e9
            print(n, search.status, search.stateCount, search.steps, search.violations, "\(Double(search.stateCount) / t / 1e6) M/s", Double(search.bytes) / Double(search.stateCount), "B/state")
        }
    }
}
