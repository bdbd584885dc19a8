import MachineModel
import Testing
import X86

@testable import EntryCode

/// I3's verdicts: what was said about the designs when they were proposed, and planted mistakes.
@Suite("Entry verdicts")
struct VerdictTests {
    private func verdict(
        _ name: String, _ mode: ProcessorMode, _ instruction: EmulatedInstruction, alignment: UInt64 = 0,
        origin: EntryOrigin = .kernel, nesting: EntryNesting = .none
    ) throws -> EntryVerdict {
        let form = try #require(EntryForm.named(name, mode))
        return try EntryBench(form).verdict(
            EntryCase(
                form: form, origin: origin, alignment: alignment, instruction: instruction, nesting: nesting))
    }

    private func breakage(_ verdict: EntryVerdict) -> EntryFinding? {
        if case .broken(let finding) = verdict { finding } else { nil }
    }

    private func alignments(_ mode: ProcessorMode) -> [UInt64] { mode == .x86_64 ? [0, 8] : [0, 4, 8, 12] }

    @Test("The frames of today's kernels hold under everything, in both widths")
    func today() throws {
        for (name, mode) in [("gap", ProcessorMode.x86_64), ("full-frame-5", .i386), ("full-frame-6", .i386)] {
            for nesting in EntryNesting.all(mode) where nesting != .kretprobe(.behindFrame) {
                for alignment in alignments(mode) {
                    for instruction in EmulatedInstruction.allCases {
                        let verdict = try verdict(name, mode, instruction, alignment: alignment, nesting: nesting)
                        #expect(verdict == .holds, "\(name) \(instruction) \(nesting.name) \(alignment)")
                    }
                }
            }
        }
    }

    @Test("Without the gap a push breaks a 16-aligned stack, works by luck on the other, and two break both")
    func noGap() throws {
        for instruction in [EmulatedInstruction.push, .call] {
            #expect(breakage(try verdict("no-gap", .x86_64, instruction, alignment: 0))?.kind == "#GP")
            #expect(try verdict("no-gap", .x86_64, instruction, alignment: 8) == .holds)
        }
        for alignment in alignments(.x86_64) {
            #expect(breakage(try verdict("no-gap", .x86_64, .twoPushes, alignment: alignment)) != nil)
            for instruction in [EmulatedInstruction.jump, .ret, .nop, .takenJump, .untakenJump] {
                #expect(try verdict("no-gap", .x86_64, instruction, alignment: alignment) == .holds)
            }
        }
    }

    @Test("i386: the plain frame's push stores through the caller's return address, into text")
    func plain() throws {
        for alignment in alignments(.i386) {
            let finding = try #require(try breakage(verdict("plain", .i386, .call, alignment: alignment)))
            #expect(finding.kind == "#PF" && finding.message.contains("in the handler"))
            #expect(try verdict("plain", .i386, .jump, alignment: alignment) == .holds)
        }
    }

    @Test("i386: the copies of the naive gap leave a wrong ESP even where nothing is pushed")
    func naive() throws {
        for name in ["naive-cs", "naive-vm86"] {
            for instruction in EmulatedInstruction.allCases {
                #expect(breakage(try verdict(name, .i386, instruction)) != nil, "\(name) \(instruction)")
            }
        }
        #expect(breakage(try verdict("naive-cs", .i386, .nop, origin: .virtual8086)) != nil)
        #expect(try verdict("naive-vm86", .i386, .nop, origin: .virtual8086) == .holds)
        // The first try looks at a word of the caller's: what happens depends on the caller.
        let kinds = try alignments(.i386).map {
            breakage(try verdict("naive", .i386, .nop, alignment: $0))?.kind ?? "ok"
        }
        #expect(Set(kinds).count > 1)
    }

