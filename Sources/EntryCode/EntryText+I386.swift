import X86

/// Entry and exit code of i386, written from the layouts of asm/ptrace.h (17 words) and of the kernel's eras.
///
/// From kernel mode the processor pushes EFLAGS, CS and EIP only. S is the interrupted stack pointer. The registers' order
/// in pt_regs: bx cx dx si di bp ax ds es fs gs orig_ax ip cs flags sp ss.
enum EntryTextI386 {
    /// `pushes` below those that stand already, then the kernel's own segments.
    private static func saving(_ pushes: [String]) -> String {
        pushes.map { "        pushl %\($0)\n" }.joined() + """
                    movl $0x7b, %edx                # __USER_DS, flat; DS and ES are never the kernel's own selector
                    movl %edx, %ds
                    movl %edx, %es
                    movl $0xd8, %edx                # __KERNEL_PERCPU
                    movl %edx, %fs

            """
    }

    private static let general = ["eax", "ebp", "edi", "esi", "edx", "ecx", "ebx"]

    /// Everything below orig_ax.
    static let save = saving(["gs", "fs", "es", "ds"] + general)
    /// The same where GS has been pushed before.
    static let saveBelowGS = saving(["fs", "es", "ds"] + general)
    /// The same where GS and FS have been pushed before.
    static let saveBelowFS = saving(["es", "ds"] + general)

    /// From the lowest word of pt_regs up to ip.
    static let restore = """
                popl %ebx
                popl %ecx
                popl %edx
                popl %esi
                popl %edi
                popl %ebp
                popl %eax
                popl %ds
                popl %es
                popl %fs
                popl %gs
                addl $4, %esp                   # orig_ax

        """

    /// Jumps to `label` unless the frame, of whose words `count` stand on the stack, came from kernel mode. Virtual 8086
    /// mode first: there CS is no selector, and its low bits say nothing.
    static func unlessFromKernel(_ count: Int, _ label: String) -> String {
        """
                testl $0x20000, \(4 * (count - 1))(%esp)
                jnz \(label)
                testb $3, \(4 * (count - 2))(%esp)
                jnz \(label)

        """
    }

    /// Makes the frame complete. `count` words stand below S, flags highest; below them come SS, ESP = S and the same words
    /// again. The originals are the room for a push.
    static func complete(_ count: Int) -> String {
        let up = 4 * count + 4
        return """
                    pushl %ss
                    pushl %esp                      # the address of the word just pushed
                    addl $\(up), (%esp)                 # S

            """ + String(repeating: "        pushl \(up)(%esp)\n", count: count)
    }

    /// Leaves a complete frame, of which ip is the lowest word left, at the stack pointer that it holds: writes what IRET
    /// and one POP need below that place and raises ESP when nothing is read any more. EBP as base means SS.
    static let leaveRaisingLast = """
                pushl %ebp
                pushl %ecx
                movl 20(%esp), %ebp             # sp
                movl 16(%esp), %ecx             # flags
                movl %ecx, -4(%ebp)
                movzwl 12(%esp), %ecx           # cs; nobody promises that its upper half is zero
                movl %ecx, -8(%ebp)
                movl 8(%esp), %ecx              # ip
                movl %ecx, -12(%ebp)
                movl 4(%esp), %ecx              # the interrupted EBP
                movl %ecx, -16(%ebp)
                popl %ecx
                leal -16(%ebp), %esp
                popl %ebp
                iret

        """

    /// The same, but ESP is raised first and the frame read from below it.
    static let leaveRaisingFirst = """
                pushl %ebp
                movl %esp, %ebp
                movl 16(%ebp), %esp             # sp: from here on the frame lies below the stack
                pushl 12(%ebp)                  # flags
                pushl 8(%ebp)                   # cs
                pushl 4(%ebp)                   # ip
                pushl (%ebp)                    # the interrupted EBP
                popl %ebp
                iret

        """

    /// Entry and exit of `name` without anything done about the frame, and `handler` called.
    static func plain(_ name: String, orig: Int, handler: String, exit: String) -> String {
        """
        \(name):
                clac
                cld
                pushl $\(orig)
        \(save)        movl %esp, %eax
                call \(handler)
        \(exit):
        \(restore)        iret

        """
    }

