extension BuiltinProgram {
    static let banner =
        "Linux version 6.1.0-patchsim (patchsim@localhost) (built-in assembler) #1 SMP PREEMPT_DYNAMIC"

    /// Tables of operations in `.data`: what indirect calls go through.
    static let operationTables: [(name: String, functions: [String])] = parse(
        """
        sys_call_table: __x64_sys_read __x64_sys_write __x64_sys_openat __x64_sys_close __x64_sys_newfstat \
        __x64_sys_lseek __x64_sys_poll __x64_sys_ioctl __x64_sys_mmap __x64_sys_munmap __x64_sys_brk \
        __x64_sys_getpid __x64_sys_nanosleep __x64_sys_futex __x64_sys_clone __x64_sys_kill \
        __x64_sys_sendto __x64_sys_recvfrom __x64_sys_sched_yield __x64_sys_getpid \
        __x64_sys_read __x64_sys_write __x64_sys_read __x64_sys_write __x64_sys_openat __x64_sys_close \
        __x64_sys_futex __x64_sys_futex __x64_sys_poll __x64_sys_sendto __x64_sys_recvfrom __x64_sys_mmap
        ext4_file_operations: ext4_file_read_iter ext4_file_write_iter ext4_llseek ext4_file_open ext4_file_getattr
        pipefifo_fops: pipe_read pipe_write pipe_poll
        def_blk_fops: blkdev_read_iter
        fair_sched_class: enqueue_task_fair task_tick_fair pick_next_task_fair check_preempt_wakeup dequeue_task_fair
        idle_sched_class: update_rq_clock update_rq_clock pick_next_task_idle
        wait_functions: default_wake_function autoremove_wake_function
        tcp_prot: tcp_sendmsg tcp_recvmsg tcp_v4_rcv
        virtio_mq_ops: virtio_queue_rq
        tty_operations: tty_write tty_ioctl tty_insert_flip
        work_functions: vmstat_update wb_workfn flush_to_ldisc rcu_core
        softirq_vec: run_timer_softirq net_rx_action rcu_core_si run_rebalance_domains
        timer_functions: process_timeout tick_sched_timer timer_interrupt_action delayed_work_timer_fn
        nmi_handlers: perf_event_nmi_handler nmi_cpu_backtrace_handler
        rcu_callbacks_table: kfree free_pages
        proc_shows: cmdline_proc_show meminfo_proc_show show_interrupts version_proc_show
        """)

    /// struct static_call_key: its function at boot; `NULL` and `__static_call_return0` have encodings of their own.
    static let staticCallKeys: [(name: String, functions: [String])] = parse(
        """
        might_resched: __cond_resched
        flush_tlb: NULL
        numa_policy: __static_call_return0
        kmalloc_hook: NULL
        hrtimer_reprogram: tick_program_event
        perf_guest_state: __static_call_return0
        perf_exit: NULL
        paravirt_sched_clock: native_sched_clock
        x86_idle: default_idle
        bpf_dispatcher_xdp: NULL
        lsm_file_permission: selinux_file_permission
        lsm_inode_permission: selinux_inode_permission
        lsm_socket_sendmsg: NULL
        console_write: early_console_write
        """)

    /// struct static_key: on or off at boot.
    static let staticKeys: [(name: String, isEnabled: Bool)] = [
        ("fsnotify_active", false), ("rcu_walk_enabled", true), ("selinux_enabled", true),
        ("sched_schedstats", false), ("trace_mmap_enabled", false), ("ext4_journal_debug", false),
        ("memory_pressure", false), ("memcg_enabled", false), ("slub_debug_enabled", false),
        ("trace_wakeup_enabled", false), ("hrtick_enabled", false), ("profiling_enabled", true),
        ("vtime_disabled", true), ("xps_needed", false), ("generic_xdp_needed", false),
        ("netfilter_needed", true), ("blk_stats_needed", false),
    ]

    /// Words of `.data` that don't start as zero.
    static let initialWords: [(name: String, value: UInt64)] = [
        ("max_rw_count", 0x7fff_f000), ("files_max", 0x18_0000), ("max_open_flags", 0x7f_ffff),
        ("sysctl_poll_timeout", 0x3e8), ("task_size", 0x7fff_ffff_f000), ("inode_size", 0x4000_1234),
        ("kmalloc_max", 0x40_0000), ("memcg_limit", 0xffff_ffff), ("hex_limit", 0xff), ("timeout_max", 0x7fff_ffff),
        ("cpu_capacity", 0x400), ("tcp_cwnd", 0xa), ("tty_columns", 0x84), ("tk_last", 0xffff_ffff_ffff),
        ("next_event", 0x7fff_ffff_ffff), ("jiffies", 0xfffe_e3b0), ("nr_threads", 0x51),
    ]

    /// Per-CPU words, at their offsets from `__per_cpu_start`, which is 0.
    static let perCPUWords = ["current_task", "cpu_number", "rq_clock"]

    private static func parse(_ lines: String) -> [(name: String, functions: [String])] {
        lines.split(separator: "\n").map { line in
            let halves = line.split(separator: ":")
            return (String(halves[0]), halves[1].split(separator: " ").map(String.init))
        }
    }
}
