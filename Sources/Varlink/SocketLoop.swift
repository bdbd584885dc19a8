internal import CPlatform
internal import Glibc
internal import Locking
internal import Synchronization

/// What the loop calls when something can be done on a descriptor. Always on the loop's thread.
protocol LoopClient: AnyObject, Sendable {
    /// `events` are those of epoll_wait.
    func ready(_ events: UInt32)
    /// The turn that was asked for with `again`.
    func goOn()
}

/// The one thread that all sockets are waited for and served on: an epoll loop, and the executor of every connection.
///
/// A Dispatch source for each connection costs two hand-overs between threads for every call, more than the call itself;
/// docs/decisions/0020 has the figures. Whatever may wait runs elsewhere (`CallExecutor`).
final class SocketLoop: SerialExecutor, @unchecked Sendable {
    // Sendable: what is not `let` or guarded is touched on the loop's thread only.
    static let shared = SocketLoop()

    /// Events taken from the kernel at once.
    private static let eventsMax = 128

    private enum Message {
        case job(UnownedJob)
        case body(@Sendable () -> Void)
    }

    private struct Inbox {
        var messages: [Message] = []
        /// The loop has been told to look.
        var isWoken = false
    }

    private struct Watched {
        var client: (any LoopClient)?
        /// Tells events of this descriptor from those of an earlier one with the same number.
        var generation: UInt32 = 0
        var interest: UInt32 = 0
    }

    private let epoll: Int32
    private let wakeup: Int32
    private let inbox = Guarded(Inbox())
    /// The pthread_t of the loop; 0 before it runs.
    private let thread = Atomic<UInt>(0)
    /// By descriptor.
    private var watched: [Watched] = []
    /// Clients that have more to do at once, after the others had their turn.
    private var waiting: [any LoopClient] = []
    /// For whoever reads from a socket.
    let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: readChunkBytes, alignment: 64)

    private init() {
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        wakeup = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        precondition(epoll >= 0 && wakeup >= 0, "the process has descriptors left for its first socket")
        var event = epoll_event()
        event.events = EPOLLIN.rawValue
        event.data.u64 = .max
        epoll_ctl(epoll, EPOLL_CTL_ADD, wakeup, &event)
        var thread = pthread_t()
        let status = pthread_create(
            &thread, nil,
            { loop in
                Unmanaged<SocketLoop>.fromOpaque(loop!).takeUnretainedValue().run()
            }, Unmanaged.passUnretained(self).toOpaque())
        precondition(status == 0, "a thread can be made for the sockets")
        pthread_detach(thread)
    }

    private var isCurrent: Bool {
        thread.load(ordering: .relaxed) == UInt(pthread_self())
    }

    // MARK: Executor

    func enqueue(_ job: consuming ExecutorJob) {
        post(.job(UnownedJob(job)))
    }

    func checkIsolated() {
        precondition(isCurrent, "connections are touched on the loop's thread")
    }

    func isIsolatingCurrentContext() -> Bool? {
        isCurrent
    }

    /// Runs `body` on the loop's thread, later.
    func submit(_ body: @escaping @Sendable () -> Void) {
        post(.body(body))
    }

    private func post(_ message: sending Message) {
        let mustWake = inbox.withLock { inbox in
            inbox.messages.append(message)
            defer { inbox.isWoken = true }
            return !inbox.isWoken
        }
        // On its own thread the loop looks into the inbox before it waits again.
        if mustWake, !isCurrent { eventfd_write(wakeup, 1) }
    }

    // MARK: Watching; on the loop's thread only

    /// Calls `client` when `events` (EPOLLIN, EPOLLOUT; hang-ups always) come on the descriptor. False if the kernel refuses.
    func watch(_ descriptor: Int32, _ events: UInt32, _ client: any LoopClient) -> Bool {
        let index = Int(descriptor)
        while watched.count <= index { watched.append(Watched()) }
        watched[index].generation &+= 1
        guard control(EPOLL_CTL_ADD, descriptor, events) else { return false }
        watched[index].client = client
        watched[index].interest = events
        return true
    }

    /// Waits for other events from now on. Nothing happens where the descriptor is not watched.
    func change(_ descriptor: Int32, _ events: UInt32, of client: any LoopClient) {
        let index = Int(descriptor)
        guard watched.indices.contains(index), watched[index].client === client, watched[index].interest != events
        else { return }
        watched[index].interest = events
        _ = control(EPOLL_CTL_MOD, descriptor, events)
    }

    /// To be called before the descriptor is closed.
    func unwatch(_ descriptor: Int32) {
        let index = Int(descriptor)
        guard watched.indices.contains(index), watched[index].client != nil else { return }
        watched[index].client = nil
        _ = control(EPOLL_CTL_DEL, descriptor, 0)
    }

    private func control(_ operation: Int32, _ descriptor: Int32, _ events: UInt32) -> Bool {
        var event = epoll_event()
        event.events = events
        event.data.u64 = UInt64(watched[Int(descriptor)].generation) << 32 | UInt64(UInt32(bitPattern: descriptor))
        return epoll_ctl(epoll, operation, descriptor, &event) == 0
    }

    /// Gives the client another turn, after all that is ready now.
    func again(_ client: any LoopClient) {
        waiting.append(client)
    }

    // MARK: Running

    private func run() -> Never {
        thread.store(UInt(pthread_self()), ordering: .relaxed)
        let events = UnsafeMutablePointer<epoll_event>.allocate(capacity: Self.eventsMax)
        while true {
            let count = epoll_wait(epoll, events, Int32(Self.eventsMax), isIdle ? -1 : 0)
            for index in 0..<max(Int(count), 0) { dispatch(events[index]) }
            runInbox()
            let turns = waiting
            waiting.removeAll(keepingCapacity: true)
            for client in turns { client.goOn() }
        }
    }

    /// Nothing to do but to wait. What is posted later wakes the loop.
    private var isIdle: Bool {
        waiting.isEmpty
            && inbox.withLock { inbox in
                if inbox.messages.isEmpty { inbox.isWoken = false }
                return inbox.messages.isEmpty
            }
    }

    private func dispatch(_ event: epoll_event) {
        guard event.data.u64 != .max else {
            var value: eventfd_t = 0
            eventfd_read(wakeup, &value)
            return
        }
        let index = Int(UInt32(truncatingIfNeeded: event.data.u64))
        let generation = UInt32(truncatingIfNeeded: event.data.u64 >> 32)
        // The descriptor may have been closed since, on behalf of an event before this one.
        guard watched[index].generation == generation, let client = watched[index].client else { return }
        client.ready(event.events)
    }

    /// What was posted up to now; what that posts comes in the next round, after the sockets.
    private func runInbox() {
        let messages = inbox.withLock { inbox in
            let taken = inbox.messages
            inbox.messages = []
            return taken
        }
        for message in messages {
            switch message {
            case .job(let job): job.runSynchronously(on: asUnownedSerialExecutor())
            case .body(let body): body()
            }
        }
    }
}
