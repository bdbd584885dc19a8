internal import CPlatform
internal import Dispatch
internal import Glibc

/// What a connection asks of the server that holds it.
protocol ConnectionOwner: AnyObject, Sendable {
    var limits: VarlinkLimits { get }
    var errors: LimitErrors { get }
    /// Begins to answer a call. What can be said at once is written into `output`, with its NUL.
    func begin(_ frame: ArraySlice<UInt8>, of peer: VarlinkPeer, _ output: inout OutputBuffer) -> CallBeginning
    /// Runs the method of a call. Never throws: what goes wrong is in the reply, which is nil for a oneway call.
    func answer(_ call: WaitingCall, on connection: VarlinkConnection) async -> [UInt8]?
    func connectionClosed(_ connection: VarlinkConnection)
}

/// How a call began.
enum CallBeginning: Sendable {
    /// It is answered, or wants no answer.
    case answered
    /// Its handler may wait.
    case waits(WaitingCall)
    /// An error after which nothing that follows on the connection can be trusted.
    case fatal(VarlinkError)
}

/// One client. Calls are answered one after the other, in order.
///
/// While a call waits for its handler, or too much is unsent, nothing is read: what the peer sends stays in the kernel's
/// buffer, whose bound is the peer's own.
actor VarlinkConnection {
    nonisolated let peer: VarlinkPeer
    private nonisolated let loop = SocketLoop.shared
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private let descriptor: Int32
    private let limits: VarlinkLimits
    private weak var owner: (any ConnectionOwner)?

    private var input = FrameBuffer()
    private var inputEnded = false
    /// Frames may be left in `input`, and the loop will give another turn for them.
    private var isQueued = false
    private var current: Task<Void, Never>?
    private var output = OutputBuffer()
    /// The kernel's buffer is full.
    private var isOutputBlocked = false
    /// A stream that waits until the peer has read.
    private var drainWaiter: CheckedContinuation<Void, any Error>?

    private enum Phase {
        case open
        /// An error was sent: what still comes is read and thrown away.
        case lingering
        case closed
    }
    private var phase = Phase.open

    init(descriptor: Int32, peer: VarlinkPeer, owner: any ConnectionOwner) {
        self.descriptor = descriptor
        self.peer = peer
        self.owner = owner
        limits = owner.limits
    }

    /// Begins to read. `refusal` is sent instead of an answer to anything.
    nonisolated func start(refusal: VarlinkError? = nil) {
        loop.submit { self.assumeIsolated { $0.begin(refusal) } }
    }

    /// Closes at once; what runs is cancelled.
    nonisolated func stop() {
        loop.submit { self.assumeIsolated { $0.close() } }
    }

    private func begin(_ refusal: VarlinkError?) {
        // Stopped before it was started.
        guard phase != .closed else { return }
        guard loop.watch(descriptor, EPOLLIN.rawValue, self) else { return close() }
        if let refusal { fail(refusal) }
    }

    // Reading

    fileprivate func handle(_ events: UInt32) {
        guard phase != .closed else { return }
        if events & EPOLLOUT.rawValue != 0 {
            isOutputBlocked = false
            flush()
            takeFrames()
        }
        // While nothing is read, a hang-up is all that comes.
        if events & EPOLLIN.rawValue != 0, wantsInput || phase == .lingering {
            receive()
        } else if events & (EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0 {
            close()
        }
    }

    private func receive() {
        guard phase != .closed else { return }
        let count = Glibc.read(descriptor, loop.scratch.baseAddress!, loop.scratch.count)
        if count < 0 {
            if errno != EAGAIN && errno != EINTR { close() }
        } else if count == 0 {
            endOfInput()
        } else if phase == .open {
            input.append(UnsafeRawBufferPointer(rebasing: loop.scratch[..<count]))
            takeFrames()
        }
    }

    private func endOfInput() {
        inputEnded = true
        if phase == .lingering || isHungUp() { return close() }
        // The peer has only finished sending: what it asked is answered first.
        closeIfFinished()
        updateInterest()
    }

    private func isHungUp() -> Bool {
        var poll = pollfd(fd: descriptor, events: 0, revents: 0)
        return Glibc.poll(&poll, 1, 0) == 1 && poll.revents & Int16(POLLHUP | POLLERR) != 0
    }

    /// Whether the next call can be begun.
    private var isFree: Bool {
        phase == .open && current == nil && output.count <= limits.outputBytesMax
    }

    private var wantsInput: Bool {
        isFree && !inputEnded && !isQueued
    }

    /// Cuts what has come into calls and begins them, until one has to wait; the replies of all go in one write. After
    /// `pipelinedCallsMax` of them others have their turn.
    private func takeFrames() {
        guard let owner else { return close() }
        var left = limits.pipelinedCallsMax
        var failure: VarlinkError?
        taking: while isFree, !isQueued {
            guard left > 0 else {
                isQueued = true
                loop.again(self)
                break
            }
            left -= 1
            switch input.next(bytesMax: limits.callBytesMax) {
            case .incomplete: break taking
            case .tooLarge:
                failure = owner.errors.callTooLarge(limits.callBytesMax)
                break taking
            case .frame(let frame):
                switch owner.begin(frame, of: peer, &output) {
                case .answered: break
                case .waits(let call): run(call, owner)
                case .fatal(let error):
                    failure = error
                    break taking
                }
            }
        }
        if let failure { return fail(failure) }
        if output.count > 0 { flush() }
        closeIfFinished()
        updateInterest()
    }

    fileprivate func takeTurn() {
        isQueued = false
        takeFrames()
    }

    // Answering

    private func run(_ call: WaitingCall, _ owner: any ConnectionOwner) {
        // Not in this actor's context: only the end of the call is its business.
        current = Task.detached(executorPreference: CallExecutor.shared) {
            let reply = await owner.answer(call, on: self)
            await self.finished(reply)
        }
    }

    private func finished(_ reply: [UInt8]?) {
        current = nil
        guard phase == .open else { return }
        if let reply { enqueue(reply) }
        takeFrames()
    }

    /// Sends a reply of a stream. Returns when there is room for the next.
    func send(_ bytes: [UInt8]) async throws {
        guard phase == .open else { throw CancellationError() }
        enqueue(bytes)
        flush()
        guard output.count > limits.outputBytesMax else { return }
        try await withCheckedThrowingContinuation { drainWaiter = $0 }
    }

    /// Sends an error and ends the connection, but not before the peer had time to read it.
    private func fail(_ error: VarlinkError) {
        guard phase == .open else { return }
        current?.cancel()
        enqueue(Array(error.frame))
        phase = .lingering
        input = FrameBuffer()
        stopWaitingForDrain()
        flush()
        if inputEnded { return close() }
        updateInterest()
        after(limits.lingerMilliseconds) { $0.close() }
    }

    // Writing

    private func enqueue(_ bytes: [UInt8]) {
        output.append(bytes)
        output.append(0)
    }

    private func flush() {
        guard phase != .closed, !isOutputBlocked else { return }
        while output.count > 0 {
            let unsent = output.unsent
            let count = Glibc.send(descriptor, unsent.baseAddress!, unsent.count, Int32(MSG_NOSIGNAL))
            if count < 0 {
                if errno == EINTR { continue }
                guard errno == EAGAIN else { return close() }
                isOutputBlocked = true
                return updateInterest()
            }
            output.consume(count)
        }
        drainWaiter?.resume()
        drainWaiter = nil
        if phase == .lingering { shutdown(descriptor, Int32(SHUT_WR)) }
        closeIfFinished()
        updateInterest()
    }

    private func updateInterest() {
        guard phase != .closed else { return }
        // A connection that has a turn to come goes on being watched: taking it out and in again costs two system calls.
        let reads = phase == .lingering ? !inputEnded : isFree && !inputEnded
        loop.change(
            descriptor, (reads ? EPOLLIN.rawValue : 0) | (isOutputBlocked ? EPOLLOUT.rawValue : 0), of: self)
    }

    // Ending

    private func stopWaitingForDrain() {
        drainWaiter?.resume(throwing: CancellationError())
        drainWaiter = nil
    }

    private func closeIfFinished() {
        if phase == .open, inputEnded, current == nil, !isQueued, output.count == 0 { close() }
    }

    private func close() {
        guard phase != .closed else { return }
        phase = .closed
        current?.cancel()
        input = FrameBuffer()
        output.removeAll()
        stopWaitingForDrain()
        loop.unwatch(descriptor)
        Glibc.close(descriptor)
        owner?.connectionClosed(self)
    }

    private nonisolated func after(
        _ milliseconds: Int, _ body: @escaping @Sendable (isolated VarlinkConnection) -> Void
    ) {
        DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(milliseconds)) { [weak self] in
            guard let self else { return }
            self.loop.submit {
                self.assumeIsolated { connection in
                    guard connection.phase != .closed else { return }
                    body(connection)
                }
            }
        }
    }
}

extension VarlinkConnection: LoopClient {
    nonisolated func ready(_ events: UInt32) {
        assumeIsolated { $0.handle(events) }
    }

    nonisolated func goOn() {
        assumeIsolated { $0.takeTurn() }
    }
}
