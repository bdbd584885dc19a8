extension BuiltinProgram {
    /// Tasks, scheduling, time and interrupts.
    static let tasks = """
        T __x64_sys_getpid: percpu current_task; call __task_pid_nr_ns
        T __x64_sys_nanosleep: local; call hrtimer_nanosleep
        T __x64_sys_futex: mix 2; call do_futex; flag
        T __x64_sys_clone: call kernel_clone; flag
        T __x64_sys_kill: mix 3; call kill_something_info
        T __x64_sys_sched_yield: call do_sched_yield; mix 1
        T __task_pid_nr_ns: table object_pool 32; mix 2; flag
        T hrtimer_nanosleep: call hrtimer_start_range_ns; call do_nanosleep; call hrtimer_cancel
        t do_nanosleep: mix 3; call schedule; early; mix 2
        T hrtimer_start_range_ns: lock hrtimer_lock; mix 4; store hrtimer_expires; unlock hrtimer_lock; static hrtimer_reprogram
        T hrtimer_cancel: call hrtimer_try_to_cancel; early; mix 3
        T hrtimer_try_to_cancel: lock hrtimer_lock; load hrtimer_expires; mix 3; unlock hrtimer_lock
        T schedule_hrtimeout_range: call hrtimer_start_range_ns; call schedule; mix 2
        T schedule: count nr_schedules; call __schedule; mix 1
        T schedule_timeout: mix 3; minimum timeout_max; call schedule; flag
        T io_schedule: count nr_iowait; call schedule
        T yield: mix 1; tail do_sched_yield
        t do_sched_yield: count yld_count; call update_rq_clock; call schedule
        n __schedule: irqoff; call pick_next_task; call update_rq_clock; unlikely sched_schedstats sched_info_arrive
        N preempt_schedule: mix 2; flag; call __schedule
        N preempt_schedule_notrace: mix 3; call __schedule
        N preempt_schedule_irq: mix 2; call __schedule; flag
        T __cond_resched: load need_resched; flag; mix 2
        t pick_next_task: ops fair_sched_class 2; early; ops idle_sched_class 2
        T pick_next_task_fair: table cfs_timeline 32; mix 4; minimum min_vruntime
        T pick_next_task_idle: mix 2; count idle_picks
        T update_rq_clock: percpu rq_clock; mix 3; store rq_clock_task
        T sched_info_arrive: load run_delay; mix 3; store run_delay
        T try_to_wake_up: lock pi_lock; call select_task_rq_fair; call ttwu_queue; unlock pi_lock; likely2 sched_schedstats
        T wake_up_process: mix 2; tail try_to_wake_up
        T default_wake_function: mix 1; tail try_to_wake_up
        T autoremove_wake_function: call default_wake_function; early; mix 3
        t select_task_rq_fair: percpu cpu_number; mix 4; repeat 2 cpu_util; unlikely2 sched_schedstats
        t cpu_util: load cfs_util; mix 3; minimum cpu_capacity
        t ttwu_queue: call update_rq_clock; ops fair_sched_class 0; unlikely trace_wakeup_enabled trace_sched_wakeup
        T trace_sched_wakeup: count trace_events; mix 4; local
        T enqueue_task_fair: call update_curr; mix 2; table cfs_timeline 32; count nr_running; likely2 sched_schedstats
        T dequeue_task_fair: call update_curr; mix 3; table cfs_timeline 32
        t update_curr: load rq_clock_task; mix 4; store min_vruntime
        T task_tick_fair: mix 3; flag; unlikely2 hrtick_enabled; tail update_curr
        T check_preempt_wakeup: mix 3; minimum min_vruntime; early; mix 2
        T kernel_clone: local; call copy_process; early; call wake_up_new_task; count total_forks
        t copy_process: call dup_task_struct; call copy_mm; call copy_files; call alloc_pid
        t dup_task_struct: call kmem_cache_alloc; clear object_pool 24; mix 2
        t copy_mm: call kmem_cache_alloc; table vma_tree 32; static might_resched; mix 3
        t copy_files: mix 3; sum fd_bitmap 16; early; mix 2
        T alloc_pid: lock pidmap_lock; mix 3; count last_pid; unlock pidmap_lock
        T wake_up_new_task: call select_task_rq_fair; ops fair_sched_class 0; mix 1
        T do_exit: call exit_mm; call exit_files; static perf_exit; call schedule
        t exit_mm: lock mmap_lock; mix 3; unlock mmap_lock; tail mmput
        T mmput: load nr_vmas; mix 2; early; call free_pages
        t exit_files: sum fd_bitmap 16; mix 2; flag
        T kill_something_info: call __send_signal; call wake_up_process; flag
        t __send_signal: call kmem_cache_alloc; table object_pool 32; mix 3
        T get_signal: lock sighand_lock; load pending_signals; mix 3; unlock sighand_lock; early; mix 2
        N exit_to_user_mode_loop: call get_signal; early; call schedule
        T do_futex: when futex_wait futex_wake; mix 2
        T futex_wait: call futex_hash; local; call schedule; early; mix 3
        T futex_wake: call futex_hash; repeat 2 wake_up_process; mix 2
        T futex_hash: mix 9; table futex_queues 32
        T mutex_lock: static might_resched; lock demo_mutex; mix 2
        T mutex_unlock: mix 1; unlock demo_mutex; flag
        T down_read: static might_resched; count rwsem_readers; mix 3
        T up_read: load rwsem_readers; mix 3; flag
        T _raw_spin_lock: lock generic_lock; mix 1
        T _raw_spin_unlock: unlock generic_lock
        T _raw_spin_trylock: mix 2; lock generic_lock; flag; unlock generic_lock
        T queued_spin_lock_slowpath: spin 10; mix 4; lock generic_lock; unlock generic_lock
        T synchronize_rcu: mix 3; count rcu_grace_periods; call schedule_timeout
        T call_rcu: table object_pool 32; mix 3; count rcu_callbacks; irqoff
        T rcu_core: repeat 2 rcu_do_batch; mix 2
        t rcu_do_batch: load rcu_callbacks; mix 4; ops rcu_callbacks_table 0
        T process_one_work: lock pool_lock; mix 2; dispatch work_functions; unlock pool_lock
        T worker_thread: repeat 2 process_one_work; call schedule
        T queue_work_on: irqoff; call __queue_work; flag
        t __queue_work: lock pool_lock; mix 3; store work_last; unlock pool_lock
        T vmstat_update: load pgfault; mix 4; store vmstat_last; statictail might_resched
        T wb_workfn: mix 2; call balance_dirty_pages_ratelimited; early; mix 3
        T flush_to_ldisc: sum tty_buffer 24; mix 2
        T delayed_work_timer_fn: mix 2; tail queue_work_on
        W arch_cpu_idle_time: mix 3; flag; mix 2
        """

    /// Interrupts, NMIs and timekeeping.
    static let interrupts = """
        N asm_exc_nmi: call exc_nmi
        N asm_sysvec_apic_timer_interrupt: call sysvec_apic_timer_interrupt
        N sysvec_apic_timer_interrupt: mix 1; call __sysvec_apic_timer_interrupt; call irq_exit_rcu
        t __sysvec_apic_timer_interrupt: count apic_timer_irqs; call hrtimer_interrupt
        N sysvec_call_function: mix 2; call generic_smp_call_function_interrupt
        T generic_smp_call_function_interrupt: count ipi_received; mix 2; call flush_smp_call_function_queue
        t flush_smp_call_function_queue: table object_pool 32; mix 3; early; mix 2
        T irq_exit_rcu: load softirq_pending; mix 2; early; tail __do_softirq
        T __do_softirq: local; dispatch softirq_vec; count softirqs
        T run_timer_softirq: table timer_wheel 32; mix 3; early; ops timer_functions 0
        T net_rx_action: repeat 2 process_backlog; mix 2
        T rcu_core_si: mix 1; tail rcu_core
        T run_rebalance_domains: percpu cpu_number; mix 3; repeat 2 cpu_util
        T hrtimer_interrupt: irqoff; call ktime_get; call __hrtimer_run_queues; static hrtimer_reprogram
        t __hrtimer_run_queues: lock hrtimer_lock; ops timer_functions 1; unlock hrtimer_lock
        t tick_sched_timer: call ktime_get; mix 2; tail tick_sched_handle
        T tick_program_event: minimum next_event; mix 3; store next_event
        t tick_sched_handle: unlikely profiling_enabled profile_tick; tail update_process_times
        T update_process_times: call account_process_tick; mix 1; tail scheduler_tick
        T account_process_tick: load utime; mix 3; store utime; likely2 vtime_disabled
        T scheduler_tick: ops fair_sched_class 1; count ticks; unlikely2 sched_schedstats
        T profile_tick: count profile_hits; mix 3
        T process_timeout: mix 2; count timeouts
        T ktime_get: load tk_core; timestamp; mix 2; minimum tk_last
        T ktime_get_ts64: call ktime_get; local; mix 4
        T getnstimeofday64: mix 2; tail ktime_get_ts64
        N sched_clock: static paravirt_sched_clock; mix 1
        N native_sched_clock: timestamp; mix 3
        T handle_irq_event: count irq_events; ops timer_functions 2; call add_interrupt_randomness
        T add_interrupt_randomness: mix 8; store random_state
        T timer_interrupt_action: mix 3; count legacy_ticks
        N exc_nmi: mix 2; call default_do_nmi; flag
        t default_do_nmi: count nmi_count; call nmi_handle; early; call unknown_nmi_error
        t nmi_handle: dispatch nmi_handlers; mix 2
        T perf_event_nmi_handler: load pmc_value; mix 4; store pmc_value; static perf_guest_state
        T nmi_cpu_backtrace_handler: percpu cpu_number; mix 2; flag
        t unknown_nmi_error: count unknown_nmis; mix 2
        N irqentry_enter: mix 2; flag
        N irqentry_exit: mix 2; flag; early; call preempt_schedule_irq
        N poke_int3_handler: mix 3; table object_pool 32; flag
        N exc_int3: mix 2; call poke_int3_handler; early; call do_int3_user
        n do_int3_user: mix 3
        N text_poke_bp_batch: spin 4; mix 3
        N smp_text_poke_sync_each_cpu: mix 2; flag
        N sync_core_before_usermode: mix 2
        n do_sync_core: mix 1; flag
        N cpu_startup_entry: mix 1; call do_idle
        n do_idle: static x86_idle; early; call schedule_idle
        N schedule_idle: mix 1; call __schedule
        N default_idle: mix 2; count idle_entries
        N panic: count panics; mix 2
        N __stack_chk_fail: mix 1; tail panic
        N __switch_to_asm: mix 3
        N ret_from_fork: mix 2
        """
}