    static let plainNMI = plain("asm_exc_nmi", orig: -1, handler: "exc_nmi", exit: "nmi_exit")
    static let plainIRQ = plain("asm_irq", orig: 0x20, handler: "do_irq", exit: "irq_exit")

    /// What x86_64 does, word for word. `test` is the check for kernel mode in front of the copies.
    static func naive(test: String) -> String {
        """
        asm_exc_int3:
                clac
                cld
                pushl $-1
        \(test)\(String(repeating: "        pushl 20(%esp)\n", count: 6))int3_save:
        \(save)        movl %esp, %eax
                call exc_int3
        int3_exit:
        \(restore)        iret

        """
    }

    /// Words of the entry stack, on which entries from user mode and a few instructions behind them run.
    static let entryStackWords = 64

    /// Moves pt_regs to the empty task stack where the interrupted code ran on the entry stack, which has no room for a
    /// handler written in C. Nothing needs to be moved back: the exit goes to where sp points.
    static func leaveEntryStack(_ name: String) -> String {
        """
                movl %esp, %ecx
                subl $entry_stack, %ecx
                cmpl $\(4 * entryStackWords), %ecx
                jae \(name)_on_task_stack
                movl %esp, %esi
                movl $task_stack_top, %edi
                subl $68, %edi                  # sizeof(struct pt_regs)
                movl %edi, %esp
                movl $17, %ecx
                rep movsl
        \(name)_on_task_stack:

        """
    }

    /// A frame made complete as soon as `words` words stand: 3 (nothing pushed yet), 4 (orig_ax), 5 (GS) or 6 (FS).
    static func completed(
        _ name: String, words: Int, orig: Int, handler: String, exit: String, marksKernel: Bool = false,
        switchesStacks: Bool = false, leave: String
    ) -> String {
        let before = ["", "        pushl $\(orig)\n", "        pushl %gs\n", "        pushl %fs\n"]
        let rest = ["        pushl $\(orig)\n" + save, save, saveBelowGS, saveBelowFS][words - 3]
        // A user's frame lacks what this copies, but not what stands behind it.
        let cs = 4 * (words - 2)
        let mark = marksKernel ? "        orl $0x20000000, \(cs)(%esp)       # CS_FROM_KERNEL\n" : ""
        let mask = marksKernel ? "        andl $0xffff, \(cs)(%esp)          # before the marker\n" : ""
        let unmarked =
            marksKernel
            ? "        testl $0x20000000, 4(%esp)\n        jz \(name)_leave\n" : unlessFromKernel(3, "\(name)_leave")
        return """
            \(name):
                    clac
                    cld
            \(before[0...(words - 3)].joined())\(mask)\(unlessFromKernel(words, "\(name)_save"))\(mark)\
            \(complete(words))\(name)_save:
            \(rest)\(switchesStacks ? leaveEntryStack(name) : "")        movl %esp, %eax
                    call \(handler)
            \(exit):
            \(restore)\(unmarked)\(leave)\(name)_leave:
                    iret

            """
    }

    /// The exit's fast path: where sp is as it was, the processor's own frame still stands above, `words` words higher.
    static func fastPath(words: Int) -> String {
        // From ip up: the five words of the frame, then `words` copied ones.
        let toS = 4 * (words + 5)
        return """
                    pushl %eax
                    leal \(toS + 4)(%esp), %eax            # S
                    cmpl %eax, 16(%esp)             # sp
                    popl %eax
                    jne asm_exc_int3_slow
                    addl $\(toS - 12), %esp
                    iret
            asm_exc_int3_slow:

            """
    }

    /// The handler may move the frame and says where it is. Two words below it are room to move into, since the word
    /// below it would be the handler's own return address.
    static let int3ThatFollows = """
        asm_exc_int3:
                clac
                cld
                pushl $-1
        \(save)        movl %esp, %eax
                subl $8, %esp
                call kernel_int3
        int3_exit:
                movl %eax, %esp
        \(restore)        iret

        """

