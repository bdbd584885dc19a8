import X86

/// Turns the built-in kernel's functions into text.
struct BuiltinCompiler {
    struct PendingJumpEntry {
        let code: VirtualAddress
        let target: BuiltinLabel
        let key: String
        let isBranch: Bool
        let length: Int
    }

    /// A block that is emitted behind the function's end, as compilers place unlikely code.
    struct ColdBlock {
        let entry: BuiltinLabel
        let back: BuiltinLabel
        let callee: String
    }

    /// How the function that is being emitted uses registers and stack.
    struct Frame {
        /// The accumulator: rax in a leaf, rbx under a frame.
        var accumulator: BuiltinRegister
        /// Saved registers in the order of their pushes.
        var saved: [BuiltinRegister]
        var localBytes: Int
        /// rbp holds the frame's address, and the epilogue is LEAVE.
        var usesFramePointer: Bool
        var localsUsed = 0
        var out: BuiltinLabel?
        var coldBlocks: [ColdBlock] = []
    }

    var assembler: BuiltinAssembler
    var symbols: [Symbol] = []
    var mcountSites: [VirtualAddress] = []
    var staticCallSites: [StaticCallSite] = []
    var jumpEntries: [PendingJumpEntry] = []
    var frame = Frame(accumulator: .rax, saved: [], localBytes: 0, usesFramePointer: false)
    let staticCallTargets: [String: String]
    let enabledKeys: Set<String>
    /// A linear congruential generator with a fixed seed: variety that is the same on every run.
    private var variety: UInt64 = 0x5eed_2019_0501
    private var siteCount = 0

    init(base: VirtualAddress) {
        assembler = BuiltinAssembler(base: base)
        staticCallTargets = Dictionary(
            uniqueKeysWithValues: BuiltinProgram.staticCallKeys.map { ($0.name, $0.functions[0]) })
        enabledKeys = Set(BuiltinProgram.staticKeys.filter(\.isEnabled).map(\.name))
    }

    /// The next of `0 ..< limit`.
    mutating func next(_ limit: Int) -> Int {
        variety = variety &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int((variety >> 33) % UInt64(limit))
    }

    mutating func mark(_ name: String, type: Unicode.Scalar) {
        assembler.place(name)
        symbols.append(Symbol(name: name, address: assembler.address, type: UInt8(ascii: type)))
    }

    /// Starts an untraced function written by hand.
    mutating func begin(_ name: String, alignment: Int = 16) {
        assembler.padWithInt3(to: 0, modulo: alignment)
        mark(name, type: "T")
    }

    // MARK: Functions

    mutating func emit(_ function: BuiltinFunction) {
        if function.isTraced {
            // 37 is coprime to 64, so the sites' addresses run through every residue: sites that straddle 8-, 16- and
            // 64-byte boundaries at each of their split points.
            assembler.padWithInt3(to: mcountSites.count * 37 % 64, modulo: 64)
        } else {
            assembler.padWithInt3(to: 0, modulo: 16)
        }
        if !function.isWeakLeftover {
            mark(function.name, type: Unicode.Scalar(function.type))
        }
        if function.isTraced {
            mcountSites.append(assembler.address)
            assembler.emit(.nop5)
        }
        if function.statements.isEmpty {
            assembler.emit(0x31, 0xc0)
            assembler.return()
            return
        }
        beginFrame(function)
        for statement in function.statements {
            emit(statement)
        }
        endFrame(function)
    }

    private mutating func beginFrame(_ function: BuiltinFunction) {
        let statements = function.statements
        let needsFrame = statements.contains(where: \.needsFrame)
        let hasLoop = statements.contains { if case .repeated = $0 { true } else { false } }
        let localCount = statements.filter { $0 == .local }.count
        let style = next(3)
        let localBytes = localCount > 0 ? 8 * (localCount + next(4)) : needsFrame && style == 0 ? 8 : 0
        frame = Frame(
            accumulator: needsFrame ? .rbx : .rax, saved: [], localBytes: localBytes, usesFramePointer: false)
        if needsFrame {
            frame.usesFramePointer = style == 0 && !hasLoop
            frame.saved = style == 1 ? [] : [.rbp]
            if hasLoop { frame.saved.append(.r12) }
            frame.saved.append(.rbx)
        }
        for register in frame.saved {
            assembler.push(register)
            if register == .rbp, frame.usesFramePointer { assembler.move(.rbp, .rsp) }
        }
        if localBytes > 0 { assembler.adjustStack(by: -localBytes) }
        switch next(3) {
        case 0: assembler.move(frame.accumulator, .rdi)
        case 1: assembler.loadAddress(frame.accumulator, .memory(.rdi, 1 + next(100)))
        default:
            assembler.move32(frame.accumulator, .rdi)
            assembler.arithmetic(.xor, frame.accumulator, .rsi)
        }
        if frame.saved.contains(.rbp), !frame.usesFramePointer { assembler.move(.rbp, .rsi) }
    }

