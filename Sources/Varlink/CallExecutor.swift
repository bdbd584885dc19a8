internal import Dispatch

/// Where calls that may wait are answered. Not Swift's own pool, which has a thread for each core and may be taken by simulated CPUs: a
/// client that asks for a pause must be heard.
final class CallExecutor: TaskExecutor {
    static let shared = CallExecutor()

    private let queue = DispatchQueue(label: "io.patchsim.varlink.calls", attributes: .concurrent)

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
