extension AssemblyLines {
    /// Instructions with few forms, in both modes.
    static let either: [String] = [
        "jmp .", "jmp .+0x100", "call .+5", "jmp *@ax", "call *@dx", "jmp *8(@ax)", "call *(@ax,@cx,8)", "ret",
        "ret $8", "lret", "lret $4", "iret", "iretl", "leave", "nop", "pause", "hlt", "cli", "sti", "cld", "std",
        "clc", "stc", "cmc", "sahf", "lahf", "cpuid", "rdtsc", "rdtscp", "rdmsr", "wrmsr", "ud2", "int3",
        "int $0x80", "int $3", "lfence", "mfence", "sfence", "wbinvd", "invd", "clts", "syscall", "sysenter",
        "sysexit", "rdpmc", "xgetbv", "stac", "clac", "cwtl", "cltd", "cbtw", "cwtd", "xlat", "enter $16,$1",
        "verw (@ax)", "verw %ax", "verr %cx", "str %ax", "sldt %ax", "ltr %ax", "lldt %ax", "ltr (@bx)", "lmsw %ax",
        "smsw %ax", "lgdt (@ax)", "lidt 4(@sp)", "sgdt (@ax)", "sidt (@ax)", "invlpg (@ax)", "clflush (@ax)",
        "prefetcht0 (@ax)", "prefetchnta 8(@ax)", "prefetchw (@ax)", "lar %ax,%cx", "lar %eax,%ecx",
        "lsl %eax,%ecx", "cmpxchg8b (@di)", "lock cmpxchg8b (@di)", "ud1 %eax,%ecx", "nopw (@ax)", "nopl (@ax)",
        "nopl 0x10(@ax,@ax,1)", "nopw 0x100(@ax,@ax,1)", "nop %eax", "xchg %ax,%ax", "xchg %eax,%ecx",
        "xchg %ebx,%edx", "endbr64", "endbr32", "fninit", "fnclex", "emms", "fwait", "in %dx,%al", "in (%dx),%eax",
        "inb $0x70", "inw %dx", "out %al,$0x80", "out %eax,%dx", "outb %al,(%dx)", "outl %eax,%dx", "push $5",
        "push $-1", "push $0x1234", "push $0x12345678", "pushw $5", "pushf", "popf", "mov %ds,%eax", "mov %eax,%ds",
        "mov %ds,%ax", "movw %ax,%es", "mov %cx,%ss", "mov %ds,(@ax)", "movw (@ax),%es", "push %fs", "push %gs",
        "pop %fs", "pop %gs", "fxsave (@ax)", "fxrstor (@ax)", "ldmxcsr (@ax)", "xsave (@ax)", "movnti %eax,(@bx)",
        "pushw %ax", "popw %bx", "crc32b %al,%ecx", "crc32l %eax,%ecx", "crc32w (@ax),%ecx", "loop .", "loope .",
        "loopne .", "rdrand %eax", "rdseed %ecx", "repz ret", "rep nop", "lock; addl $0,(@sp)", "bnd jmp .+0x1000",
        "notrack jmp *@ax", "monitor", "mwait", "vmcall", "vmmcall", "rsm", "invpcid (@ax),@bx", "pxor %xmm0,%xmm1",
        "movdqa (@ax),%xmm0", "movdqu %xmm1,(@ax)", "movd %eax,%xmm0", "paddd %xmm1,%xmm2",
        "vpxor %xmm0,%xmm1,%xmm2", "pshufd $0x1b,%xmm0,%xmm1", "andn %eax,%ecx,%edx", "shlx %eax,%ebx,%ecx",
        "rorx $5,%eax,%ebx", "bextr %eax,%ebx,%ecx", "blsr %eax,%ecx", "pdep %eax,%ebx,%ecx", "mulx %eax,%ebx,%ecx",
        "adcx %eax,%ebx", "adox %eax,%ebx", "rdpid @ax", "sysret", "serialize", "movl $0xffffffff, %ecx",
        "mov $0xffff, %ax",
    ]

    static let only64: [String] = [
        "iretq", "cltq", "cqto", "swapgs", "sysretq", "sysretl", "lretq", "pushq $5", "pushq %rax", "popq 8(%rsp)",
        "pushq 8(%rsp)", "push %r12", "mov %rax,%cr3", "mov %cr0,%rax", "mov %rax,%cr4", "mov %cr8,%r9",
        "mov %rax,%dr7", "mov %db6,%rbx", "movslq %eax,%rcx", "movslq (%rax),%rcx", "movzbq (%rax),%r9",
        "movabs $0x1122334455667788,%rax", "movabs $1,%r9", "mov $0x1122334455667788,%rbx", "mov $-1,%rax",
        "mov $0x12345678,%r8", "movabs 0x1122334455667788,%al", "movabs %eax,0x1122334455667788", "xchg %rax,%rax",
        "xchg %eax,%eax", "xchg %rax,%r8", "cmpxchg16b (%rsi)", "lock cmpxchg16b %gs:(%rsi)", "rdfsbase %rax",
        "wrgsbase %rcx", "jrcxz .", "jecxz .", "nopq (%rax)", "movq %rax,%xmm0", "movq %xmm1,%rcx", "mov %ds,%rax",
        "fxsave64 (%rax)", "xsave64 (%rax)", "xrstors64 (%rdi)", "lea 0x10(%rip),%rsi", "callq .", "retq",
        "call *%r11", "ljmp *(%rax)", "lcall *(%rax)", "movl %gs:(%rip),%eax", "pushq $-56", "subq $(6*8),%rsp",
        "testb $3,0x88(%rsp)", "verw 0x10(%rip)", "crc32q %rax,%rbx", "movsq", "pushfq", "popfq", "stosl",
        "jmp *%gs:8", "pushq %fs", "mov %eax,%eax", "movl $1,-4(%rbp)", "jmp *0x10(%rip)",
    ]

    static let only32: [String] = [
        "pusha", "popa", "pushal", "push %ds", "push %es", "push %cs", "push %ss", "pop %ds", "pop %es", "pop %ss",
        "pushl %ds", "pushl $5", "pushl 4(%esp)", "popl 8(%esp)", "push %eax", "pop %ecx", "pushfl", "popfl",
        "mov %eax,%cr3", "mov %cr0,%ecx", "mov %eax,%dr7", "ljmp $8,$0x12345678", "lcall $0x10,$4", "ljmp *(%eax)",
        "aaa", "daa", "das", "aas", "aam", "aad", "aam $8", "into", "jecxz .", "lds (%eax),%ecx",
        "les 4(%esp),%eax", "lss (%eax),%esp", "lfs (%eax),%ecx", "bound %eax,(%ecx)", "inc %eax", "dec %edi",
        "testl $0x20000,8(%esp)", "mov 0xc1000000,%eax", "mov %al,0xc1000000", "movl $0x7b,%ecx",
        "movw $0x7b,4(%esp)", "lidt 0xc1000010", "calll .", "jmpl *%eax", "arpl %ax,%bx", "jmp *0x1000",
    ]
}
