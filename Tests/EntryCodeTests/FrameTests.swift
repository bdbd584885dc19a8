import KernelModel
import MachineModel
import Testing
import X86

@testable import EntryCode

/// Where the words of pt_regs stand when #BP's handler is called: byte for byte, for every era.
@Suite("Entry frames")
struct FrameTests {
    private func handlerCall(
        _ name: String, _ mode: ProcessorMode, alignment: UInt64 = 0
    ) throws -> (scene: EntryScene, machine: EntryProcessor, regs: PtRegs) {
        let form = try #require(EntryForm.named(name, mode))
        let scene = try EntryBench(form).scene(EntryCase(form: form, alignment: alignment, instruction: .nop))
        var trial = EntryTrial(scene)
        let (regs, finding) = trial.runToHandler()
        #expect(finding == nil)
        return (scene, trial.machine, try #require(regs))
    }

    /// The offsets are written out as the layouts' sources give them, in bytes below S.
    static let eras: [(form: String, offsets: [PtRegs.Slot: UInt64])] = [
        (
            "plain",
            [
                .flags: 4, .cs: 8, .ip: 12, .origAx: 16, .gs: 20, .fs: 24, .es: 28, .ds: 32, .ax: 36, .bp: 40, .di: 44,
                .si: 48, .dx: 52, .cx: 56, .bx: 60,
            ]
        ),
        (
            "own-entry",
            [
                .ss: 16, .sp: 20, .flags: 24, .cs: 28, .ip: 32, .origAx: 36, .gs: 40, .fs: 44, .es: 48, .ds: 52,
                .ax: 56, .bp: 60, .di: 64, .si: 68, .dx: 72, .cx: 76, .bx: 80,
            ]
        ),
        (
            "full-frame-4",
            [
                .ss: 20, .sp: 24, .flags: 28, .cs: 32, .ip: 36, .origAx: 40, .gs: 44, .fs: 48, .es: 52, .ds: 56,
                .ax: 60, .bp: 64, .di: 68, .si: 72, .dx: 76, .cx: 80, .bx: 84,
            ]
        ),
        (
            "full-frame-5",
            [
                .ss: 24, .sp: 28, .flags: 32, .cs: 36, .ip: 40, .origAx: 44, .gs: 48, .fs: 52, .es: 56, .ds: 60,
                .ax: 64, .bp: 68, .di: 72, .si: 76, .dx: 80, .cx: 84, .bx: 88,
            ]
        ),
        (
            "full-frame-6",
            [
                .ss: 28, .sp: 32, .flags: 36, .cs: 40, .ip: 44, .origAx: 48, .gs: 52, .fs: 56, .es: 60, .ds: 64,
                .ax: 68, .bp: 72, .di: 76, .si: 80, .dx: 84, .cx: 88, .bx: 92,
            ]
        ),
    ]

    @Test("i386: each word of each era's frame stands at its address below S", arguments: [0, 4, 8, 12] as [UInt64])
    func eras32(alignment: UInt64) throws {
        for (name, offsets) in Self.eras {
            let (scene, machine, regs) = try handlerCall(name, .i386, alignment: alignment)
            let start = scene.machine
            for (slot, offset) in offsets {
                #expect(regs.address(slot) == start.sp - offset, "\(name): \(slot)")
            }
            let words: [(PtRegs.Slot, UInt64)] = [
                (.bx, start[3]), (.cx, start[1]), (.dx, start[2]), (.si, start[6]), (.di, start[7]), (.bp, start[5]),
                (.ax, start[0]), (.ip, scene.places.site + 1), (.flags, start.flags),
            ]
            for (slot, word) in words { #expect(machine.word(regs.address(slot)) == word, "\(name): \(slot)") }
            let cs = try #require(machine.word(regs.address(.cs)))
            #expect(cs == (name == "full-frame-6" ? 0x2000_0060 : 0x60), "\(name): cs")
            if name != "plain" {
                #expect(machine.word(regs.address(.sp)) == start.sp, "\(name): sp")
                #expect(machine.word(regs.address(.ss)).map { $0 & 0xffff } == 0x68, "\(name): ss")
            } else {
                #expect(regs.address(.sp) == start.sp, "&regs->sp is the interrupted stack itself")
            }
        }
    }

    @Test(
        "x86_64: the processor's words stand below RSP & ~15, the copy six words below them",
        arguments: [0, 8] as [UInt64])
    func frames64(alignment: UInt64) throws {
        for (name, gap) in [("no-gap", 0), ("gap", 48)] as [(String, UInt64)] {
            let (scene, machine, regs) = try handlerCall(name, .x86_64, alignment: alignment)
            let start = scene.machine
            let aligned = start.sp & ~15
            let offsets: [(PtRegs.Slot, UInt64, UInt64)] = [
                (.ss, 8, 0x18), (.sp, 16, start.sp), (.flags, 24, start.flags), (.cs, 32, 0x10),
                (.ip, 40, scene.places.site + 1), (.origAx, 48, ~0), (.di, 56, start[7]), (.si, 64, start[6]),
                (.dx, 72, start[2]), (.cx, 80, start[1]), (.ax, 88, start[0]), (.r8, 96, start[8]),
                (.r9, 104, start[9]), (.r10, 112, start[10]), (.r11, 120, start[11]), (.bx, 128, start[3]),
                (.bp, 136, start[5]), (.r12, 144, start[12]), (.r13, 152, start[13]), (.r14, 160, start[14]),
                (.r15, 168, start[15]),
            ]
            for (slot, offset, word) in offsets {
                #expect(regs.address(slot) == aligned - gap - offset, "\(name): \(slot)")
                #expect(machine.word(regs.address(slot)) == word, "\(name): \(slot)")
            }
        }
    }

    @Test("Every form's layout is the one that it declares")
    func declared() throws {
        for form in EntryForm.all where form.name != "naive" {
            let (scene, _, regs) = try handlerCall(form.name, form.mode)
            let top = form.mode == .x86_64 ? scene.machine.sp & ~15 : scene.machine.sp
            #expect(top - regs.base == form.frame.depth, "\(form.mode) \(form.name)")
        }
    }

    @Test("The handler runs with interrupts off and the direction flag clear")
    func flags() throws {
        for form in EntryForm.all {
            let (_, machine, _) = try handlerCall(form.name, form.mode)
            #expect(machine.flags & (FlagBit.interrupt | FlagBit.direction) == 0, "\(form.mode) \(form.name)")
        }
    }
}
