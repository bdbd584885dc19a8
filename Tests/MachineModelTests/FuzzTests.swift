import Glibc
import MachineModel
import Testing
import X86

/// Arbitrary bytes, decoded and executed.
@Suite("Fuzzing")
struct FuzzTests {
    /// Steps in `make test`; `PATCHSIM_FUZZ_STEPS` asks for more.
    private static let stepsUsual = 300_000

    private static var steps: Int {
        getenv("PATCHSIM_FUZZ_STEPS").flatMap { Int(String(cString: $0)) } ?? stepsUsual
    }

    @Test(
        "Whatever the bytes, the machine goes on: no trap, no hang, nothing outside of its memory",
        arguments: ProcessorMode.allCases,
        [0, 3])
    func arbitraryBytes(mode: ProcessorMode, level: Int) throws {
        var source = SeededSource(seed: UInt64(level) << 8 | UInt64(mode.wordSize))
        var left = Self.steps / 4
        var retired = 0
        while left > 0 {
            var scratch = try Scratch(
                (0..<256).map { _ in UInt8(truncatingIfNeeded: source.next()) }, mode, level: level)
            for register in 0..<16 where register != RegisterNumber.sp {
                let draw = source.next()
                // Half of them lead into memory.
                scratch[register] = draw & 1 != 0 ? 0x20000 + draw >> 52 : SeededSource.arbitrary(draw)
                if mode == .i386 { scratch[register] &= 0xffff_ffff }
            }
            scratch.flags = source.next() & FlagBit.status
            // Falls through many faults: each skips one byte.
            for _ in 0..<64 where left > 0 {
                let outcome = scratch.run(16)
                retired += outcome.steps
                left -= outcome.steps + 1
                let rip = scratch.machine.cpu.context.rip
                scratch.machine.cpu.context.rip = 0x1000 + (rip &+ 1) % 250
            }
            #expect(scratch.machine.cpu.context.registers[16] == 0)
            if mode == .i386 {
                #expect(
                    (0..<8).allSatisfy { scratch[$0] <= 0xffff_ffff } && scratch.machine.cpu.context.rip <= 0xffff_ffff)
            }
        }
        #expect(retired > Self.steps / 40, "a good part of the bytes are instructions")
    }
}
