import X86

extension FtraceState {
    /// ftrace_bug() and ftrace_kill(): the text isn't what it must be, so nothing is patched any more.
    ///
    /// The kernel's WARNING with registers and stack, which surrounds these lines, isn't reproduced.
    mutating func reportBug(
        record index: Int, actual: InstructionBytes?, expected: InstructionBytes, expectedTarget: VirtualAddress,
        target: FtraceTarget, text: some TextReading, update: inout FtraceUpdate
    ) {
        let record = records[index]
        let digits = target.mode.wordSize * 2
        let kind = record.updateKind()
        update.log.append("------------[ ftrace bug ]------------")
        update.log.append(actual == nil ? "ftrace faulted on modifying " : "ftrace failed to modify ")
        update.log.append("[<\(record.address.hexadecimal(digits: digits))>] \(text.symbolize(record.address))")
        if let actual {
            update.log.append(" actual:   \(Self.colons(actual))")
            update.log.append(" expected: \(Self.colons(expected))")
        }
        switch kind {
        case .ignore: break
        case .makeCall: update.log.append("Setting ftrace call site to call ftrace function")
        case .modifyCall: update.log.append("Updating ftrace call site to call a different ftrace function")
        case .makeNop: update.log.append("Setting ftrace call site to NOP")
        }
        update.log.append("ftrace record flags: \(String(record.word, radix: 16))")
        var line = " (\(record.count))" + (record.has(.regs) ? " R" : "  ")
        if record.has(.trampolineEnabled) {
            let users = trampolineOps(ofRecord: index)
            for ops in users {
                guard let trampoline = ops.trampoline else { continue }
                line += "\ttramp: \(text.symbolize(trampoline)) (\(text.symbolize(ops.function)))"
            }
            if users.isEmpty { line += "\ttramp: ERROR!" }
        }
        update.log.append(line)
        update.log.append(" expected tramp: \(String(expectedTarget.rawValue, radix: 16))")

        // ftrace_kill(): from now on the trace function is the stub, and the caller in progress still pokes it.
        isDisabled = true
        traceFunction = target.stub
        update.failure = .disabled
    }

    /// print_ip_ins(): `e8:0b:fb:7e:3e`.
    private static func colons(_ bytes: InstructionBytes) -> String {
        bytes.description.replacingSpaces(with: ":")
    }
}

extension String {
    fileprivate func replacingSpaces(with replacement: Character) -> String {
        String(map { $0 == " " ? replacement : $0 })
    }
}
