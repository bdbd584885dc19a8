import Ftrace
import KernelImage
import Simulation
import X86

/// enabled_functions (t_show with FTRACE_ITER_ENABLED): each record whose site is a CALL, who calls for it and through what.
struct EnabledFunctionLines: LineSource {
    private let ftrace: FtraceState
    private let digits: Int
    /// `%pS` of what each ops slot's trampoline calls, and of the trampoline and the callback.
    private var tramps: [Int: String] = [:]
    /// ` ->%pS` of what ftrace_call and ftrace_regs_call call; empty where the kernel doesn't tell (i386).
    private var shared = ""
    private var next = 0

    init(_ state: KernelState) {
        ftrace = state.ftrace
        digits = state.image.mode.wordSize * 2
        guard let target = ftrace.target, !ftrace.isDisabled else {
            next = ftrace.records.count
            return
        }
        if target.makesTrampolines {
            let called = Self.callee(of: target.caller.call, state) ?? ftrace.callTarget
            shared = " ->" + state.symbolize(called)
        }
        for ops in ftrace.registeredOps {
            guard let trampoline = ops.trampoline else { continue }
            let called = ftrace.trampolineCall(of: ops).flatMap { Self.callee(of: $0, state) } ?? ops.function
            tramps[ops.id.slot] =
                "\ttramp: \(state.symbolize(trampoline)) (\(state.symbolize(ops.function))) ->\(state.symbolize(called))"
        }
    }

    /// addr_from_call(): where the CALL at `address` leads, by the text as it is now.
    private static func callee(of address: VirtualAddress, _ state: KernelState) -> VirtualAddress? {
        guard let call = state.instruction(at: address, count: 5), call[0] == 0xe8 else { return nil }
        return address + 5 + call.displacement32
    }

    mutating func appendNext(to bytes: inout [UInt8]) -> Bool {
        while next < ftrace.records.count, !ftrace.records[next].has(.enabled) { next += 1 }
        guard next < ftrace.records.count else { return false }
        let record = ftrace.records[next]
        bytes.append(contentsOf: ftrace.names[next])
        bytes.append(contentsOf: " (\(record.count))".utf8)
        bytes.append(contentsOf: (record.has(.regs) ? " R" : "  ").utf8)
        bytes.append(contentsOf: (record.has(.ipModify) ? " I" : "  ").utf8)
        bytes.append(contentsOf: (record.has(.direct) ? " D" : "  ").utf8)
        if record.has(.trampolineEnabled) {
            let users = ftrace.trampolineOps(ofRecord: next)
            for ops in users { bytes.append(contentsOf: (tramps[ops.id.slot] ?? "").utf8) }
            if users.isEmpty { bytes.append(contentsOf: "\ttramp: ERROR!".utf8) }
        } else {
            bytes.append(contentsOf: shared.utf8)
        }
        bytes.append(UInt8(ascii: "\n"))
        next += 1
        return true
    }
}
