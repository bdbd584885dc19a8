// Written by Tests/embed.sh from docs/varlink/io.patchsim.Machine.varlink; edit that.

extension EmbeddedTexts {
    static let describedMachine = #"""
        # The simulated machine: its state, its CPUs and tasks, and its control.
        interface io.patchsim.Machine

        # live: each simulated CPU runs on its own queue. deterministic: one thread, fixed by the seed, can step back.
        type Driver (live, deterministic)

        # stopped_by_violation: an invariant was violated; the machine can be inspected but runs no further.
        type RunState (running, paused, stopped_by_violation)

        # How much of what was executed is exact.
        type Exactness (
          # Share of retired instructions that have exact semantics, 0 to 1.
          exactSemantics: float,
          # Share of retired instructions none of whose inputs are havoc'd, 0 to 1.
          knownInputs: float
        )

        type State (
          # "builtin", or the path of the kernel image.
          kernel: string,
          # The kernel's linux_banner.
          banner: string,
          # "x86_64" or "i386".
          mode: string,
          driver: Driver,
          run: RunState,
          cpuCount: int,
          taskCount: int,
          seed: int,
          # Instruction fetch model: coherent, line, chunk16, chunk8, byte or unordered.
          fetchModel: string,
          # Steps of the patching protocol that were left out on purpose.
          ablated: []string,
          # Simulated time since boot.
          nanoseconds: int,
          # Instructions retired by all CPUs.
          retired: int,
          exactness: Exactness,
          # Locations rewritten by text patching.
          pokes: int,
          # Batches in which they were rewritten.
          batches: int,
          # Synchronizations of all CPUs.
          syncs: int,
          # INT3 traps that CPUs took on locations being rewritten.
          trapsTaken: int,
          # Of these, the ones whose instruction was emulated.
          trapsEmulated: int,
          # Distinct locations on which a trap was taken.
          trapSites: int,
          # The current tracer: "nop" or "function".
          tracer: string,
          # Call sites that are enabled now.
          enabledSites: int,
          # Sequence number of the newest event.
          eventSequence: int,
          # Violations of invariants found so far.
          violations: int
        )

        # What a CPU is running in.
        type Context (task, irq, nmi, int3)

        type CPU (
          index: int,
          # "running", "idle", "waiting" or "stopped".
          state: string,
          # Current task; absent when idle.
          pid: ?int,
          comm: ?string,
          # Instruction pointer, "0x..." in hexadecimal.
          ip: string,
          # The same as symbol+0xoffset/0xsize.
          symbol: string,
          context: Context,
          interruptsEnabled: bool,
          retired: int,
          # INT3 traps that this CPU took.
          traps: int
        )

        # Unwinds of a task to its top, by the havoc rule that forced them.
        type Unwinds (
          # Rule 3: stack pointer, interrupt flag or segment from an unknown value.
          state: int,
          # Rule 5: a budget ended.
          budget: int,
          # Rule 6: ud2, a fault or a trap that the simulated kernel does not handle.
          fault: int
        )

        type Task (
          pid: int,
          comm: string,
          # "running", "runnable", "sleeping" or "blocked".
          state: string,
          # CPU on which it runs or ran last.
          cpu: ?int,
          # Entry function of its current loop.
          function: string,
          # Runs of an entry function that were completed.
          loops: int,
          unwinds: Unwinds
        )

        # One executed instruction.
        type StepRecord (
          cpu: int,
          address: string,
          symbol: string,
          # The bytes as this CPU fetched them, two hexadecimal digits each, without separators.
          bytes: string,
          # Disassembly.
          text: string,
          context: Context,
          nanoseconds: int
        )

        # The state at the time of the call. While a CPU is in the middle of a step that others can't see into, it is the one before
        # that step; the members always belong to one moment.
        method GetState() -> (state: State)

        method ListCPUs() -> (cpus: []CPU)

        method ListTasks() -> (tasks: []Task)

        # Stops all CPUs at an instruction boundary. Pausing a paused machine is no error.
        method Pause() -> (state: State)

        # Lets all CPUs run. Resuming a running machine is no error.
        method Resume() -> (state: State)

        # Executes instructions while the machine is paused.
        method Step(
          # The CPU to step; without it the driver chooses.
          cpu: ?int,
          # Number of instructions, 1 to 100000; 1 if absent.
          count: ?int,
          # Step back instead, by replay. Needs the deterministic driver.
          back: ?bool
        ) -> (
          # What was executed, oldest first; at most the last 256 steps. Empty when stepping back.
          steps: []StepRecord,
          state: State
        )

        # There is no such CPU.
        error NoSuchCPU (
          cpu: int,
          cpuCount: int
        )

        # The machine runs; pause it first.
        error NotPaused ()

        # An invariant was violated, so the machine runs no further.
        error StoppedByViolation (
          # The line for io.patchsim.Invariants.Replay.
          replay: string
        )

        # The driver cannot do this.
        error NotSupportedByDriver (
          driver: Driver,
          reason: string
        )
        """# + "\n"
}
