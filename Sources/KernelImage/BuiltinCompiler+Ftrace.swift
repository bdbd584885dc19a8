import X86

/// Offsets in struct pt_regs, x86_64.
private enum PtRegsOffset {
    static let r15 = 0x00
    static let r14 = 0x08
    static let r13 = 0x10
    static let r12 = 0x18
    static let rbp = 0x20
    static let rbx = 0x28
    static let r11 = 0x30
    static let r10 = 0x38
    static let r9 = 0x40
    static let r8 = 0x48
    static let rax = 0x50
    static let rcx = 0x58
    static let rdx = 0x60
    static let rsi = 0x68
    static let rdi = 0x70
    static let originalRax = 0x78
    static let rip = 0x80
    static let cs = 0x88
    static let flags = 0x90
    static let rsp = 0x98
    static let ss = 0xa0
    static let size = 0xa8
}

// ftrace_caller and ftrace_regs_caller: the project's own code for the protocol that the kernel's callbacks expect. On
// entry the stack holds the traced function's address + 5 and, above it, its caller's return address. The callback gets
// rdi = the function, rsi = its caller, rdx = the ftrace_ops, rcx = a struct pt_regs, and may change regs->ip.
extension BuiltinCompiler {
    private static let argumentRegisters: [(BuiltinRegister, Int)] = [
        (.rdi, PtRegsOffset.rdi), (.rsi, PtRegsOffset.rsi), (.rdx, PtRegsOffset.rdx), (.rcx, PtRegsOffset.rcx),
        (.rax, PtRegsOffset.rax), (.r8, PtRegsOffset.r8), (.r9, PtRegsOffset.r9), (.rbp, PtRegsOffset.rbp),
    ]
    private static let otherRegisters: [(BuiltinRegister, Int)] = [
        (.rbx, PtRegsOffset.rbx), (.r10, PtRegsOffset.r10), (.r11, PtRegsOffset.r11), (.r12, PtRegsOffset.r12),
        (.r13, PtRegsOffset.r13), (.r14, PtRegsOffset.r14), (.r15, PtRegsOffset.r15),
    ]

    mutating func emitFtraceText() {
        begin("__fentry__")
        assembler.return()
        begin("ftrace_stub")
        assembler.return()
        emitFtraceCaller()
        emitFtraceRegsCaller()
    }

    private func slot(_ offset: Int) -> BuiltinOperand {
        .memory(.rsp, offset)
    }

    private mutating func save(_ registers: [(BuiltinRegister, Int)]) {
        for (register, offset) in registers { assembler.store(slot(offset), register) }
    }

    private mutating func restore(_ registers: [(BuiltinRegister, Int)]) {
        for (register, offset) in registers.reversed() { assembler.load(register, slot(offset)) }
    }

    /// rdi, rsi, regs->ip and regs->sp; `above` is what was pushed before the frame.
    private mutating func loadTracedFunction(above: Int) {
        let returnAddress = PtRegsOffset.size + above
        assembler.loadAddress(.rax, slot(returnAddress + 8))
        assembler.store(slot(PtRegsOffset.rsp), .rax)
        assembler.load(.rdi, slot(returnAddress))
        assembler.store(slot(PtRegsOffset.rip), .rdi)
        assembler.loadAddress(.rdi, .memory(.rdi, -5))
        assembler.load(.rsi, slot(returnAddress + 8))
    }

    /// The load of the ops pointer, which a per-ops trampoline points at its own word, and the call it redirects.
    private mutating func emitOpsLoadAndCall(prefix: String, callLabel: String) {
        mark("\(prefix)_op_ptr", type: "T")
        assembler.load(.rdx, .symbol("function_trace_op"))
        assembler.move(.rcx, .rsp)
        mark(callLabel, type: "T")
        assembler.call("ftrace_stub")
    }

    private mutating func emitFtraceCaller() {
        begin("ftrace_caller", alignment: 64)
        assembler.adjustStack(by: -PtRegsOffset.size)
        save(Self.argumentRegisters)
        // regs->flags == 0 tells callbacks that they have only the arguments; orig_rax == 0 that nobody redirected.
        assembler.store(slot(PtRegsOffset.originalRax), immediate: 0)
        assembler.store(slot(PtRegsOffset.flags), immediate: 0)
        assembler.store(slot(PtRegsOffset.cs), immediate: 0)
        loadTracedFunction(above: 0)
        emitOpsLoadAndCall(prefix: "ftrace_caller", callLabel: "ftrace_call")
        assembler.load(.rax, slot(PtRegsOffset.rip))
        assembler.store(slot(PtRegsOffset.size), .rax)
        restore(Self.argumentRegisters)
        assembler.adjustStack(by: PtRegsOffset.size)
        mark("ftrace_caller_end", type: "T")
        assembler.return()
        assembler.emit(0xcc)
    }

    private mutating func emitFtraceRegsCaller() {
        begin("ftrace_regs_caller", alignment: 64)
        // The flags are pushed before SUB changes them.
        assembler.emit(0x9c)
        assembler.adjustStack(by: -PtRegsOffset.size)
        save(Self.argumentRegisters)
        save(Self.otherRegisters)
        assembler.store(slot(PtRegsOffset.originalRax), immediate: 0)
        assembler.load(.rax, slot(PtRegsOffset.size))
        assembler.store(slot(PtRegsOffset.flags), .rax)
        assembler.store(slot(PtRegsOffset.cs), immediate: 0x10)
        assembler.store(slot(PtRegsOffset.ss), immediate: 0x18)
        loadTracedFunction(above: 8)
        emitOpsLoadAndCall(prefix: "ftrace_regs_caller", callLabel: "ftrace_regs_call")
        assembler.load(.rax, slot(PtRegsOffset.flags))
        assembler.store(slot(PtRegsOffset.size), .rax)
        assembler.load(.rax, slot(PtRegsOffset.rip))
        assembler.store(slot(PtRegsOffset.size + 8), .rax)
        restore(Self.otherRegisters)
        restore(Self.argumentRegisters)
        assembler.adjustStack(by: PtRegsOffset.size)
        assembler.emit(0x9d)
        mark("ftrace_regs_caller_end", type: "T")
        assembler.return()
        assembler.emit(0xcc)
    }
}
