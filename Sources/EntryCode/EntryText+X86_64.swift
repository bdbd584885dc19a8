import X86

/// Entry and exit code of x86_64, written from the layouts that the manual (SDM vol. 3, 6.14) and asm/ptrace.h fix.
enum EntryTextX86_64 {
    /// The fifteen general registers of pt_regs below orig_ax; r15 ends up lowest.
    static let save = """
                pushq %rdi
                pushq %rsi
                pushq %rdx
                pushq %rcx
                pushq %rax
                pushq %r8
                pushq %r9
                pushq %r10
                pushq %r11
                pushq %rbx
                pushq %rbp
                pushq %r12
                pushq %r13
                pushq %r14
                pushq %r15

        """

    static let restore = """
                popq %r15
                popq %r14
                popq %r13
                popq %r12
                popq %rbp
                popq %rbx
                popq %r11
                popq %r10
                popq %r9
                popq %r8
                popq %rax
                popq %rcx
                popq %rdx
                popq %rsi
                popq %rdi

        """

    /// The five words of the processor and orig_ax once more below themselves. PUSH computes the address with RSP as it
    /// was, so that the same displacement names the next word each time. The originals are the room for a push.
    static let gap = String(repeating: "        pushq 40(%rsp)\n", count: 6)

    /// #BP. From user mode the frame stands on the task's empty kernel stack and needs no room.
    static func int3(gap: String) -> String {
        """
        asm_exc_int3:
                clac
                cld
                pushq $-1                       # orig_ax: no system call
                testb $3, 16(%rsp)              # the interrupted privilege level
                jnz int3_from_user
        \(gap)\(save)        movq %rsp, %rdi
                call exc_int3
        int3_exit:
        \(restore)        addq $8, %rsp                   # orig_ax
                iretq
        int3_from_user:
                swapgs
        \(save)        movq %rsp, %rdi
                call exc_int3
        int3_user_exit:
        \(restore)        addq $8, %rsp
                swapgs
                iretq

        """
    }

    /// An interrupt. The vector stands in orig_ax.
    static let irq = """
        asm_irq:
                clac
                cld
                pushq $0x20
                testb $3, 16(%rsp)
                jz irq_save
                swapgs
        irq_save:
        \(save)        movq %rsp, %rdi
                call do_irq
        \(restore)        addq $8, %rsp
                testb $3, 8(%rsp)
                jz irq_return
                swapgs
        irq_return:
                iretq

        """

    /// Bytes of the stack that the interrupt stack table gives to NMIs (EXCEPTION_STKSZ).
    static let nmiStackSize = 4096

    /// NMI on its own stack, whose top is T. An IRET inside the handler (a #BP's) unmasks NMIs, and the next one begins
    /// at T again. So the code keeps, below the words that the processor overwrites at T:
    ///
    ///     T-8   ... T-40    what the processor pushed for the newest NMI
    ///     T-48              RDX, for the first instructions
    ///     T-56              1 while an NMI is being handled
    ///     T-64  ... T-96    the frame that the handled NMI returns by
    ///     T-104 ... T-136   what the processor pushed for the first NMI; part of pt_regs
    ///
    /// An NMI that finds an NMI being handled changes the frame at T-96 so that the first one's IRET leads to
    /// nmi_repeat, and goes. Between nmi_repeat and nmi_copied that frame is in the making, and the handler is about to
    /// run anyhow. Between the last store to T-56 and the IRET, the direction flag says that the stack is in use.
    static let nmi = """
        asm_exc_nmi:
                clac
                testb $3, 8(%rsp)
                jnz nmi_from_user
                pushq %rdx
                leaq nmi_repeat(%rip), %rdx
                cmpq %rdx, 8(%rsp)              # the interrupted RIP
                jb nmi_not_copying
                leaq nmi_copied(%rip), %rdx
                cmpq %rdx, 8(%rsp)
                jb nmi_nested_out
        nmi_not_copying:
                cmpq $1, -8(%rsp)
                je nmi_nested
                leaq 48(%rsp), %rdx             # T
                cmpq %rdx, 32(%rsp)             # the interrupted RSP
                ja nmi_first
                subq $\(nmiStackSize), %rdx
                cmpq %rdx, 32(%rsp)
                jb nmi_first
                testb $4, 25(%rsp)              # the interrupted direction flag
                jz nmi_first
        nmi_nested:
                subq $8, %rsp                   # T-56 stays as it is
                leaq -80(%rsp), %rdx            # T-136
                pushq $0x18
                pushq %rdx
                pushfq
                pushq $0x10
                leaq nmi_repeat(%rip), %rdx
                pushq %rdx
                addq $48, %rsp
        nmi_nested_out:
                popq %rdx
                iretq
        nmi_first:
                movq (%rsp), %rdx
                subq $48, %rsp                  # T-96
                pushq 88(%rsp)                  # T-8 and the four words below it
                pushq 88(%rsp)
                pushq 88(%rsp)
                pushq 88(%rsp)
                pushq 88(%rsp)
        nmi_repeat:
                movq $1, 80(%rsp)               # T-56
                addq $80, %rsp
                pushq -48(%rsp)                 # T-104 to T-64, and the four words below
                pushq -48(%rsp)
                pushq -48(%rsp)
                pushq -48(%rsp)
                pushq -48(%rsp)
                subq $40, %rsp                  # T-136
        nmi_copied:
                pushq $-1
        \(save)        cld
                movq %rsp, %rdi
                call exc_nmi
        nmi_exit:
        \(restore)        addq $48, %rsp                  # T-96
                std
                movq $0, 40(%rsp)               # T-56
                iretq
        nmi_from_user:
                swapgs
                cld
                pushq $-1
        \(save)        movq %rsp, %rdi
                call exc_nmi
        \(restore)        addq $8, %rsp
                swapgs
                iretq

        """

    /// NMI without any thought of a second one: what the code above is there for.
    static let nmiThatTrustsItsMask = """
        asm_exc_nmi:
                clac
                cld
                pushq $-1
        \(save)        movq %rsp, %rdi
                call exc_nmi
        nmi_exit:
        \(restore)        addq $8, %rsp
                iretq

        """
}

extension EntryForm {
    /// sizeof(struct pt_regs): 21 words.
    private static let pt: UInt64 = 21 * 8

    static let forX86_64: [EntryForm] = [
        EntryForm(
            "no-gap", .x86_64, "the frame directly below the interrupted stack",
            origin: "v4.17 (2018), when #BP left the interrupt stack table, to v5.1",
            int3: EntryTextX86_64.int3(gap: ""), others: EntryTextX86_64.nmi + EntryTextX86_64.irq,
            frame: FrameLayout(depth: pt, gapWords: 0)),
        EntryForm(
            "gap", .x86_64, "six words of room between the interrupted stack and the frame",
            origin: "v5.2 and later; J. Poimboeuf and P. Zijlstra",
            int3: EntryTextX86_64.int3(gap: EntryTextX86_64.gap), others: EntryTextX86_64.nmi + EntryTextX86_64.irq,
            frame: FrameLayout(depth: pt + 48, gapWords: 6)),
    ]
}
