import KernelModel
import MachineModel
import Testing

@Suite("Scheduler")
struct SchedulerTests {
    private func task(_ kind: TaskKind, _ state: TaskState) -> KernelModel.Task {
        Task(
            pid: 1, comm: "a name that is too long", kind: kind, state: state,
            context: ExecutionContext(memory: GuestMemory(number: 0, seed: 1), seed: 1))
    }

    @Test("A grace period waits for every task that has not switched voluntarily, and for interrupts on idle CPUs")
    func gracePeriod() {
        var scheduler = Scheduler(tasks: [
            task(.idle, .running(cpu: 0)), task(.patcher, .blocked), task(.guest, .runnable),
        ])
        let number = scheduler.beginGracePeriod()
        #expect(!scheduler.isOver(number), "a preempted task may stand in a trampoline")
        scheduler.noteQuiescent(2)
        #expect(scheduler.isOver(number))
        scheduler[0].isInterrupted = true
        #expect(!scheduler.isOver(number), "an interrupt on an idle CPU may, too")
        scheduler[0].isInterrupted = false
        let next = scheduler.beginGracePeriod()
        scheduler[2].state = .sleeping(until: 5)
        #expect(scheduler.isOver(next), "sleepers left voluntarily")
    }

    @Test("Sleepers wake in time; the patcher goes to the front; names are cut as the kernel cuts them")
    func waking() {
        var scheduler = Scheduler(
            tasks: [task(.idle, .running(cpu: 0)), task(.patcher, .blocked), task(.guest, .sleeping(until: 10))])
        #expect(scheduler.nextWake == 10 && scheduler.wakeSleepers(at: 9) == 0 && !scheduler.hasRunnable)
        #expect(scheduler.wakeSleepers(at: 10) == 1 && scheduler.hasRunnable)
        scheduler.wake(1)
        scheduler.wake(1)
        #expect(scheduler[1].state == .runnable && scheduler[2].comm == "a name that is ")
    }

    @Test("A sync is owed by all CPUs but the sender until each acknowledges")
    func syncs() {
        var interrupts = InterprocessorInterrupts(cpuCount: 3)
        interrupts.requestSync(from: 1)
        #expect(interrupts.outstanding == [0, 2] && interrupts.pending.map(\.sync) == [true, false, true])
        interrupts.acknowledgeSync(0)
        interrupts.acknowledgeSync(2)
        #expect(interrupts.outstanding.isEmpty && interrupts.rounds == 1)
    }
}