    /// The handler of that form. exc_int3 gives what is to be pushed in EDX, and in EAX whether anything is.
    static func kernelInt3(move: String) -> String {
        """
        kernel_int3:
                pushl %ebx
                pushl %esi
                pushl %edi
                movl %eax, %ebx                 # pt_regs
                call exc_int3
                testl %eax, %eax
                jz kernel_int3_done
                movl %edx, %esi
        \(move)        movl %esi, 56(%ebx)              # the word that the move has left free, under the interrupted stack
                leal -4(%ebx), %ebx
        kernel_int3_done:
                movl %ebx, %eax
                popl %edi
                popl %esi
                popl %ebx
                ret

        """
    }

    /// Fifteen words, one word down, lowest first.
    static let openCodedMove = """
                xorl %ecx, %ecx
        kernel_int3_move:
                movl (%ebx,%ecx,4), %edi
                movl %edi, -4(%ebx,%ecx,4)
                incl %ecx
                cmpl $15, %ecx
                jne kernel_int3_move

        """

    /// The same through memmove(), a function that can be traced: its first instruction is a call site.
    static let callOfMemmove = """
                leal -4(%ebx), %eax
                movl %ebx, %edx
                movl $60, %ecx
                call memmove

        """
}

extension EntryForm {
    /// Words of pt_regs that the processor and a plain entry push: all but sp and ss.
    private static let shortFrame: UInt64 = 15 * 4
    /// The offsets of cs (and flags) as if all registers were saved already.
    private static let farTest =
        "        testb $3, 52(%esp)              # PT_CS, too early by eleven words\n        jnz int3_save\n"
    private static let nearTest = "        testb $3, 8(%esp)\n        jnz int3_save\n"
    private static let plainOthers = EntryTextI386.plainNMI + EntryTextI386.plainIRQ

    private static func completeOthers(words: Int, marksKernel: Bool) -> String {
        EntryTextI386.completed(
            "asm_exc_nmi", words: words, orig: -1, handler: "exc_nmi", exit: "nmi_exit", marksKernel: marksKernel,
            switchesStacks: words > 4, leave: EntryTextI386.leaveRaisingLast)
            + EntryTextI386.completed(
                "asm_irq", words: words, orig: 0x20, handler: "do_irq", exit: "irq_exit", marksKernel: marksKernel,
                switchesStacks: words > 4, leave: EntryTextI386.leaveRaisingLast)
    }

    private static func int3(words: Int, marksKernel: Bool = false, leave: String) -> String {
        EntryTextI386.completed(
            "asm_exc_int3", words: words, orig: -1, handler: "exc_int3", exit: "int3_exit", marksKernel: marksKernel,
            switchesStacks: words > 4, leave: leave)
    }

    /// `words` copied words, SS and ESP above them, and the registers below.
    private static func layout(_ words: Int) -> FrameLayout {
        FrameLayout(depth: UInt64(words * 4 + 17 * 4), gapWords: words)
    }

    static let forI386: [EntryForm] = naiveForms + fiveWordForms + fullFrameForms + movedFrameForms

    private static let naiveForms: [EntryForm] = [
        EntryForm(
            "plain", .i386, "nothing done about the frame; it ends with flags",
            origin: "through v5.2, with x86_64's emulation put on it",
            int3: EntryTextI386.plain("asm_exc_int3", orig: -1, handler: "exc_int3", exit: "int3_exit"),
            others: plainOthers,
            stackPointer: .behindFrame, frame: FrameLayout(depth: shortFrame, gapWords: 0, isComplete: false)),
        EntryForm(
            "naive", .i386, "x86_64's gap with the offsets of a saved pt_regs, before anything is saved",
            origin: "first try, linux-kernel, 1 May 2019",
            int3: EntryTextI386.naive(test: farTest), others: plainOthers, stackPointer: .behindFrame,
            frame: FrameLayout(depth: shortFrame, gapWords: 0, isComplete: false)),
        EntryForm(
            "naive-cs", .i386, "the same, CS found; virtual 8086 mode is not asked for",
            origin: "first repair of it, linux-kernel, 1 May 2019",
            int3: EntryTextI386.naive(test: nearTest), others: plainOthers, stackPointer: .behindFrame,
            frame: FrameLayout(depth: shortFrame + 24, gapWords: 0, isComplete: false)),
        EntryForm(
            "naive-vm86", .i386, "the same, virtual 8086 mode asked for first; the frame still lacks SS and ESP",
            origin: "second repair of it, linux-kernel, 1 May 2019",
            int3: EntryTextI386.naive(test: EntryTextI386.unlessFromKernel(4, "int3_save")), others: plainOthers,
            stackPointer: .behindFrame, frame: FrameLayout(depth: shortFrame + 24, gapWords: 0, isComplete: false)),
    ]