    @Test("i386: an exit that raises ESP first loses its frame to an NMI; one that raises it last doesn't")
    func exits() throws {
        for alignment in alignments(.i386) {
            for instruction in EmulatedInstruction.allCases {
                let first = "five-word-raise-first"
                #expect(try verdict(first, .i386, instruction, alignment: alignment) == .holds)
                #expect(try verdict(first, .i386, instruction, alignment: alignment, nesting: .nmi) == .holds)
                let broken = try #require(
                    try breakage(verdict(first, .i386, instruction, alignment: alignment, nesting: .nmiInExit)))
                #expect(broken.boundary?.contains("int3_exit") == true)
                let last = "five-word-raise-last"
                #expect(try verdict(last, .i386, instruction, alignment: alignment, nesting: .nmiInExit) == .holds)
            }
        }
    }

    @Test("i386: behind a completed frame, &regs->sp is the slot and not the return address")
    func kretprobe() throws {
        for name in ["five-word-raise-last", "own-entry", "full-frame-4", "full-frame-6"] {
            #expect(breakage(try verdict(name, .i386, .nop, nesting: .kretprobe(.behindFrame))) != nil, "\(name)")
            #expect(try verdict(name, .i386, .nop, nesting: .kretprobe(.saved)) == .holds, "\(name)")
        }
        #expect(try verdict("plain", .i386, .nop, nesting: .kretprobe(.behindFrame)) == .holds)
        #expect(breakage(try verdict("plain", .i386, .nop, nesting: .kretprobe(.saved))) != nil)
    }

    @Test("i386: an entry without a switch of stacks overflows the entry stack")
    func entryStack() throws {
        #expect(breakage(try verdict("own-entry", .i386, .call, origin: .entryStack)) != nil)
        for nesting in [EntryNesting.none, .nmi, .nmiInExit] {
            #expect(try verdict("full-frame-6", .i386, .call, origin: .entryStack, nesting: nesting) == .holds)
        }
    }

    @Test("i386: the fast path of the exit loses what the handler wrote where ESP stays the same")
    func fastPath() throws {
        for instruction in EmulatedInstruction.allCases {
            let verdict = try verdict("fast-path", .i386, instruction)
            #expect((verdict == .holds) == (instruction.pushedWords != 0), "\(instruction)")
        }
    }

    @Test("i386: the moved frame holds with a loop of its own, and eats the stack with a traced memmove()")
    func movedFrame() throws {
        for instruction in [EmulatedInstruction.push, .call] {
            for nesting in [EntryNesting.none, .interrupt, .nmi, .nmiInExit, .nmiWithBreakpoint, .secondNMI] {
                #expect(try verdict("moved-frame", .i386, instruction, nesting: nesting) == .holds, "\(nesting.name)")
            }
            let eaten = try #require(try breakage(verdict("moved-frame-memmove", .i386, instruction)))
            #expect(eaten.kind == "#DF" || eaten.kind == "#PF")
        }
        #expect(try verdict("moved-frame-memmove", .i386, .jump) == .holds)
    }

    @Test(
        "On a frame from user mode the same emulation works without SMAP, faults under it, and works with AC set",
        arguments: [("gap", ProcessorMode.x86_64), ("full-frame-6", .i386), ("plain", .i386)])
    func userMode(_ name: String, _ mode: ProcessorMode) throws {
        for instruction in EmulatedInstruction.allCases {
            #expect(try verdict(name, mode, instruction, origin: .user) == .holds, "\(instruction)")
            #expect(try verdict(name, mode, instruction, origin: .userAC) == .holds, "\(instruction)")
            let underSMAP = try verdict(name, mode, instruction, origin: .userSMAP)
            if instruction.pushedWords == 0 {
                #expect(underSMAP == .holds, "\(instruction)")
            } else {
                #expect(breakage(underSMAP)?.kind == "#PF", "\(instruction)")
            }
        }
    }

    // MARK: Planted mistakes

    private func planted(
        _ base: String, _ mode: ProcessorMode, _ change: (String) -> String, _ instruction: EmulatedInstruction,
        _ nesting: EntryNesting
    ) throws -> EntryFinding? {
        let original = try #require(EntryForm.named(base, mode))
        let form = EntryForm(
            "planted", mode, "", origin: "", int3: change(original.int3), others: change(original.others),
            frame: original.frame)
        #expect(form.text != original.text)
        return breakage(
            try EntryBench(form).verdict(EntryCase(form: form, instruction: instruction, nesting: nesting)))
    }

    @Test("A gap of five words, swapped registers and a wrong distance to S are found")
    func layouts() throws {
        let short = try planted(
            "gap", .x86_64,
            { $0.replacing("pushq 40(%rsp)\n        pushq 40(%rsp)\n", with: "pushq 40(%rsp)\n", maxReplacements: 1) },
            .nop, .none)
        #expect(short != nil)
        let swapped = try planted(
            "full-frame-5", .i386,
            { $0.replacing("popl %esi\n        popl %edi", with: "popl %edi\n        popl %esi") }, .nop, .none)
        #expect(swapped?.kind == "register")
        let far = try planted(
            "own-entry", .i386, { $0.replacing("addl $16, (%esp)", with: "addl $20, (%esp)") }, .nop, .none)
        #expect(far?.kind == "ESP")
    }

    @Test("An NMI entry that trusts its mask loses its frame to a second NMI")
    func nestedNMI() throws {
        let form = try #require(EntryForm.named("gap", .x86_64))
        let trusting = EntryForm(
            "planted", .x86_64, "", origin: "", int3: form.int3,
            others: EntryTextX86_64.nmiThatTrustsItsMask + EntryTextX86_64.irq, frame: form.frame)
        let bench = try EntryBench(trusting)
        let once = bench.verdict(EntryCase(form: trusting, instruction: .call, nesting: .nmiWithBreakpoint))
        #expect(once == .holds)
        let twice = bench.verdict(EntryCase(form: trusting, instruction: .call, nesting: .secondNMI))
        #expect(breakage(twice) != nil)
    }

    @Test("An NMI that finds another and only returns is a lost NMI")
    func lostNMI() throws {
        let lost = try planted(
            "gap", .x86_64, { $0.replacing("je nmi_nested\n", with: "je nmi_nested_out\n") }, .call, .secondNMI)
        #expect(lost?.kind == "lost NMI")
    }

    @Test("The self-test of the start passes on today's forms and fails on a form that loses the push")
    func selfTest() throws {
        for mode in ProcessorMode.allCases { #expect(try Int3SelfTest.run(Int3SelfTest.form(mode)) > 40) }
        for (name, mode) in [("no-gap", ProcessorMode.x86_64), ("plain", .i386), ("naive-vm86", .i386)] {
            let form = try #require(EntryForm.named(name, mode))
            #expect(throws: Int3SelfTest.Failure.self) { _ = try Int3SelfTest.run(form) }
        }
    }
}
