public import X86

/// What ftrace's call sites call, and the return thunk, for both widths: own text for the contract that callbacks rely on.
///
/// A callback gets the call site (the return address less five), the caller's return address, the ops and pt_regs.
/// Symbols from outside: `ftrace_stub`, the callback; `function_trace_op`, the address of the pointer to the ops.
public enum FtraceEntryText {
    /// Saves what the ABI lets a callback change, and the words that a callback may read: bp, ip, sp.
    public static let caller64 = """
        ftrace_caller:
                subq $168, %rsp                 # sizeof(struct pt_regs)
                movq %rax, 80(%rsp)
                movq %rcx, 88(%rsp)
                movq %rdx, 96(%rsp)
                movq %rsi, 104(%rsp)
                movq %rdi, 112(%rsp)
                movq %r8, 72(%rsp)
                movq %r9, 64(%rsp)
                movq %rbp, 32(%rsp)
                movq $0, 120(%rsp)              # orig_ax: no direct call
                movq $0, 136(%rsp)              # cs 0: these pt_regs are not complete
                leaq 176(%rsp), %rcx
                movq %rcx, 152(%rsp)            # sp, as the caller's caller sees it
                movq 176(%rsp), %rsi            # parent_ip
                movq 168(%rsp), %rdi
                movq %rdi, 128(%rsp)            # ip
                subq $5, %rdi
                movq $function_trace_op, %rdx
                movq (%rdx), %rdx
                movq %rsp, %rcx
                call ftrace_stub
                movq 128(%rsp), %rax            # livepatch has changed it perhaps
                movq %rax, 168(%rsp)
                movq 32(%rsp), %rbp
                movq 64(%rsp), %r9
                movq 72(%rsp), %r8
                movq 112(%rsp), %rdi
                movq 104(%rsp), %rsi
                movq 96(%rsp), %rdx
                movq 88(%rsp), %rcx
                movq 80(%rsp), %rax
                addq $168, %rsp
                ret

        """

    /// The same with complete pt_regs. The flags are pushed before the first instruction that changes them.
    public static let regsCaller64 = """
        ftrace_regs_caller:
                pushfq
                subq $168, %rsp
                movq %r15, (%rsp)
                movq %r14, 8(%rsp)
                movq %r13, 16(%rsp)
                movq %r12, 24(%rsp)
                movq %rbp, 32(%rsp)
                movq %rbx, 40(%rsp)
                movq %r11, 48(%rsp)
                movq %r10, 56(%rsp)
                movq %r9, 64(%rsp)
                movq %r8, 72(%rsp)
                movq %rax, 80(%rsp)
                movq %rcx, 88(%rsp)
                movq %rdx, 96(%rsp)
                movq %rsi, 104(%rsp)
                movq %rdi, 112(%rsp)
                movq $0, 120(%rsp)
                movq 168(%rsp), %rcx
                movq %rcx, 144(%rsp)            # flags
                movq $0x10, 136(%rsp)           # cs
                movq $0x18, 160(%rsp)           # ss
                leaq 184(%rsp), %rcx
                movq %rcx, 152(%rsp)            # sp
                movq 184(%rsp), %rsi            # parent_ip
                movq 176(%rsp), %rdi
                movq %rdi, 128(%rsp)            # ip
                subq $5, %rdi
                movq $function_trace_op, %rdx
                movq (%rdx), %rdx
                movq %rsp, %rcx
                call ftrace_stub
                movq 144(%rsp), %rax
                movq %rax, 168(%rsp)
                movq 128(%rsp), %rax
                movq %rax, 176(%rsp)
                movq (%rsp), %r15
                movq 8(%rsp), %r14
                movq 16(%rsp), %r13
                movq 24(%rsp), %r12
                movq 32(%rsp), %rbp
                movq 40(%rsp), %rbx
                movq 48(%rsp), %r11
                movq 56(%rsp), %r10
                movq 64(%rsp), %r9
                movq 72(%rsp), %r8
                movq 80(%rsp), %rax
                movq 88(%rsp), %rcx
                movq 96(%rsp), %rdx
                movq 104(%rsp), %rsi
                movq 112(%rsp), %rdi
                addq $168, %rsp
                popfq
                ret

        """

    /// i386: a callback gets its arguments in EAX, EDX and ECX, and a NULL for pt_regs on the stack.
    public static let caller32 = """
        ftrace_caller:
                pushl %eax
                pushl %ecx
                pushl %edx
                movl 12(%esp), %eax             # the call site, behind its CALL
                movl 16(%esp), %edx             # parent_ip
                movl $function_trace_op, %ecx
                movl (%ecx), %ecx
                subl $5, %eax
                pushl $0
                call ftrace_stub
                addl $4, %esp
                popl %edx
                popl %ecx
                popl %eax
                ret

        """

    /// i386 with complete pt_regs, of 17 words; the flags' and the return address' own words stay above them for the exit.
    public static let regsCaller32 = """
        ftrace_regs_caller:
                pushfl                          # below the return address
                pushl %ss
                pushl %esp
                addl $12, (%esp)                # sp: behind the return address
                pushl 8(%esp)                   # flags
                pushl %cs
                pushl 20(%esp)                  # ip
                pushl $0                        # orig_ax
                pushl %gs
                pushl %fs
                pushl %es
                pushl %ds
                pushl %eax
                pushl %ebp
                pushl %edi
                pushl %esi
                pushl %edx
                pushl %ecx
                pushl %ebx
                movl 48(%esp), %eax
                subl $5, %eax
                movl 76(%esp), %edx             # parent_ip
                movl $function_trace_op, %ecx
                movl (%ecx), %ecx
                pushl %esp
                call ftrace_stub
                addl $4, %esp
                movl 48(%esp), %eax
                movl %eax, 72(%esp)             # the return address
                movl 56(%esp), %eax
                movl %eax, 68(%esp)             # the flags
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
                leal 24(%esp), %esp             # orig_ax to ss
                popfl
                ret

        """

    /// What `jmp __x86_return_thunk` leads to where the processor needs no more than a RET.
    public static let returnThunk = """
        __x86_return_thunk:
                ret
                int3

        """

    /// All of them, for one width.
    public static func all(_ mode: ProcessorMode) -> String {
        switch mode {
        case .x86_64: caller64 + regsCaller64 + returnThunk
        case .i386: caller32 + regsCaller32 + returnThunk
        }
    }
}