    private static let fiveWordForms: [EntryForm] = [
        EntryForm(
            "five-word-raise-first", .i386, "INT3 builds five words for IRET; the exit raises ESP, then reads them",
            origin: "P. Zijlstra, linux-kernel, 1 May 2019",
            int3: int3(words: 4, leave: EntryTextI386.leaveRaisingFirst), others: plainOthers,
            stackPointer: .behindFrame,
            frame: layout(4)),
        EntryForm(
            "five-word-raise-last", .i386, "the same; the exit copies below the new ESP and raises it last",
            origin: "P. Zijlstra, linux-kernel, 2 May 2019",
            int3: int3(words: 4, leave: EntryTextI386.leaveRaisingLast), others: plainOthers,
            stackPointer: .behindFrame,
            frame: layout(4)),
        EntryForm(
            "own-entry", .i386, "INT3 from kernel mode has its own entry and exit; a gap of three words",
            origin: "P. Zijlstra on a wish of L. Torvalds, linux-kernel, 2 May 2019",
            int3: int3(words: 3, leave: EntryTextI386.leaveRaisingLast), others: plainOthers, meetsEntryStack: true,
            frame: layout(3)),
    ]

    private static let fullFrameForms: [EntryForm] = [
        EntryForm(
            "full-frame-4", .i386, "every exception from kernel mode completes its frame; a gap of four words",
            origin: "P. Zijlstra and A. Lutomirski, linux-kernel, 6 May 2019",
            int3: int3(words: 4, leave: EntryTextI386.leaveRaisingLast),
            others: completeOthers(words: 4, marksKernel: false),
            frame: layout(4)),
        EntryForm(
            "full-frame-5", .i386, "the same behind the push of GS; a gap of five words", origin: "v5.3 and v5.4",
            int3: int3(words: 5, leave: EntryTextI386.leaveRaisingLast),
            others: completeOthers(words: 5, marksKernel: false),
            meetsEntryStack: true,
            frame: layout(5)),
        EntryForm(
            "full-frame-6", .i386, "the same behind the push of FS, kernel mode marked in bit 29 of cs; six words",
            origin: "v5.5 and later",
            int3: int3(words: 6, marksKernel: true, leave: EntryTextI386.leaveRaisingLast),
            others: completeOthers(words: 6, marksKernel: true),
            meetsEntryStack: true, frame: layout(6)),
        EntryForm(
            "fast-path", .i386, "as full-frame-4, but the exit takes the processor's own frame where sp is unchanged",
            origin: "variant of it in discussion, linux-kernel, May 2019",
            int3: int3(words: 4, leave: EntryTextI386.fastPath(words: 4) + EntryTextI386.leaveRaisingLast),
            others: completeOthers(words: 4, marksKernel: false), frame: layout(4)),
    ]

    private static let movedFrameForms: [EntryForm] = [
        EntryForm(
            "moved-frame", .i386, "the handler moves the short frame down by a word and returns it; a loop of its own",
            origin: "L. Torvalds, linux-kernel, 2 May 2019",
            int3: EntryTextI386.int3ThatFollows + EntryTextI386.kernelInt3(move: EntryTextI386.openCodedMove),
            others: plainOthers, stackPointer: .behindFrame, treatment: .moves,
            frame: FrameLayout(depth: shortFrame, gapWords: 0, isComplete: false)),
        EntryForm(
            "moved-frame-memmove", .i386, "the same through memmove(), whose own call site is being patched",
            origin: "variant of it, linux-kernel, 2 May 2019",
            int3: EntryTextI386.int3ThatFollows + EntryTextI386.kernelInt3(move: EntryTextI386.callOfMemmove),
            others: plainOthers, stackPointer: .behindFrame, treatment: .moves,
            frame: FrameLayout(depth: shortFrame, gapWords: 0, isComplete: false)),
    ]
}
