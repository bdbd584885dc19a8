import KernelModel

/// I5: the patcher terminates. A CPU that owes an acknowledgement and has neither the request pending nor in hand can never
/// give it, whatever steps follow.
enum Progress {
    static func check(_ interrupts: InterprocessorInterrupts, handling: [Bool]) -> String? {
        for cpu in interrupts.outstanding.sorted() where !interrupts.pending[cpu].sync && !handling[cpu] {
            return "the patcher waits for the acknowledgement of CPU \(cpu), which has no request to acknowledge"
        }
        return nil
    }
}
