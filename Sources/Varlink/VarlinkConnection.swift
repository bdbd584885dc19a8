internal import CPlatform
internal import Dispatch
internal import FoundationEssentials
internal import Glibc

/// What a connection asks of the server that holds it.
protocol ConnectionOwner: AnyObject, Sendable {
    var limits: VarlinkLimits { get }
    var errors: LimitErrors { get }
    /// Finds and runs the method of a call. Never throws: what goes wrong is in the outcome.
    func answer(_ frame: Data, on connection: VarlinkConnection) async -> CallOutcome
    func connectionClosed(_ connection: VarlinkConnection)
}

/// How a call ended.
enum CallOutcome: Sendable {
    case reply([UInt8])
    /// The call was oneway, or the connection is gone.
    case silent
    /// An error after which nothing that follows on the connection can be trusted.
    case fatal(VarlinkError)
}

/// One client. Calls are answered one after the other, in order.
actor VarlinkConnection {
    nonisolated let peer: VarlinkPeer
    private nonisolated let executor: QueueExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let descriptor: Int32
    private let limits: VarlinkLimits
    private weak var owner: (any ConnectionOwner)?

    private var readSource: (any DispatchSourceRead)?
    private var writeSource: (any DispatchSourceWrite)?
    private var isReading = false
    private var isWriting = false

    private var input = FrameBuffer()
    private var inputEnded = false
    private var pending: [Data] = []
    private var current: Task<Void, Never>?
    private var output: [UInt8] = []
    private var outputHead = 0
    /// A stream that waits until the peer has read.
    private var drainWaiter: CheckedContinuation<Void, any Error>?
    private var isWatchingHangup = false

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
        executor = QueueExecutor(label: "io.patchsim.varlink.\(peer.connection)")
    }

    /// Begins to read. `refusal` is sent instead of an answer to anything.
    nonisolated func start(refusal: VarlinkError? = nil) {
        executor.queue.async {
            self.assumeIsolated { connection in
                connection.makeSources()
                if let refusal { connection.fail(refusal) }
            }
        }
    }

    /// Closes at once; what runs is cancelled.
    nonisolated func stop() {
        executor.queue.async { self.assumeIsolated { $0.close() } }
    }

    // Reading

    private func makeSources() {
        let read = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: executor.queue)
        let write = DispatchSource.makeWriteSource(fileDescriptor: descriptor, queue: executor.queue)
        // The descriptor may be closed only when neither source can touch it any more.
        let descriptor = descriptor
        let group = DispatchGroup()
        group.enter()
        group.enter()
        onEvent(of: read, write, group)
        group.notify(queue: executor.queue) { _ = Glibc.close(descriptor) }
        (readSource, writeSource) = (read, write)
        read.resume()
        isReading = true
    }

    /// Not isolated, so that the closures are plain ones for Dispatch; each says where it runs.
    private nonisolated func onEvent(
        of read: any DispatchSourceRead, _ write: any DispatchSourceWrite, _ group: DispatchGroup
    ) {
        read.setEventHandler { self.assumeIsolated { $0.readable() } }
        write.setEventHandler { self.assumeIsolated { $0.writable() } }
        read.setCancelHandler { group.leave() }
        write.setCancelHandler { group.leave() }
    }

    private func readable() {
        guard phase != .closed else { return }
        let count = withUnsafeTemporaryAllocation(byteCount: readChunkBytes, alignment: 16) { buffer in
            let count = Glibc.read(descriptor, buffer.baseAddress!, buffer.count)
            if count > 0, phase == .open { input.append(UnsafeRawBufferPointer(rebasing: buffer[..<count])) }
            return count
        }
        if count < 0 {
            if errno != EAGAIN && errno != EINTR { close() }
        } else if count == 0 {
            endOfInput()
        } else if phase == .open {
            takeFrames()
        }
    }

    private func endOfInput() {
        inputEnded = true
        setReading(false)
        if phase == .lingering || isHungUp() { return close() }
        // The peer has only finished sending: what it asked is answered first.
        closeIfFinished()
        if phase == .open { watchForHangup() }
    }

    /// Cuts what has come into calls; stops reading while too many wait.
    private func takeFrames() {
        while phase == .open, pending.count < limits.pipelinedCallsMax {
            switch input.next(bytesMax: limits.callBytesMax) {
            case .frame(let frame):
                pending.append(Data(frame))
                startNext()
            case .incomplete:
                if !inputEnded { setReading(true) }
                return
            case .tooLarge:
                guard let owner else { return close() }
                return failInOrder(owner.errors.callTooLarge(limits.callBytesMax))
            }
        }
        setReading(false)
        watchForHangup()
    }

    /// Fails once the calls before it are answered.
    private func failInOrder(_ error: VarlinkError) {
        setReading(false)
        guard current != nil else { return fail(error) }
        deferredFailure = error
    }

    private var deferredFailure: VarlinkError?

    // Answering

    private func startNext() {
        guard phase == .open, current == nil, !pending.isEmpty, let owner else { return }
        let frame = pending.removeFirst()
        // Not in this actor's context: only the end of the call is its business.
        current = Task.detached(executorPreference: CallExecutor.shared) {
            let outcome = await owner.answer(frame, on: self)
            await self.finished(outcome)
        }
    }

    private func finished(_ outcome: CallOutcome) {
        current = nil
        guard phase == .open else { return }
        switch outcome {
        case .reply(let bytes): enqueue(bytes)
        case .silent: break
        case .fatal(let error): return fail(error)
        }
        startNext()
        if current == nil, let error = deferredFailure { return fail(error) }
        if deferredFailure == nil { takeFrames() }
        closeIfFinished()
    }

    /// Sends a reply of a stream. Returns when there is room for the next.
    func send(_ bytes: [UInt8]) async throws {
        guard phase == .open else { throw CancellationError() }
        enqueue(bytes)
        guard unsent > limits.outputBytesMax else { return }
        try await withCheckedThrowingContinuation { drainWaiter = $0 }
    }

    /// Sends an error and ends the connection, but not before the peer had time to read it.
    private func fail(_ error: VarlinkError) {
        guard phase == .open else { return }
        current?.cancel()
        enqueue(Array(error.frame))
        guard phase == .open else { return }
        phase = .lingering
        pending = []
        input = FrameBuffer()
        drainWaiter?.resume(throwing: CancellationError())
        drainWaiter = nil
        if inputEnded { return close() }
        setReading(true)
        if unsent == 0 { shutdown(descriptor, Int32(SHUT_WR)) }
        after(limits.lingerMilliseconds) { $0.close() }
    }

    // Writing

    private var unsent: Int { output.count - outputHead }

    private func enqueue(_ bytes: [UInt8]) {
        guard phase == .open else { return }
        output.append(contentsOf: bytes)
        output.append(0)
        if !isWriting { flush() }
    }

    private func writable() {
        guard phase != .closed else { return }
        flush()
    }

    private func flush() {
        while unsent > 0 {
            let count = output.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress! + outputHead, unsent, Int32(MSG_NOSIGNAL))
            }
            if count < 0 {
                if errno == EINTR { continue }
                if errno == EAGAIN { return setWriting(true) }
                return close()
            }
            outputHead += count
        }
        output.removeAll(keepingCapacity: output.capacity <= 4 * readChunkBytes)
        outputHead = 0
        setWriting(false)
        drainWaiter?.resume()
        drainWaiter = nil
        if phase == .lingering { shutdown(descriptor, Int32(SHUT_WR)) }
        closeIfFinished()
    }

    // Ending

    private func closeIfFinished() {
        if phase == .open, inputEnded, current == nil, pending.isEmpty, unsent == 0 { close() }
    }

    private func close() {
        guard phase != .closed else { return }
        phase = .closed
        current?.cancel()
        pending = []
        output = []
        outputHead = 0
        drainWaiter?.resume(throwing: CancellationError())
        drainWaiter = nil
        // A suspended source must not be released.
        setReading(true)
        setWriting(true)
        readSource?.cancel()
        writeSource?.cancel()
        (readSource, writeSource) = (nil, nil)
        owner?.connectionClosed(self)
    }

    private func setReading(_ wanted: Bool) {
        guard wanted != isReading, let readSource else { return }
        isReading = wanted
        wanted ? readSource.resume() : readSource.suspend()
    }

    private func setWriting(_ wanted: Bool) {
        guard wanted != isWriting, let writeSource else { return }
        isWriting = wanted
        wanted ? writeSource.resume() : writeSource.suspend()
    }

    /// While nothing is read, nobody would notice that the peer has gone.
    private func watchForHangup() {
        guard !isWatchingHangup, phase == .open else { return }
        isWatchingHangup = true
        after(limits.hangupCheckMilliseconds) { connection in
            connection.isWatchingHangup = false
            if connection.isHungUp() { return connection.close() }
            if !connection.isReading { connection.watchForHangup() }
        }
    }

    private func isHungUp() -> Bool {
        var poll = pollfd(fd: descriptor, events: 0, revents: 0)
        return Glibc.poll(&poll, 1, 0) == 1 && poll.revents & Int16(POLLHUP | POLLERR) != 0
    }

    private nonisolated func after(
        _ milliseconds: Int, _ body: @escaping @Sendable (isolated VarlinkConnection) -> Void
    ) {
        executor.queue.asyncAfter(deadline: .now() + .milliseconds(milliseconds)) { [weak self] in
            guard let self else { return }
            self.assumeIsolated { connection in
                guard connection.phase != .closed else { return }
                body(connection)
            }
        }
    }
}
