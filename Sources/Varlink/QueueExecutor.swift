internal import Dispatch

/// Runs an actor on a serial Dispatch queue, so that the actor and its Dispatch sources are one place.
final class QueueExecutor: SerialExecutor {
    let queue: DispatchQueue

    init(label: String) {
        queue = DispatchQueue(label: label)
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }

    func checkIsolated() {
        dispatchPrecondition(condition: .onQueue(queue))
    }
}

/// Where calls are answered. Not Swift's own pool, which has a thread for each core and may be taken by simulated CPUs: a
/// client that asks for a pause must be heard.
final class CallExecutor: TaskExecutor {
    static let shared = CallExecutor()

    private let queue = DispatchQueue(label: "io.patchsim.varlink.calls", attributes: .concurrent)

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
