import X86

/// The shapes of instructions that the loop executes itself; everything else goes through `CPUState.step`, whose results
/// they must share. Numbers are operand sizes in bytes; R is a register, M memory, I an immediate.
enum Shortcut: UInt8, CaseIterable {
    case none, link
    case nop
    case moveRR8, moveRR4, moveRI8, moveRI4, moveRM8, moveRM4, moveMR8, moveMR4, moveMR2, moveMR1, moveMI8, moveMI4,
        moveMI1
    case zeroExtendR1, zeroExtendR2, zeroExtendM1, zeroExtendM2, signExtendR4, signExtendM4, signExtendR1, signExtendM1
    case lea8, lea4
    case addRR8, addRR4, addRI8, addRI4, addRM8, addRM4, addMR8, addMI8, addMI4
    case subRR8, subRR4, subRI8, subRI4, subRM8, subRM4
    case cmpRR8, cmpRR4, cmpRI8, cmpRI4, cmpRM8, cmpRM4, cmpMR8, cmpMR4, cmpMI8, cmpMI4, cmpMI1, cmpRI1, cmpRR1
    case testRR8, testRR4, testRI8, testRI4, testRR1, testRI1, testMI1, testMI4
    case andRR8, andRR4, andRI8, andRI4, andRM8
    case orRR8, orRR4, orRI8, orRI4, orRM8
    case xorRR8, xorRR4, xorRI8, xorRI4, xorRM8, xorRM4
    case incR8, incR4, decR8, decR4, negR8, negR4, notR8, notR4
    case shlRI8, shlRI4, shrRI8, shrRI4, sarRI8, sarRI4, rolRI8, rolRI4, shlRC8, shrRC8
    case imulRR8, imulRR4, imulRI8, imulRI4
    case moveIfRR8, moveIfRR4, setR
    case extendAccumulator8
    case pushR, pushI, popR, call, ret, jump, leave
    case jumpO, jumpNO, jumpB, jumpAE, jumpE, jumpNE, jumpBE, jumpA
    case jumpS, jumpNS, jumpP, jumpNP, jumpL, jumpGE, jumpLE, jumpG

    /// The shortcut of a record, which holds raw values of this type alone.
    @inline(__always)
    static func tag(_ i: UnsafePointer<Instruction>) -> Shortcut {
        unsafeBitCast(i.pointee.shortcut, to: Shortcut.self)
    }

    /// The shortcut for an instruction, `.none` where there is none.
    static func of(_ i: Instruction, _ mode: ProcessorMode) -> Shortcut {
        // The loop knows 64-bit stacks and addresses.
        guard mode == .x86_64, i.length > 0, !i.isRepeated else { return .none }
        let usesMemory = i.destinationKind == .memory || i.sourceKind == .memory
        if usesMemory, i.addressSize != 8 || i.operation == .move && i.hasThirdOperand { return .none }
        switch i.operation {
        case .noOperation: return .nop
        case .move: return move(i)
        case .moveZeroExtend, .moveSignExtend: return extend(i)
        case .loadEffectiveAddress:
            if i.addressSize != 8 { return .none }
            return i.size == 8 ? .lea8 : i.size == 4 ? .lea4 : .none
        case .add:
            return pick(i, [.addRR8, .addRR4, .addRI8, .addRI4, .addRM8, .addRM4, .addMR8, .none, .addMI8, .addMI4])
        case .subtract: return pick(i, [.subRR8, .subRR4, .subRI8, .subRI4, .subRM8, .subRM4])
        case .and: return pick(i, [.andRR8, .andRR4, .andRI8, .andRI4, .andRM8])
        case .or: return pick(i, [.orRR8, .orRR4, .orRI8, .orRI4, .orRM8])
        case .exclusiveOr: return pick(i, [.xorRR8, .xorRR4, .xorRI8, .xorRI4, .xorRM8, .xorRM4])
        case .compare:
            if i.size == 1 { return byte(i, .cmpRR1, .cmpRI1, .cmpMI1) }
            return pick(
                i, [.cmpRR8, .cmpRR4, .cmpRI8, .cmpRI4, .cmpRM8, .cmpRM4, .cmpMR8, .cmpMR4, .cmpMI8, .cmpMI4])
        case .test:
            if i.size == 1 { return byte(i, .testRR1, .testRI1, .testMI1) }
            return pick(i, [.testRR8, .testRR4, .testRI8, .testRI4, .none, .none, .none, .none, .none, .testMI4])
        default: return others(i)
        }
    }

