public import Ftrace
public import KernelImage
public import X86

/// Why an image has no ftrace.
public enum FtraceTargetError: Error, Sendable, Hashable {
    /// A symbol that ftrace needs isn't in the image.
    case missingSymbol(String)
    case noCallSites
}

extension FtraceCaller {
    /// Finds `name` (ftrace_caller or ftrace_regs_caller) and its inner labels.
    init(image: KernelImage, start name: String, call callName: String) throws(FtraceTargetError) {
        let start = try image.require(name)
        let call = try image.require(callName)
        let opsLoad = image.symbols.address(of: "\(name)_op_ptr")
        let end = image.symbols.address(of: "\(name)_end")
        var bytes: [UInt8] = []
        if image.mode == .x86_64, let end {
            let text = image.text
            let offset = start - text.address
            guard offset >= 0, start <= end, end <= text.address + text.size, let all = text.bytes else {
                throw .missingSymbol(name)
            }
            let from = text.offset + offset
            bytes = Array(all.buffer[from..<from + (end - start)])
        }
        self.init(
            start: start, opsLoad: opsLoad, call: call, end: image.mode == .x86_64 ? end : nil,
            directJump: image.symbols.address(of: "\(name)_jmp"), bytes: bytes)
    }
}

extension KernelImage {
    fileprivate func require(_ name: String) throws(FtraceTargetError) -> VirtualAddress {
        guard let address = symbols.address(of: name) else { throw .missingSymbol(name) }
        return address
    }

    /// Where a kernel whose kallsyms leaves data out (no CONFIG_KALLSYMS_ALL) is taken to have ftrace's two objects. Only
    /// their identity matters: nothing reads them.
    fileprivate var standIn: VirtualAddress {
        regions.first { $0.name == ".data" }?.address ?? text.address + text.size
    }

    /// Bytes from a symbol's start at which a site still belongs to the function (FTRACE_MCOUNT_MAX_OFFSET): four where
    /// the kernel was built with IBT, so that an ENDBR64 precedes each site.
    fileprivate var siteOffsetMax: Int {
        guard mode == .x86_64, let text = text.bytes else { return 0 }
        let base = self.text
        for site in mcountSites.prefix(64) {
            guard let (_, offset, _) = symbols.lookup(site), offset == 4 else { continue }
            let at = base.offset + (site - base.address) - 4
            if at >= 0, at + 4 <= text.count, text.buffer[at..<at + 4].elementsEqual([0xf3, 0x0f, 0x1e, 0xfa]) {
                return 4
            }
        }
        return 0
    }
}

extension FtraceTarget {
    public init(image: KernelImage) throws(FtraceTargetError) {
        let list =
            image.symbols.address(of: "arch_ftrace_ops_list_func") ?? image.symbols.address(of: "ftrace_ops_list_func")
        guard let list else { throw .missingSymbol("arch_ftrace_ops_list_func") }
        guard !image.mcountSites.isEmpty else { throw .noCallSites }
        self.init(
            mode: image.mode,
            caller: try FtraceCaller(image: image, start: "ftrace_caller", call: "ftrace_call"),
            regsCaller: try? FtraceCaller(image: image, start: "ftrace_regs_caller", call: "ftrace_regs_call"),
            stub: try image.require("ftrace_stub"), listFunction: list,
            functionTraceCall: try image.require("function_trace_call"),
            globalOps: image.symbols.address(of: "global_ops") ?? image.standIn,
            listEnd: image.symbols.address(of: "ftrace_list_end") ?? image.standIn + 0x200)
    }
}

extension FtraceState {
    /// ftrace_init() for an image.
    public init(image: KernelImage, cpuCount: Int) throws(FtraceTargetError) {
        let target = try FtraceTarget(image: image)
        let offsetMax = image.siteOffsetMax
        var names = FtraceNames()
        for site in image.mcountSites {
            // A site below the first symbol has no name in the kernel either.
            let found = image.symbols.lookup(site)
            if let (index, offset, _) = found, offset <= offsetMax {
                names.append(image.symbols.nameBytes(at: index))
            } else {
                names.appendInvalid(offset: found?.offset ?? 0)
            }
        }
        self.init(
            target: target, sites: image.mcountSites, names: names, sitesInFile: image.mcountSitesInFile,
            cpuCount: cpuCount)
    }
}

/// Text and symbols as ftrace reads them.
extension KernelState: TextReading {
    public func instruction(at address: VirtualAddress, count: Int) -> InstructionBytes? {
        textBytes(at: address, count: count).map { InstructionBytes($0) }
    }

    public func symbolize(_ address: VirtualAddress) -> String {
        guard let (index, offset, size) = image.kernelSymbol(at: address) else {
            return "0x" + String(address.rawValue, radix: 16)
        }
        return "\(image.symbols.name(at: index))+0x\(String(offset, radix: 16))/0x\(String(size, radix: 16))"
    }
}

extension KernelImage {
    /// kallsyms_lookup() with is_ksym_addr(): nothing below the kernel's text, where only per-CPU symbols are, and nothing
    /// behind the last symbol, where modules and trampolines are.
    public func kernelSymbol(at address: VirtualAddress) -> (index: Int, offset: Int, size: Int)? {
        guard address >= text.address, let found = symbols.lookup(address), found.offset < max(found.size, 1) else {
            return nil
        }
        return found
    }

    /// `%pS`: `name+0xoffset/0xsize`, or `0x...` outside of the kernel, where trampolines are.
    public func place(_ address: VirtualAddress) -> String {
        guard let (index, offset, size) = kernelSymbol(at: address) else {
            return "0x" + String(address.rawValue, radix: 16)
        }
        return "\(symbols.name(at: index))+0x\(String(offset, radix: 16))/0x\(String(size, radix: 16))"
    }
}

extension KernelState {
    /// Hands ftrace's state out beside the text that it reads, without a copy of either; submits what comes of it and logs
    /// what it says. Returns the ticket when text has to change.
    public mutating func updateFtrace<Failure: Error>(
        _ change: (inout FtraceState, borrowing KernelState) throws(Failure) -> FtraceUpdate
    ) throws(Failure) -> (ticket: UpdateTicket?, failure: FtraceError?) {
        var taken = FtraceState()
        swap(&taken, &ftrace)
        defer { swap(&taken, &ftrace) }
        let update = try change(&taken, self)
        for line in update.log { log.append(line, nanoseconds: nanoseconds) }
        guard !update.steps.isEmpty else { return (nil, update.failure) }
        let ticket = submit(update.steps)
        taken.updateInFlight = ticket.number
        return (ticket, update.failure)
    }

    /// The update that holds ftrace_lock, or nil.
    public var updateInFlight: UpdateTicket? {
        guard let number = ftrace.updateInFlight else { return nil }
        let ticket = UpdateTicket(number: number)
        return isComplete(ticket) ? nil : ticket
    }
}