    private mutating func endFrame(_ function: BuiltinFunction) {
        switch function.statements.last {
        case .tail(let target):
            restoreFrame(resultInto: .rdi)
            assembler.jump(target)
            endEarlyExits()
        case .staticTail(let key):
            restoreFrame(resultInto: .rdi)
            emitStaticCallSite(key, isTail: true)
            endEarlyExits()
        default:
            if let out = frame.out { assembler.place(out) }
            restoreFrame(resultInto: .rax)
            assembler.return()
        }
        for block in frame.coldBlocks {
            assembler.place(block.entry)
            emitCall(block.callee)
            assembler.jump(block.back)
        }
    }

    /// Behind a tail call, early exits need an end of their own.
    private mutating func endEarlyExits() {
        guard let out = frame.out else { return }
        assembler.place(out)
        restoreFrame(resultInto: .rax)
        assembler.return()
    }

    private mutating func restoreFrame(resultInto result: BuiltinRegister) {
        if frame.accumulator != result { assembler.move(result, frame.accumulator) }
        if frame.usesFramePointer {
            assembler.load(.rbx, .memory(.rbp, -8))
            assembler.emit(0xc9)
            return
        }
        if frame.localBytes > 0 { assembler.adjustStack(by: frame.localBytes) }
        for register in frame.saved.reversed() { assembler.pop(register) }
    }

    // MARK: Calls

    /// Puts arguments into place, as every call form does.
    mutating func emitArguments() {
        switch next(3) {
        case 0: assembler.move(.rdi, frame.accumulator)
        case 1: assembler.loadAddress(.rdi, .memory(frame.accumulator, next(64) * 8))
        default: assembler.move32(.rdi, frame.accumulator)
        }
        if next(2) == 0 { assembler.move32(.rsi, immediate: next(4096)) }
    }

    mutating func emitResult() {
        assembler.arithmetic([.add, .xor, .sub][next(3)], frame.accumulator, .rax)
    }

    mutating func emitCall(_ callee: String) {
        emitArguments()
        assembler.call(callee)
        emitResult()
    }

    // MARK: Sites

    /// Pads in front of a patchable site: every fourth site straddles a 64-byte boundary, the others take turns modulo 16.
    mutating func placeSite(length: Int) {
        siteCount += 1
        if siteCount % 4 == 0 {
            let split = length == 2 ? 1 : 1 + siteCount / 4 % 4
            assembler.padWithNops(to: 64 - split, modulo: 64)
        } else {
            assembler.padWithNops(to: siteCount * 5 % 16, modulo: 16)
        }
    }

    mutating func emitStaticCallSite(_ key: String, isTail: Bool) {
        guard let target = staticCallTargets[key] else { preconditionFailure("no static call key \(key)") }
        placeSite(length: 5)
        staticCallSites.append(
            StaticCallSite(address: assembler.address, key: assembler.address(of: "__SCK__\(key)"), isTail: isTail))
        switch (target, isTail) {
        case ("NULL", false): assembler.emit(.nop5)
        case ("NULL", true): assembler.emit(0xc3, 0xcc, 0xcc, 0xcc, 0xcc)
        // xor %eax,%eax behind three CS prefixes: the kernel's 5-byte "return 0".
        case ("__static_call_return0", false): assembler.emit(0x2e, 0x2e, 0x2e, 0x31, 0xc0)
        case (_, false): assembler.call(target)
        case (_, true): assembler.jump(target)
        }
    }

    /// One jump-label site in its booted state; `target` is where its JMP goes.
    mutating func emitJumpSite(_ key: String, isBranch: Bool, length: Int, target: BuiltinLabel) {
        placeSite(length: length)
        jumpEntries.append(
            PendingJumpEntry(code: assembler.address, target: target, key: key, isBranch: isBranch, length: length))
        let isJump = enabledKeys.contains(key) != isBranch
        switch (isJump, length) {
        case (true, 5): assembler.jump(target)
        case (true, _): assembler.jumpShort(target)
        case (false, 5): assembler.emit(.nop5)
        case (false, _): assembler.emit(.nop2)
        }
    }
}