    private static func others(_ i: Instruction) -> Shortcut {
        switch i.operation {
        case .increment: return register(i, .incR8, .incR4)
        case .decrement: return register(i, .decR8, .decR4)
        case .negate: return register(i, .negR8, .negR4)
        case .not: return register(i, .notR8, .notR4)
        case .shiftLeft: return shift(i, .shlRI8, .shlRI4, .shlRC8)
        case .shiftRight: return shift(i, .shrRI8, .shrRI4, .shrRC8)
        case .shiftArithmeticRight: return shift(i, .sarRI8, .sarRI4, .none)
        case .rotateLeft: return shift(i, .rolRI8, .rolRI4, .none)
        case .signedMultiply where i.sourceKind == .register:
            if i.hasThirdOperand { return i.size == 8 ? .imulRI8 : i.size == 4 ? .imulRI4 : .none }
            return i.size == 8 ? .imulRR8 : i.size == 4 ? .imulRR4 : .none
        case .moveCondition where i.sourceKind == .register:
            return i.size == 8 ? .moveIfRR8 : i.size == 4 ? .moveIfRR4 : .none
        case .setCondition where i.destinationKind == .register && i.destination < Instruction.highByteBase:
            return .setR
        case .signExtendAccumulator where i.size == 8: return .extendAccumulator8
        case .push where i.size == 8 && i.destinationKind == .register: return .pushR
        case .push where i.size == 8 && i.destinationKind == .immediate: return .pushI
        case .pop where i.size == 8 && i.destinationKind == .register && i.destination != 4: return .popR
        case .call where i.size == 8: return .call
        case .jump where i.size == 8: return .jump
        case .ret where i.size == 8 && i.destinationKind == .none: return .ret
        case .leave where i.size == 8: return .leave
        case .jumpCondition where i.size == 8:
            return Shortcut(rawValue: jumpO.rawValue + (i.condition & 15)) ?? .none
        default: return .none
        }
    }

    /// By operand kinds and size: RR8, RR4, RI8, RI4, RM8, RM4, MR8, MR4, MI8, MI4.
    private static func pick(_ i: Instruction, _ shapes: [Shortcut]) -> Shortcut {
        guard i.size == 8 || i.size == 4 else { return .none }
        var place = i.size == 8 ? 0 : 1
        switch (i.destinationKind, i.sourceKind) {
        case (.register, .register): place += 0
        case (.register, .immediate): place += 2
        case (.register, .memory): place += 4
        case (.memory, .register): place += 6
        case (.memory, .immediate): place += 8
        default: return .none
        }
        return place < shapes.count ? shapes[place] : .none
    }

    private static func isLowByte(_ number: UInt8) -> Bool { number < Instruction.highByteBase }

    private static func byte(_ i: Instruction, _ rr: Shortcut, _ ri: Shortcut, _ mi: Shortcut) -> Shortcut {
        switch (i.destinationKind, i.sourceKind) {
        case (.register, .register) where isLowByte(i.destination) && isLowByte(i.source): rr
        case (.register, .immediate) where isLowByte(i.destination): ri
        case (.memory, .immediate): mi
        default: .none
        }
    }

    private static func move(_ i: Instruction) -> Shortcut {
        if i.size == 8 || i.size == 4 {
            return pick(
                i, [.moveRR8, .moveRR4, .moveRI8, .moveRI4, .moveRM8, .moveRM4, .moveMR8, .moveMR4, .moveMI8, .moveMI4])
        }
        switch (i.destinationKind, i.sourceKind, i.size) {
        case (.memory, .register, 2): return .moveMR2
        case (.memory, .register, 1) where isLowByte(i.source): return .moveMR1
        case (.memory, .immediate, 1): return .moveMI1
        default: return .none
        }
    }

    private static func extend(_ i: Instruction) -> Shortcut {
        guard i.size >= 4 else { return .none }
        let isSigned = i.operation == .moveSignExtend
        switch (i.sourceKind, i.sourceSize) {
        case (.register, 1) where isLowByte(i.source):
            return isSigned ? (i.size == 8 ? .signExtendR1 : .none) : .zeroExtendR1
        case (.memory, 1): return isSigned ? (i.size == 8 ? .signExtendM1 : .none) : .zeroExtendM1
        case (.register, 2) where !isSigned: return .zeroExtendR2
        case (.memory, 2) where !isSigned: return .zeroExtendM2
        case (.register, 4) where isSigned && i.size == 8: return .signExtendR4
        case (.memory, 4) where isSigned && i.size == 8: return .signExtendM4
        default: return .none
        }
    }

    private static func register(_ i: Instruction, _ eight: Shortcut, _ four: Shortcut) -> Shortcut {
        guard i.destinationKind == .register else { return .none }
        return i.size == 8 ? eight : i.size == 4 ? four : .none
    }

    private static func shift(_ i: Instruction, _ eight: Shortcut, _ four: Shortcut, _ byCL: Shortcut) -> Shortcut {
        guard i.destinationKind == .register else { return .none }
        if i.sourceKind == .register { return i.size == 8 ? byCL : .none }
        let count = i.immediate & (i.size == 8 ? 0x3f : 0x1f)
        return count == 0 ? .none : register(i, eight, four)
    }
}
