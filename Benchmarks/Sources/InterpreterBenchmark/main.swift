// Measures the interpreter beside Unicorn in one run: InterpreterBenchmark GUEST.bin GUEST.sym LIBUNICORN [ROUNDS]
import Glibc
import MachineModel
import X86

let arguments = CommandLine.arguments
guard arguments.count >= 4 else {
    print("usage: InterpreterBenchmark GUEST.bin GUEST.sym LIBUNICORN [ROUNDS]")
    exit(2)
}

func file(_ path: String) -> [UInt8] {
    guard let stream = fopen(path, "rb") else { fatalError("no file \(path)") }
    defer { fclose(stream) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while case let count = fread(&buffer, 1, buffer.count, stream), count > 0 { bytes += buffer[..<count] }
    return bytes
}

let guest = file(arguments[1])
let symbols = Dictionary(
    String(decoding: file(arguments[2]), as: UTF8.self).split(separator: "\n").compactMap { line -> (String, UInt64)? in
        let words = line.split(separator: " ")
        return words.count == 3 ? (String(words[2]), UInt64(words[0], radix: 16) ?? 0) : nil
    }, uniquingKeysWith: { first, _ in first })
let rounds = arguments.count > 4 ? Int(arguments[4]) ?? 7 : 7
let base: UInt64 = 0x100000
let data: UInt64 = 0x200000
let stackTop: UInt64 = 0x800000
/// Where a guest returns to when it is through; nothing stands there.
let end: UInt64 = 0x900000

final class Text: @unchecked Sendable {
    let memory: UnsafeMutableRawBufferPointer
    init(_ bytes: [UInt8], size: Int) {
        memory = .allocate(byteCount: size, alignment: 4096)
        memory.initializeMemory(as: UInt8.self, repeating: 0xcc)
        memory.copyBytes(from: bytes)
    }
}

func seconds(_ body: () -> Void) -> Double {
    var start = timespec()
    var stop = timespec()
    clock_gettime(CLOCK_MONOTONIC, &start)
    body()
    clock_gettime(CLOCK_MONOTONIC, &stop)
    return Double(stop.tv_sec - start.tv_sec) + Double(stop.tv_nsec - start.tv_nsec) / 1e9
}

func machine(_ text: Text, at address: UInt64) -> ScratchMachine {
    var machine = ScratchMachine(
        mode: .x86_64,
        text: TextSource(address: VirtualAddress(address), bytes: UnsafeRawBufferPointer(text.memory), owner: text))
    do {
        try machine.map(VirtualAddress(data), size: 0x100000, [.write])
        try machine.map(VirtualAddress(stackTop - 0x10000), size: 0x10000, [.write])
    } catch { fatalError("\(error)") }
    return machine
}

func spread(_ values: [Double]) -> String {
    let sorted = values.sorted()
    func text(_ value: Double) -> String { "\((value * 100).rounded() / 100)" }
    return "min \(text(sorted[0]))  median \(text(sorted[sorted.count / 2]))  max \(text(sorted[sorted.count - 1]))"
}

// MARK: The small guest

let text = Text(guest, size: 4096)
let guestRounds: UInt64 = 60_000
var result: UInt64 = 0

/// Runs the guest; returns instructions and seconds.
func runOurs(recording: Bool) -> (Int, Double) {
    var machine = machine(text, at: base)
    machine.cpu.context.registers[RegisterNumber.di] = guestRounds
    machine.cpu.context.rip = symbols["_start"]!
    machine.cpu.context.rsp = stackTop - 8
    _ = machine.load((0..<8).map { UInt8(truncatingIfNeeded: end >> UInt64($0 * 8)) }, at: VirtualAddress(stackTop - 8))
    let record = ExecutionRecord()
    var steps = 0
    let time = seconds { steps = machine.runText(steps: .max, record: recording ? record : nil).steps }
    precondition(machine.cpu.context.rip == end, "the guest is through: \(VirtualAddress(machine.cpu.context.rip))")
    result = machine.cpu.context.registers[RegisterNumber.ax]
    return (steps, time)
}

func runUnicorn(hooked: Bool, rounds: UInt64) -> Double {
    let unicorn = Unicorn(path: arguments[3])
    unicorn.map(base, 4096)
    unicorn.map(data, 0x100000)
    unicorn.map(stackTop - 0x10000, 0x10000)
    unicorn.map(end, 4096)
    unicorn.write(base, guest)
    unicorn.write(stackTop - 8, (0..<8).map { UInt8(truncatingIfNeeded: end >> UInt64($0 * 8)) })
    unicorn[.rdi] = rounds
    unicorn[.rsp] = stackTop - 8
    if hooked { unicorn.hookEveryInstruction() }
    let time = seconds { unicorn.run(from: symbols["_start"]!, until: end) }
    if rounds == guestRounds { precondition(unicorn[.rax] == result, "both machines compute the same") }
    return time
}

var plain: [Double] = []
var recorded: [Double] = []
var speeds: [[Double]] = [[], [], [], []]
for _ in 0..<rounds {
    let (steps, time) = runOurs(recording: false)
    let peer = runUnicorn(hooked: false, rounds: guestRounds)
    let (_, recordedTime) = runOurs(recording: true)
    let hookedPeer = runUnicorn(hooked: true, rounds: guestRounds)
    plain.append(peer / time)
    recorded.append(hookedPeer / recordedTime)
    for (index, value) in [time, peer, recordedTime, hookedPeer].enumerated() {
        speeds[index].append(Double(steps) / value / 1e6)
    }
}
print("small guest, MIPS: plain       \(spread(speeds[0]))   Unicorn        \(spread(speeds[1]))")
print("                   recording   \(spread(speeds[2]))   Unicorn hooked \(spread(speeds[3]))")
print("plain / Unicorn without hooks:        \(spread(plain))   goal 3.3")
print("recording / Unicorn with a code hook: \(spread(recorded))   goal 6.5")

// MARK: A working set as large as a kernel's

let copies = 44_000
let leafBytes = Array(guest[Int(symbols["leaf"]! - base)..<Int(symbols["leaf_end"]! - base)])
let stride = 340
let largeBase: UInt64 = 0x1000_0000
let large = Text([], size: 4096 + copies * stride)
large.memory.copyBytes(from: guest)
for copy in 0..<copies {
    UnsafeMutableRawBufferPointer(rebasing: large.memory[(4096 + copy * stride)...]).copyBytes(from: leafBytes)
}
var wide = machine(large, at: largeBase)
var source = SeededSource(seed: 1)
let calls = 0x100000 / 8
let table = (0..<calls).flatMap { _ -> [UInt8] in
    let address = largeBase + 4096 + UInt64(source.next(below: copies) * stride)
    return (0..<8).map { UInt8(truncatingIfNeeded: address >> UInt64($0 * 8)) }
}
_ = wide.load(table, at: VirtualAddress(data))
var nanoseconds: [Double] = []
for _ in 0..<rounds {
    wide.cpu.context.registers[RegisterNumber.di] = data
    wide.cpu.context.registers[RegisterNumber.si] = UInt64(calls)
    wide.cpu.context.rip = largeBase + (symbols["drive"]! - base)
    wide.cpu.context.rsp = stackTop - 8
    _ = wide.load((0..<8).map { UInt8(truncatingIfNeeded: end >> UInt64($0 * 8)) }, at: VirtualAddress(stackTop - 8))
    var steps = 0
    let time = seconds { steps = wide.runText(steps: .max).steps }
    precondition(wide.cpu.context.rip == end, "the driver is through")
    nanoseconds.append(time * 1e9 / Double(steps))
}
print("44,000 functions, ns an instruction:  \(spread(nanoseconds))   goal 12 (the first round decodes)")
