public import X86

/// One of the two assembly entries that sites call: ftrace_caller or ftrace_regs_caller.
public struct FtraceCaller: Sendable, Hashable {
    /// ftrace_caller
    public let start: VirtualAddress
    /// ftrace_caller_op_ptr: the instruction that loads the ops; nil where the kernel makes no trampolines (i386).
    public let opsLoad: VirtualAddress?
    /// ftrace_call: the CALL that is patched to the trace function.
    public let call: VirtualAddress
    /// ftrace_caller_end: where a copy stops; nil where the kernel makes no trampolines.
    public let end: VirtualAddress?
    /// ftrace_regs_caller_jmp: the two-byte JNZ that a copy has NOPs for; nil in ftrace_caller.
    public let directJump: VirtualAddress?
    /// The booted bytes of `start ..< end`; empty where the kernel makes no trampolines.
    public let bytes: [UInt8]

    public init(
        start: VirtualAddress, opsLoad: VirtualAddress?, call: VirtualAddress, end: VirtualAddress?,
        directJump: VirtualAddress? = nil, bytes: [UInt8]
    ) {
        precondition(end == nil || bytes.count == end! - start, "the bytes are those from the start to the end")
        self.start = start
        self.opsLoad = opsLoad
        self.call = call
        self.end = end
        self.directJump = directJump
        self.bytes = bytes
    }
}

/// What ftrace must know of the kernel that it patches. Made once from an image, never changed.
public struct FtraceTarget: Sendable {
    public let mode: ProcessorMode
    public let caller: FtraceCaller
    /// ftrace_regs_caller; nil in a kernel without it.
    public let regsCaller: FtraceCaller?
    /// ftrace_stub
    public let stub: VirtualAddress
    /// arch_ftrace_ops_list_func (ftrace_ops_list_func)
    public let listFunction: VirtualAddress
    /// function_trace_call: the callback of the function tracer.
    public let functionTraceCall: VirtualAddress
    /// global_ops: the top-level tracer's ops, an object of .data.
    public let globalOps: VirtualAddress
    /// ftrace_list_end: what function_trace_op points to while the list function runs the callbacks.
    public let listEnd: VirtualAddress
    /// x86_return_thunk where the processor wants returns through it; nil where a return is `c3`.
    public let returnThunk: VirtualAddress?

    public init(
        mode: ProcessorMode, caller: FtraceCaller, regsCaller: FtraceCaller?, stub: VirtualAddress,
        listFunction: VirtualAddress, functionTraceCall: VirtualAddress, globalOps: VirtualAddress,
        listEnd: VirtualAddress, returnThunk: VirtualAddress? = nil
    ) {
        self.mode = mode
        self.caller = caller
        self.regsCaller = regsCaller
        self.stub = stub
        self.listFunction = listFunction
        self.functionTraceCall = functionTraceCall
        self.globalOps = globalOps
        self.listEnd = listEnd
        self.returnThunk = returnThunk
    }

    /// arch_ftrace_update_trampoline() exists on 64 bit only.
    public var makesTrampolines: Bool {
        mode == .x86_64 && caller.opsLoad != nil && caller.end != nil
    }
}

/// What ftrace reads while it decides: the text as the patching alias reads it, and `%pS`.
public protocol TextReading {
    /// copy_from_kernel_nofault(): nil where nothing is mapped.
    func instruction(at address: VirtualAddress, count: Int) -> InstructionBytes?
    /// `name+0xoffset/0xsize`, or `0x...` where no symbol covers the address.
    func symbolize(_ address: VirtualAddress) -> String
}
