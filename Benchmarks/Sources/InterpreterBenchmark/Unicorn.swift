import Glibc

/// The peer: Unicorn's library as PyPI ships it, loaded at run time.
final class Unicorn {
    typealias Engine = OpaquePointer
    private typealias Open = @convention(c) (Int32, Int32, UnsafeMutablePointer<Engine?>) -> Int32
    private typealias Map = @convention(c) (Engine, UInt64, Int, UInt32) -> Int32
    private typealias Write = @convention(c) (Engine, UInt64, UnsafeRawPointer, UInt64) -> Int32
    private typealias Register = @convention(c) (Engine, Int32, UnsafeMutableRawPointer) -> Int32
    private typealias Start = @convention(c) (Engine, UInt64, UInt64, UInt64, Int) -> Int32
    private typealias Hook = @convention(c) (
        Engine, UnsafeMutablePointer<Int>, Int32, UnsafeMutableRawPointer?, UnsafeMutableRawPointer?, UInt64, UInt64
    ) -> Int32

    private let library: UnsafeMutableRawPointer
    private let engine: Engine

    private func function<T>(_ name: String, _ type: T.Type) -> T {
        guard let symbol = dlsym(library, name) else { fatalError("libunicorn has no \(name)") }
        return unsafeBitCast(symbol, to: type)
    }

    init(path: String) {
        guard let handle = dlopen(path, RTLD_NOW) else { fatalError(String(cString: dlerror())) }
        library = handle
        var engine: Engine?
        let open = unsafeBitCast(dlsym(handle, "uc_open"), to: Open.self)
        // UC_ARCH_X86, UC_MODE_64.
        guard open(4, 8, &engine) == 0, let engine else { fatalError("uc_open") }
        self.engine = engine
    }

    func map(_ address: UInt64, _ size: Int) {
        precondition(function("uc_mem_map", Map.self)(engine, address, size, 7) == 0, "uc_mem_map")
    }

    func write(_ address: UInt64, _ bytes: [UInt8]) {
        precondition(function("uc_mem_write", Write.self)(engine, address, bytes, UInt64(bytes.count)) == 0, "uc_mem_write")
    }

    enum Name: Int32 { case rax = 35, rdi = 39, rsi = 43, rsp = 44 }

    subscript(name: Name) -> UInt64 {
        get {
            var value: UInt64 = 0
            _ = function("uc_reg_read", Register.self)(engine, name.rawValue, &value)
            return value
        }
        set {
            var value = newValue
            _ = function("uc_reg_write", Register.self)(engine, name.rawValue, &value)
        }
    }

    func run(from start: UInt64, until end: UInt64) {
        let status = function("uc_emu_start", Start.self)(engine, start, end, 0, 0)
        precondition(status == 0, "uc_emu_start: \(status)")
    }

    /// An empty hook for every instruction.
    func hookEveryInstruction() {
        let empty: @convention(c) (Engine?, UInt64, UInt32, UnsafeMutableRawPointer?) -> Void = { _, _, _, _ in }
        var hook = 0
        let status = function("uc_hook_add", Hook.self)(
            engine, &hook, 4, unsafeBitCast(empty, to: UnsafeMutableRawPointer.self), nil, 1, 0)
        precondition(status == 0, "uc_hook_add")
    }
}
