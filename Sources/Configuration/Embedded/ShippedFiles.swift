// Written by Tests/embed.sh from Config/workload.toml; edit that.

/// Files of Config that the daemon falls back to.
public enum ShippedFiles {
    public static let workload = #"""
        # What the simulated tasks of patchsimd run.
        #
        # Functions are named as in /proc/kallsyms, or by a glob of *, ? and [...]. A name or glob that matches nothing in the
        # loaded kernel is skipped with a log line, so that one file fits the built-in kernel and real ones of many versions;
        # only a file of which nothing matches is refused. The command line goes before this file.

        # Fixes every choice of the deterministic driver, and what the live one draws. 0 to 9223372036854775807.
        seed = 1

        # Simulated CPUs, 1 to 64.
        cpus = 4

        # Tasks that share them, 1 to 1024.
        tasks = 16

        # Instructions per second of all CPUs together. Without it three quarters of one core stay free.
        # speed = 800000

        # Symbols whose entry the simulator serves itself: a task that gets there sleeps, is preempted, or starts over.
        served = [
            "schedule", "__schedule", "__switch_to_asm", "preempt_schedule", "preempt_schedule_notrace",
            "preempt_schedule_irq", "schedule_idle", "do_exit", "make_task_dead", "do_task_dead", "panic",
            "__stack_chk_fail", "do_idle", "default_idle", "cpu_startup_entry",
        ]

        [interrupts]
        # Per simulated second and CPU; CONFIG_HZ=250 is what Debian builds with. 0 is none.
        irq_rate = 250
        nmi_rate = 20

        # What an interrupt runs, one drawn for each.
        irq_entries = [
            "hrtimer_interrupt", "generic_smp_call_function_interrupt", "handle_irq_event", "tick_sched_timer",
            "update_process_times", "run_timer_softirq", "net_rx_action", "rcu_core_si",
        ]
        nmi_entries = ["nmi_handle", "perf_event_nmi_handler", "nmi_cpu_backtrace_handler"]

        # What tasks enter, over and over: the system calls that a busy machine makes most, and everything else besides, so that
        # in the end every call site is reached.
        [[entry]]
        function = "vfs_read"
        weight = 120

        [[entry]]
        function = "vfs_write"
        weight = 80

        [[entry]]
        function = "do_sys_openat2"
        weight = 60

        [[entry]]
        function = "vfs_fstat"
        weight = 40

        [[entry]]
        function = "do_futex"
        weight = 40

        [[entry]]
        function = "handle_mm_fault"
        weight = 60

        [[entry]]
        function = "kernel_clone"
        weight = 20

        [[entry]]
        function = "__sys_sendto"
        weight = 40

        [[entry]]
        function = "__sys_recvfrom"
        weight = 40

        [[entry]]
        function = "process_one_work"
        weight = 20

        [[entry]]
        function = "__x64_sys_*"
        weight = 300

        # The 32-bit kernels' names for the same.
        [[entry]]
        function = "__ia32_sys_*"
        weight = 30

        [[entry]]
        function = "vfs_*"
        weight = 60

        [[entry]]
        function = "tcp_*"
        weight = 60

        [[entry]]
        function = "ext4_*"
        weight = 60

        [[entry]]
        function = "*"
        weight = 1500
        """# + "\n"
}
